/**
 * The demo as a stranger runs it: the shipped program in a process of its own, with and without a container engine.
 * It must not believe what the demo prints: processes, folders and containers are looked for by other means.
 * Where an engine is needed and none answers the test is skipped aloud, or fails if `REQUIRE_DOCKER=1`.
 */
import { afterAll, describe, expect, it } from "vitest"
import { docker, withEngine } from "../conformance/docker-engine.ts"
import { engineless, expectNothingLeft, named, toldBy } from "./demo-stage.ts"
import { clearPlaces, finish, launch, launchOnTerminal, makePlace, onTerminals, until } from "./stage.ts"

afterAll(clearPlaces)

const steps = ["started", "requested", "friendship", "delivered", "delivered", "refused"]

interface Inspected {
  readonly actions: Array<string>
  flags?: Record<string, unknown>
}

/** Our own eyes on the engine: everything that happens to containers with the program's label, inspected at once. */
const watchEngine = async () => {
  const seen = new Map<string, Inspected>()
  const looks: Array<Promise<unknown>> = []
  const stream = await docker.getEvents({ filters: JSON.stringify({ type: ["container"], label: ["wopr-p2p.owner"] }) })
  const look = async (id: string) => {
    const { Config, HostConfig } = await docker.getContainer(id).inspect()
    const { CapDrop, IpcMode, Memory, MemorySwap, Mounts, NanoCpus, NetworkMode, PidsLimit, Privileged } = HostConfig
    const { Binds, ReadonlyRootfs, SecurityOpt } = HostConfig
    const limits = { Memory, MemorySwap, NanoCpus, PidsLimit }
    const walls = { CapDrop, IpcMode, NetworkMode, Privileged, ReadonlyRootfs, SecurityOpt }
    seen.get(id)!.flags = { User: Config.User, ...limits, ...walls, mounts: [...(Binds ?? []), ...(Mounts ?? [])] }
  }
  let rest = ""
  stream.on("error", () => {})
  stream.on("data", (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split("\n")
    rest = lines.pop() ?? ""
    for (const line of lines.filter((one) => one !== "")) {
      const { Action, Actor } = JSON.parse(line) as { readonly Action: string; readonly Actor: { readonly ID: string } }
      const one = seen.get(Actor.ID) ?? { actions: [] }
      seen.set(Actor.ID, one)
      one.actions.push(Action)
      if (Action === "create") looks.push(look(Actor.ID).catch(() => {}))
    }
  })
  return {
    seen,
    close: async () => {
      await Promise.all(looks)
      if ("destroy" in stream && typeof stream.destroy === "function") stream.destroy()
    }
  }
}

const confined = {
  User: "65534:65534",
  NetworkMode: "none",
  ReadonlyRootfs: true,
  CapDrop: ["ALL"],
  SecurityOpt: ["no-new-privileges"],
  PidsLimit: 100,
  Memory: 512 * 1024 * 1024,
  MemorySwap: 512 * 1024 * 1024,
  NanoCpus: 5e8,
  IpcMode: "none",
  Privileged: false,
  mounts: []
}

/** Who did what to whom: keys, bytes, two processes, refusals with what and why. */
const expectNamed = (told: ReturnType<typeof toldBy>): void => {
  const pids = named(told, "started")[0]!["pids"] as ReadonlyArray<number>
  expect(new Set(pids).size).toBe(2)
  const friendship = named(told, "friendship")[0]! as unknown as Record<
    "alice" | "bob",
    { readonly pid: number; readonly identityKey: string; readonly fingerprint: string }
  >
  expect([friendship.alice.pid, friendship.bob.pid]).toEqual(pids)
  expect(friendship.alice.fingerprint).toBe(friendship.bob.fingerprint)
  expect(friendship.alice.identityKey).toMatch(/^[\w-]{43}$/)
  expect(friendship.alice.identityKey).not.toBe(friendship.bob.identityKey)
  const [there, back] = named(told, "delivered")
  expect(there).toMatchObject({ from: "alice", to: "bob", bytes: 31, fromPid: pids[0], toPid: pids[1] })
  expect(back).toMatchObject({ from: "bob", to: "alice", bytes: 37, fromPid: pids[1], toPid: pids[0] })
  const refusals = named(told, "refused").map(({ code, what }) => ({ code, what }))
  expect(refusals).toEqual([
    { what: "inject", code: "no-capability" },
    { what: "message", code: "not-a-friend" }
  ])
}

