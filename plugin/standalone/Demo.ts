/**
 * The story: two nodes in two processes meet in a room, become friends, talk, and one answers out of a sandbox.
 * It never fakes a step: each line it prints is an event that a node told and this file compared with another source.
 * It drives the shipped program from outside, over a local DHT, and ends with 0 only if everything really happened.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Exit, Scope } from "effect"
import * as Watch from "../../adapters/docker/Watch.ts"
import * as FolderId from "../../adapters/filesystem/FolderId.ts"
import { testnet } from "../../adapters/hyperswarm/LocalDht.ts"
import * as ScriptedServer from "../../adapters/openai/ScriptedServer.ts"
import type { Describe } from "../../core/index.ts"
import { type Confinement, inWords } from "../../ports/Sandbox.ts"
import * as Layers from "../Layers.ts"
import * as Present from "../Present.ts"
import * as Child from "./Child.ts"
import * as DemoModel from "./DemoModel.ts"

export interface Options {
  readonly json: boolean
  readonly requireSandbox: boolean
}

interface Stage {
  readonly alice: Child.Child
  readonly bob: Child.Child
  readonly bobData: string
  readonly sightings: () => ReadonlyArray<Watch.Sighting>
  readonly tell: (event: string, text: string, facts?: Record<string, unknown>) => void
  readonly options: Options
}

class Failed extends Error {}

const demand = (holds: boolean, otherwise: string): void => {
  if (!holds) throw new Failed(otherwise)
}

const teller = (options: Options): Stage["tell"] => {
  const startedMs = performance.now()
  const colour = process.stdout.isTTY === true && (process.env["NO_COLOR"] ?? "") === ""
  const tones: Readonly<Record<string, Present.Tone>> = {
    failed: "alarm",
    skipped: "bad",
    refused: "bad",
    note: "quiet"
  }
  return (event, text, facts = {}) => {
    const atMs = Math.round(performance.now() - startedMs)
    if (options.json) process.stdout.write(`${Present.json({ event, atMs, text, ...facts })}\n`)
    else {
      const seconds = `${(atMs / 1000).toFixed(2).padStart(6)} s  `
      process.stdout.write(`${seconds}${Present.paint({ tone: tones[event] ?? "good", text }, colour)}\n`)
    }
  }
}

const text = (value: unknown): string => Present.harmless(String(value))

const befriend = async ({ alice, bob, tell }: Stage): Promise<void> => {
  alice.type("/friend @bob")
  const asked = await bob.wait(
    "alice's request",
    (told) => told.event === "request-received" && told["name"] === "alice"
  )
  tell(
    "requested",
    `alice posts one signed line in the room; bob reads it: claims @alice, author ${text(asked["evidence"])}`,
    {
      evidence: asked["evidence"]
    }
  )
  bob.type("/accept @alice")
  const atAlice = await alice.wait("the friendship", (told) => told.event === "friendship")
  const atBob = await bob.wait("the friendship", (told) => told.event === "friendship")
  demand(atAlice["fingerprint"] === atBob["fingerprint"], "the fingerprints of the two sides differ")
  tell("friendship", `bob accepts with one signed line; both see the fingerprint ${text(atAlice["fingerprint"])}`, {
    alice: { pid: alice.pid, identityKey: atBob["identityKey"], fingerprint: atAlice["fingerprint"] },
    bob: { pid: bob.pid, identityKey: atAlice["identityKey"], fingerprint: atBob["fingerprint"] }
  })
}

/** One message, seen by the receiver and acknowledged to the sender. */
const say = async (
  stage: Stage,
  [from, sender]: readonly [string, Child.Child],
  [to, receiver]: readonly [string, Child.Child],
  words: string
): Promise<void> => {
  const startedMs = performance.now()
  const after = sender.told.length
  sender.type(`/message @${to} ${words}`)
  const reply = await sender.wait("the message queued", (told) => told.event === "reply", 5_000, after)
  demand(reply["ok"] === true, `the message was not taken: ${text(reply["why"])}`)
  const received = await receiver.wait("the message", (told) => {
    const entry = told["entry"] as { readonly text?: string } | undefined
    return told.event === "received" && entry?.text === words
  })
  const delivered = await sender.wait("the receipt", (told) => told.event === "delivered" && told["id"] === reply["id"])
  demand(received["bytes"] === delivered["bytes"], "sender and receiver count different bytes")
  const tookMs = Math.round(performance.now() - startedMs)
  stage.tell(
    "delivered",
    `${from} → ${to}: "${words}" (${text(delivered["bytes"])} bytes, ${tookMs} ms, process ${sender.pid} to ${receiver.pid})`,
    {
      from,
      to,
      bytes: delivered["bytes"],
      fromPid: sender.pid,
      toPid: receiver.pid,
      tookMs
    }
  )
}

