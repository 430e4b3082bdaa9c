/**
 * A node of one's own: settings, a prompt, and what the node tells, as prose or JSON lines.
 * It never decides anything about peers; typed lines go through the command table like everywhere else.
 * Standard input may be a person or a program: without a terminal its end does not end the node, unless that was asked for.
 */
import { clearScreenDown, createInterface, cursorTo, type Interface, moveCursor } from "node:readline"
import { Cause, Deferred, Effect, Exit, PubSub, Queue } from "effect"
import type { Event, Node } from "../../core/index.ts"
import { ConversationLog } from "../../ports/ConversationLog.ts"
import * as Commands from "../Commands.ts"
import * as Carrying from "../control/Carrying.ts"
import * as Control from "../control/index.ts"
import * as Tooling from "../control/Tooling.ts"
import * as Follow from "../host/Follow.ts"
import * as Quoted from "../host/Quoted.ts"
import * as IrcSettings from "../IrcSettings.ts"
import * as Layers from "../Layers.ts"
import * as Logs from "../Logs.ts"
import * as Present from "../Present.ts"
import * as Telemetry from "../Telemetry.ts"
import * as Identity from "./Identity.ts"
import * as PanelChoice from "./PanelChoice.ts"
import type { Options } from "./RunOptions.ts"

/** Where lines go: prose above the prompt of a person, or JSON for a program. */
interface Screen {
  readonly line: (line: Present.Line) => void
  readonly json: (value: Record<string, unknown>) => void
}

/** Writes above what is being typed, which may have grown over several rows; readline then goes up as many again. */
const writeAbove = (prompt: Interface, text: string): void => {
  const { rows } = prompt.getCursorPos()
  moveCursor(process.stdout, 0, -rows)
  cursorTo(process.stdout, 0)
  clearScreenDown(process.stdout)
  process.stdout.write(`${text}\n${"\n".repeat(rows)}`)
  prompt.prompt(true)
}

const makeScreen = (json: boolean, interactive: boolean, prompt: Interface): Screen => {
  const colour = process.stdout.isTTY === true && (process.env["NO_COLOR"] ?? "") === ""
  const write = (text: string) => {
    if (interactive) writeAbove(prompt, text)
    else process.stdout.write(`${text}\n`)
  }
  return {
    line: (line) => {
      if (!json) write(Present.paint(line, colour))
    },
    json: (value) => {
      if (json) write(Present.json(value))
    }
  }
}

/** Adds what both sides compare, where an event introduces a key. */
const withFingerprint = (node: Node.Node, told: Event.Event): Record<string, unknown> =>
  told._tag === "FriendshipMade" || told._tag === "RequestReceived" || told._tag === "ConnectAsked"
    ? { ...Present.eventJson(told), fingerprint: node.fingerprint(told.identityKey).words }
    : Present.eventJson(told)

const tell = (screen: Screen, node: Node.Node, told: Event.Event): void => {
  screen.json(withFingerprint(node, told))
  screen.line(Present.event(told))
  if (told._tag === "FriendshipMade" || told._tag === "RequestReceived" || told._tag === "ConnectAsked") {
    screen.line({ tone: "quiet", text: `  compare on another channel: ${node.fingerprint(told.identityKey).words}` })
  }
}

/** Why a node ended in order: for good, or to start again with another identity. */
type Ending =
  | { readonly kind: "quit" }
  | { readonly kind: "identity"; readonly typed: string; readonly change: Commands.Change }

/** How many words of a line may be repeated that can hold a recovery key or the link of an invite, right or mistyped. */
const wordsToRepeat: ReadonlyArray<readonly [string, number]> = [
  ["/rotate", 2],
  ["/claim", 1]
]