withEngine("the demo, with a container engine", () => {
  it("tells the whole story, naming who did what to whom, and the engine's own log says the same of the container", async () => {
    const place = await makePlace()
    const engine = await watchEngine()
    const ended = await finish(["demo", "--json", "--require-sandbox"], place.env)
    const told = toldBy(ended)
    const answered = named(told, "answered")[0]!
    const id = String(answered["containerId"])
    await until("the container is destroyed", () => engine.seen.get(id)?.actions.includes("destroy") === true)
    await engine.close()

    expect(ended).toMatchObject({ code: 0, stderr: "" })
    expect(told.map((one) => one.event).filter((event) => event !== "note")).toEqual([
      ...steps,
      "answered",
      "unfriended",
      "refused",
      "done"
    ])
    expectNamed(told)
    const { actions, flags } = engine.seen.get(id)!
    expect(actions.filter((action) => ["create", "start", "die", "destroy"].includes(action))).toEqual([
      "create",
      "start",
      "die",
      "destroy"
    ])
    expect(flags).toEqual(confined)
    expect(answered["engine"]).toMatch(/^(docker|podman) \d/)
    expect(
      await docker
        .getContainer(id)
        .inspect()
        .then(
          () => "still there",
          (error) => error.statusCode
        )
    ).toBe(404)
    expectNothingLeft(place, told)
  })

  it("takes its container along when it is interrupted", async () => {
    const place = await makePlace()
    const engine = await watchEngine()
    const demo = launch(["demo", "--json"], place.env)
    // Other tests have containers too: this one's come once its nodes are up.
    await demo.printed(/"event":"refused"/)
    const before = engine.seen.size
    await until("a container exists", () => engine.seen.size > before, 20_000)
    demo.child.kill("SIGINT")
    const ended = await demo.ended
    const destroyed = () => [...engine.seen.values()].every(({ actions }) => actions.includes("destroy"))
    await until("the container is gone", destroyed)
    await engine.close()
    expect(ended.code).toBe(130)
    expectNothingLeft(place, toldBy(ended))
  })
})

describe("the demo, without a container engine", () => {
  it("skips the answer, says why, and is otherwise the same story", async () => {
    const place = await makePlace()
    const ended = await finish(["demo", "--json"], engineless(place))
    const told = toldBy(ended)
    expect(ended).toMatchObject({ code: 0, stderr: "" })
    expect(told.map((one) => one.event).filter((event) => event !== "note")).toEqual([
      ...steps,
      "skipped",
      "unfriended",
      "refused",
      "done"
    ])
    const skipped = named(told, "skipped")[0]!
    expect(skipped["reason"]).toMatch(/no container engine answers at .*no-engine\.sock.*install Docker/)
    expectNamed(told)
    expectNothingLeft(place, told)
  })

  it("fails with --require-sandbox, naming what is missing", async () => {
    const place = await makePlace()
    const ended = await finish(["demo", "--json", "--require-sandbox"], engineless(place))
    expect(ended.code).toBe(1)
    expect(named(toldBy(ended), "failed")[0]?.["text"]).toMatch(/sandbox-unavailable/)
    expectNothingLeft(place, toldBy(ended))
  })

  it("tells it in prose to people: in order, without colour where there is no terminal", async () => {
    const place = await makePlace()
    const ended = await finish(["demo"], engineless(place))
    expect(ended.code).toBe(0)
    const lines = ended.stdout.trimEnd().split("\n")
    expect(lines.every((line) => /^ *\d+\.\d\d s {2}\S/.test(line))).toBe(true)
    const order = [
      /two nodes/,
      /alice \(process \d+\) and bob/,
      /claims @alice/,
      /both see the fingerprint( [a-z]{5}){8}$/,
      /alice → bob: "/,
      /Noise XX/,
      /bob → alice: "/,
      /refused, no-capability/,
      /skipped: .*engine/,
      /ends the friendship/,
      /refused, not-a-friend/,
      /ended cleanly/
    ]
    expect(lines.map((line, index) => order[index]?.test(line))).toEqual(order.map(() => true))
    expect(ended.stdout).not.toContain("\u001b")
  })

  onTerminals("is coloured on a terminal, and not with NO_COLOR", async () => {
    const place = await makePlace()
    const coloured = await launchOnTerminal(["demo"], engineless(place)).ended
    expect(coloured.stdout).toContain("\u001b[32malice (process")
    expect(coloured.stdout).toContain("\u001b[33mthe answer from a sandbox is skipped")
    const plain = await launchOnTerminal(["demo"], { ...engineless(place), NO_COLOR: "1" }).ended
    expect(plain.stdout).toMatch(/ended cleanly/)
    expect(plain.stdout).not.toContain("\u001b")
  })

  it("ends both nodes and cleans up on SIGTERM", async () => {
    const place = await makePlace()
    const demo = launch(["demo", "--json"], engineless(place))
    await demo.printed(/"event":"delivered"/)
    demo.child.kill("SIGTERM")
    const ended = await demo.ended
    expect(ended).toMatchObject({ code: 143, stderr: "" })
    expect(toldBy(ended).at(-1)?.event).toBe("interrupted")
    expectNothingLeft(place, toldBy(ended))
  })
})