/** What becomes of an inject or message of alice's that is sent now. */
const outcome = async (alice: Child.Child, line: string): Promise<Child.Told> => {
  const after = alice.told.length
  alice.type(line)
  const reply = await alice.wait("the command taken", (told) => told.event === "reply", 5_000, after)
  demand(reply["ok"] === true, `the command was not taken: ${text(reply["why"])}`)
  return alice.wait(
    "the outcome",
    (told) => (told.event === "refused" || told.event === "answered") && told["id"] === reply["id"],
    30_000,
    after
  )
}

const refusedInject = async ({ alice, tell }: Stage): Promise<void> => {
  const refused = await outcome(alice, "/inject @bob what time is it?")
  demand(
    refused.event === "refused" && refused["code"] === "no-capability",
    "the inject was not refused for want of it"
  )
  tell("refused", `alice asks bob's agent to answer: refused, ${text(refused["code"])}`, {
    what: "inject",
    code: refused["code"]
  })
}

interface Report {
  readonly uid: number
  readonly routes: number
  readonly writeError: string
  readonly capEff: string
}

/** What the engine says of a container, once it says that the container is gone. */
const sighted = async (stage: Stage, containerId: string): Promise<Watch.Sighting> => {
  const giveUpMs = performance.now() + 5_000
  for (;;) {
    const seen = stage.sightings().find((sighting) => sighting.containerId === containerId)
    if (seen?.actions.includes("destroy") === true) return seen
    if (performance.now() > giveUpMs) {
      const told = seen === undefined ? "nothing" : seen.actions.join(", ")
      throw new Failed(`the engine's event log tells ${told} of the container that answered`)
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** The container's own report, against what the engine says of that container. */
const compare = async (stage: Stage, report: Report, containerId: string): Promise<Watch.Sighting> => {
  const seen = await sighted(stage, containerId)
  demand(seen.actions.includes("start") && seen.actions.includes("die"), "the engine did not see the container run")
  demand(
    seen.user.split(":")[0] === String(report.uid),
    `the container ran as ${report.uid}, the engine says ${seen.user}`
  )
  demand(report.routes === 0 && seen.network === "none", "the container has a network")
  demand(report.writeError !== "" && seen.readOnlyRoot, "the container could write to its root")
  return seen
}

/** What bob's status says of inject, once the canary has looked: nothing if it is on. */
const injectOff = async ({ bob, tell }: Stage): Promise<string> => {
  const startedMs = performance.now()
  const giveUpMs = startedMs + 60_000
  let isTold = false
  for (;;) {
    const after = bob.told.length
    bob.type("/status")
    const status = await bob.wait(
      "the status",
      (told) => told.event === "reply" && told["line"] === "/status",
      20_000,
      after
    )
    const { pending = false, ready, reason } = status["sandbox"] as Describe.Description["sandbox"]
    if (!pending || performance.now() > giveUpMs) return ready ? "" : reason
    if (!isTold && performance.now() - startedMs > 500) {
      isTold = true
      tell(
        "note",
        "bob's node first proves, from inside a container, that nothing gets out of it; that takes a few seconds"
      )
    }
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

const answeredInject = async (stage: Stage): Promise<void> => {
  const { alice, bob, options, tell } = stage
  const after = bob.told.length
  bob.type("/grant @alice inject")
  await bob.wait("the grant", (told) => told.event === "reply" && told["ok"] === true, 20_000, after)
  const off = await injectOff(stage)
  const startedMs = performance.now()
  const answered = await outcome(alice, "/inject @bob who and where are you?")
  if (answered.event === "refused" && off !== "" && !options.requireSandbox) {
    return tell("skipped", `the answer from a sandbox is skipped: ${text(off)}`, { what: "answered", reason: off })
  }
  demand(answered.event === "answered", `no answer: ${text(answered["code"])}. ${text(answered["why"])}`)
  const confinement = answered["confinement"] as Confinement
  const report = JSON.parse(String(answered["text"])) as Report
  const seen = await compare(stage, report, confinement.containerId)
  tell(
    "answered",
    `bob grants inject; bob's agent asks its shell (the model is a script): out of container ` +
      `${confinement.containerId.slice(0, 12)} (${text(inWords(confinement))}): uid ${report.uid}, ${report.routes} routes, "${text(report.writeError)}"; the engine confirms ${seen.actions.join(", ")}`,
    {
      engine: confinement.engine,
      containerId: confinement.containerId,
      tookMs: Math.round(performance.now() - startedMs),
      report,
      engineSays: seen
    }
  )
}

const part = async ({ alice, bob, tell }: Stage): Promise<void> => {
  bob.type("/unfriend @alice")
  await Promise.all([alice, bob].map((node) => node.wait("the end", (told) => told.event === "unfriended")))
  tell("unfriended", "bob ends the friendship; alice is told", { by: "bob" })
  const after = alice.told.length
  alice.type("/message @bob are you still there?")
  const refused = await alice.wait("the reply", (told) => told.event === "reply", 5_000, after)
  demand(refused["ok"] === false, "the message was taken")
  demand(refused["code"] === "not-a-friend", `the message was not refused: ${text(refused["code"])}`)
  tell("refused", `alice writes again: refused, ${text(refused["code"])}`, { what: "message", code: refused["code"] })
}

const story = async (stage: Stage): Promise<void> => {
  const { alice, bob, tell } = stage
  await Promise.all([alice, bob].map((node) => node.wait("the node's start", (told) => told.event === "started")))
  tell("started", `alice (process ${alice.pid}) and bob (process ${bob.pid}), each with a folder, a key and a swarm`, {
    pids: [alice.pid, bob.pid]
  })
  await befriend(stage)
  await say(stage, ["alice", alice], ["bob", bob], "hello bob, no server between us")
  const connected = await alice.wait("the connection", (told) => told.event === "connected")
  tell(
    "note",
    `encrypted with Noise XX: X25519, AES-256-GCM, SHA-256, protocol ${text(connected["version"])}, over Hyperswarm`
  )
  await say(stage, ["bob", bob], ["alice", alice], "hello alice, only your key opens this")
  await refusedInject(stage)
  await answeredInject(stage)
  await part(stage)
}

const node = (folder: string, name: string, bootstrap: string, modelUrl: string): Child.Child =>
  Child.start([
    ...["--name", name, "--data", join(folder, name), "--room", join(folder, "room.txt"), "--bootstrap", bootstrap],
    ...["--model", "scripted", "--model-url", modelUrl]
  ])

/** Ends a node so that it takes its container along; only one that does not end is killed. */
const endNode = async (child: Child.Child): Promise<number | null> => {
  const late = setTimeout(() => void child.stop("SIGKILL"), 5_000)
  const code = await child.stop()
  clearTimeout(late)
  return code
}

const play = async (
  folder: string,
  scope: Scope.Scope,
  children: Array<Child.Child>,
  { options, tell }: Pick<Stage, "options" | "tell">,
  stopped: AbortSignal
): Promise<void> => {
  const dht = await Effect.runPromise(Scope.provide(testnet, scope))
  const bootstrap = `${dht[0]!.host}:${dht[0]!.port}`
  const bobData = join(folder, "bob")
  const { engineSocket } = Layers.engineSocket(process.env)
  // The node will find the id there and go on with it, as after a restart.
  const watching = Effect.flatMap(FolderId.obtain(bobData), (ownerId) => Watch.watch(ownerId, engineSocket))
  const sightings = await Effect.runPromise(Scope.provide(watching, scope))
  const model = await Effect.runPromise(Scope.provide(ScriptedServer.serve(DemoModel.answer), scope))
  if (stopped.aborted) return
  tell("note", "a local DHT, a chat room that is a file, and two nodes that know nothing of each other")
  const [alice, bob] = ["alice", "bob"].map((name) => node(folder, name, bootstrap, model.baseUrl)) as [
    Child.Child,
    Child.Child
  ]
  children.push(alice, bob)
  await story({ alice, bob, bobData, sightings, tell, options })
  const codes = await Promise.all(children.map(endNode))
  demand(
    codes.every((code) => code === 0),
    `a node ended with ${codes.join(" and ")}`
  )
  tell("done", "both nodes ended cleanly")
}

/** Aborts, with the exit code as reason, at a wish to end from outside; also when nobody reads what is told any more. */
const wishToEnd = (): AbortSignal => {
  const controller = new AbortController()
  process.on("SIGINT", () => controller.abort(130))
  process.on("SIGTERM", () => controller.abort(143))
  process.on("SIGHUP", () => controller.abort(129))
  process.stdout.on("error", () => controller.abort(1))
  return controller.signal
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener("abort", () => resolve())
  })

/** Plays the story in a temporary folder. Gives the exit code; whatever it is, nothing stays behind. */
export const demo = async (options: Options): Promise<number> => {
  const tell = teller(options)
  const stopped = wishToEnd()
  const folder = mkdtempSync(join(tmpdir(), "wopr-p2p-demo-"))
  const scope = Effect.runSync(Scope.make())
  const children: Array<Child.Child> = []
  const played = play(folder, scope, children, { options, tell }, stopped).then(
    () => 0,
    (error: unknown) => {
      if (!stopped.aborted) tell("failed", error instanceof Error ? error.message : String(error))
      return 1
    }
  )
  await Promise.race([played, aborted(stopped)])
  await Promise.all(children.map(endNode))
  // Without its nodes the story ends by itself; until then it may still be about to start one.
  const code = await played
  await Effect.runPromise(Scope.close(scope, Exit.void))
  rmSync(folder, { recursive: true, force: true })
  if (!stopped.aborted) return code
  tell("interrupted", "the demo was interrupted; both nodes and their folders are gone")
  return Number(stopped.reason)
}