/** A typed line as it may be repeated. */
const withoutSecret = (typed: string): string => {
  const words = wordsToRepeat.find(([command]) => typed.trim().startsWith(command))?.[1]
  const said = words === undefined ? typed : typed.trim().split(/\s+/).slice(0, words).join(" ")
  const open = typed.trim().startsWith("/topic") ? said.replace(/#.*/su, "#…") : said
  return open.replaceAll(/wop3:\/\/\S+/gi, "wop3://…")
}

/** Carries out one typed line. Gives how the node should end, if it should. */
const onLine = Effect.fnUntraced(function* (
  screen: Screen,
  node: Node.Node,
  channel: string | undefined,
  typed: string
) {
  if (typed.trim() === "") return undefined
  const parsed = Commands.parse(typed, { channel })
  switch (parsed.kind) {
    case "quit":
      return { kind: "quit" } satisfies Ending as Ending
    case "identity":
      return {
        kind: "identity",
        typed: withoutSecret(typed),
        change: parsed.change
      } as Ending
    case "mistake":
    case "secret-topic":
    case "question":
    case "command": {
      const told = yield* Carrying.carryOut(node, parsed)
      screen.json({ event: "reply", line: withoutSecret(typed), ...told.facts })
      for (const line of told.lines) screen.line(line)
      return undefined
    }
  }
})

/** Logs among everything else that is shown; or, where a format was asked for, as lines of standard error. */
const loggerOf = ({ logs: { format, level } }: Options, screen: Screen) =>
  format === undefined ? Logs.onScreen(screen, level) : Logs.layer({ format, level }, Logs.onStderr)

const networkInWords = (network: Layers.Settings["network"]): string =>
  network.kind === "public"
    ? "the public Hyperswarm DHT"
    : network.kind === "local"
      ? "the network shared by nodes of this machine"
      : `the DHT at ${network.nodes.map(({ host, port }) => `${host}:${port}`).join(", ")}`

/** Where friends can be made. */
const roomsInWords = ({ name, settings: { irc, rooms } }: Options): ReadonlyArray<Present.Line> => {
  const files = rooms.map(({ file }) => `room: ${file}`)
  const channels = irc === undefined ? [] : IrcSettings.rooms(irc).map((room) => `room: ${room}, as ${irc.nick}`)
  const all = [...files, ...channels]
  const doubt = irc === undefined ? undefined : IrcSettings.doubt(irc, name)
  return [
    ...(all.length === 0 ? ["no room: make friends with /invite, /claim or /topic"] : all).map(
      (text) => ({ tone: "quiet", text }) as const
    ),
    ...(doubt === undefined ? [] : [{ tone: "bad", text: doubt } as const])
  ]
}

const welcome = (screen: Screen, options: Options, key: string): void => {
  const { dataFolder, network } = options.settings
  screen.json({ event: "started", name: options.name, identityKey: key, data: dataFolder, pid: process.pid })
  screen.line({ tone: "good", text: `@${options.name} is up, on ${networkInWords(network)}` })
  screen.line({ tone: "quiet", text: `keys and records: ${dataFolder}` })
  for (const line of roomsInWords(options)) screen.line(line)
  screen.line({ tone: "quiet", text: "/help lists the commands, Ctrl-C ends the node" })
}

/** The node from its start until `/quit`, or until it can no longer run. */
const serve = Effect.fnUntraced(function* (
  options: Options,
  screen: Screen,
  typed: Queue.Queue<string>,
  quoted: Quoted.Quoted
) {
  const started = yield* Layers.start(options.name, options.settings, options.rates)
  const events = yield* started.events
  const follow = Follow.make()
  yield* Effect.forkScoped(
    PubSub.take(events).pipe(
      Effect.tap((told) => Effect.sync(() => follow.note(told))),
      Effect.tap((told) => (options.logs.format === undefined ? Effect.void : Logs.event(told))),
      Effect.flatMap((told) => Effect.sync(() => tell(screen, started, told))),
      Effect.forever
    )
  )
  welcome(screen, options, (yield* started.describe).identityKey)
  const channel = Layers.firstChannel(options.settings)
  const quit = Effect.asVoid(Queue.offer(typed, "/quit"))
  const panel = yield* PanelChoice.serve(options, options.settings.dataFolder, started, channel)
  const node = panel?.node ?? started
  const tools = Tooling.make({ node, follow, log: yield* ConversationLog }, quoted)
  const linking = panel === undefined ? {} : { panel: panel.link }
  yield* Control.attend(options.name, options.settings, { node, channel, quit, tools, ...linking })
  const reading = Effect.gen(function* () {
    for (;;) {
      const ending = yield* onLine(screen, node, channel, yield* Queue.take(typed))
      if (ending !== undefined) return ending
    }
  })
  return yield* Effect.raceFirst(reading, node.ended)
})

/** Changes the identity of a node that has just ended. Whatever comes of it, the node starts again. */
const changeIdentity = Effect.fnUntraced(function* (
  options: Options,
  screen: Screen,
  { change, typed }: Extract<Ending, { kind: "identity" }>
) {
  const atRest = Layers.atRest(options.settings.dataFolder)
  const exit = yield* Effect.exit(Identity.change(change).pipe(Effect.provide(atRest)))
  if (Exit.isSuccess(exit)) {
    screen.json({ event: "reply", line: typed, ok: true, ...exit.value.facts })
    for (const text of exit.value.lines) screen.line({ tone: "plain", text })
    return
  }
  const failure = Cause.squash(exit.cause)
  const { code = "identity" } = failure as { readonly code?: string }
  const why = Identity.whyNot(failure)
  screen.json({ event: "reply", line: typed, ok: false, code, why })
  screen.line({ tone: "bad", text: why })
})

/** A node, and after each change of its identity the next one, until it is told to end. */
const serveOn = (options: Options, screen: Screen, typed: Queue.Queue<string>): Effect.Effect<void, unknown> =>
  Effect.gen(function* () {
    const quoted = Quoted.make()
    quoted.keepIn(options.settings.dataFolder)
    for (;;) {
      const ending = yield* Effect.scoped(serve(options, screen, typed, quoted)).pipe(
        Effect.provide(Layers.layers(options.settings))
      )
      if (ending.kind === "quit") return
      yield* changeIdentity(options, screen, ending)
    }
  })

const messageOf = (cause: Cause.Cause<unknown>): string => {
  const failure = Cause.squash(cause)
  return failure instanceof Error && failure.message !== "" ? failure.message : Cause.pretty(cause)
}

/**
 * Calls `end` when the process is asked to end, or nobody reads what it prints any more. A second Ctrl-C, a second or
 * more after the first (npm passes a single one on twice), gives up waiting for a clean end. Gives how to stop listening.
 */
const onWishToEnd = (end: () => void): (() => void) => {
  let firstMs: number | undefined
  const onInterrupt = () => {
    if (firstMs !== undefined && performance.now() - firstMs > 1_000) process.exit(130)
    firstMs ??= performance.now()
    end()
  }
  process.on("SIGINT", onInterrupt).on("SIGTERM", end).on("SIGHUP", end)
  process.stdout.on("error", end)
  return () => {
    process.off("SIGINT", onInterrupt).off("SIGTERM", end).off("SIGHUP", end)
  }
}

/** Runs a node until it is told to end. Gives the exit code. */
export const run = async (options: Options): Promise<number> => {
  const interactive = process.stdin.isTTY === true && process.stdout.isTTY === true && !options.json
  const prompt = createInterface({
    input: process.stdin,
    ...(interactive ? { output: process.stdout, prompt: `${options.name}> ` } : {}),
    completer: (line: string) => [[...Commands.complete(line)], line]
  })
  const screen = makeScreen(options.json, interactive, prompt)
  const typed = Effect.runSync(Queue.unbounded<string>())
  const quit = Effect.runSync(Deferred.make<void>())
  const end = () => {
    Effect.runSync(Deferred.succeed(quit, undefined))
  }
  prompt.on("line", (line) => {
    Queue.offerUnsafe(typed, line)
    if (interactive) prompt.prompt()
  })
  prompt.on("SIGINT", () => process.emit("SIGINT", "SIGINT"))
  // Whoever drives a node by a pipe may be killed: the pipe's end is all the node learns of it.
  if (interactive || options.attached) prompt.on("close", end)
  const stopListening = onWishToEnd(end)
  // Fibers do not keep the process alive; this does, until the node has ended.
  const alive = setInterval(() => {}, 60_000)
  const node = serveOn(options, screen, typed).pipe(
    Effect.provide(Telemetry.layer(process.env)),
    Effect.provide(loggerOf(options, screen))
  )
  // The wish to end counts from the first moment: a start may take long where a network or an engine is slow.
  const exit = await Effect.runPromiseExit(Effect.raceFirst(node, Deferred.await(quit)))
  clearInterval(alive)
  stopListening()
  prompt.close()
  if (interactive) process.stdout.write("\n")
  process.stdin.unref?.()
  if (Exit.isSuccess(exit)) {
    screen.json({ event: "ended", pid: process.pid })
    return 0
  }
  const why = messageOf(exit.cause)
  screen.json({ event: "failed", why })
  process.stderr.write(`${why}\n`)
  return 1
}
