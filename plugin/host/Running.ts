/**
 * The node inside the daemon, kept running: started, watched, started again when it could not, until the scope ends.
 * It never lets anything of it reach the host as an exception, and never logs a text that somebody wrote to somebody.
 * What cannot start now may start later (another process that holds the folder ends, a disk gets room): so it goes on
 * trying, ever more slowly, and says a reason once.
 */
import { Cause, Clock, Deferred, Effect, Exit, Fiber, FiberSet, Layer, Logger, PubSub, Result } from "effect"
import * as WoprChat from "../../adapters/wopr/ChatChannel.ts"
import * as Grafts from "../../adapters/wopr/Grafts.ts"
import { ask, type Provider } from "../../adapters/wopr/Host.ts"
import { type Event, type Link, Name, Rejection } from "../../core/index.ts"
import { ConversationLog } from "../../ports/ConversationLog.ts"
import { Sandbox } from "../../ports/Sandbox.ts"
import * as Budgets from "../Budgets.ts"
import * as Config from "../Config.ts"
import * as Control from "../control/index.ts"
import * as Tooling from "../control/Tooling.ts"
import * as DataFolder from "../DataFolder.ts"
import * as HostSandbox from "../HostSandbox.ts"
import * as Layers from "../Layers.ts"
import * as Logs from "../Logs.ts"
import * as ModelSettings from "../ModelSettings.ts"
import * as FormerTables from "../migration/FormerTables.ts"
import * as Present from "../Present.ts"
import * as Identity from "../standalone/Identity.ts"
import * as Telemetry from "../Telemetry.ts"
import * as ChatCommands from "./ChatCommands.ts"
import { attempt, type HostContext, say } from "./Context.ts"
import * as Follow from "./Follow.ts"
import * as Mirror from "./Mirror.ts"
import * as Notify from "./Notify.ts"
import * as Operator from "./Operator.ts"
import * as PanelOffer from "./PanelOffer.ts"
import type * as Quoted from "./Quoted.ts"
import type { Fault, Rotated, World } from "./Tool.ts"

/** Runs an effect for as long as the node runs. */
export type Run = <A, E>(effect: Effect.Effect<A, E>) => Promise<Exit.Exit<A, E>>

/** How the plugin stands, for whoever asks; the running node puts itself here. */
export interface Standing {
  on: { readonly world: World; readonly run: Run } | undefined
  off: string
  /** What models were shown, by this and by earlier nodes of the plugin. */
  readonly quoted: Quoted.Quoted
}

/** New keys that a tool asked for; whoever asked waits for what became of it. */
interface Change {
  readonly reason: Link.Reason
  readonly done: Deferred.Deferred<Rotated, Fault>
}

const ending: Fault = {
  code: "not-running",
  message: "the plugin is ending; whether the keys were changed is not known yet",
  hint: "see p2p_get_identity after its next start"
}

/** How a world gets new keys: the node's life ends with a wish, and `keep` carries it out before the next. */
const rotating = (wish: Deferred.Deferred<Change>) => (reason: Link.Reason) =>
  Effect.gen(function* () {
    const done = yield* Deferred.make<Rotated, Fault>()
    if (!(yield* Deferred.succeed(wish, { reason, done }))) {
      return yield* Effect.fail({ ...ending, message: "the keys are being changed already" })
    }
    return yield* Deferred.await(done)
  })

/** Changes the keys of a node that has just ended. Whatever comes of it, the node starts again. */
const changeKeys = (context: HostContext, folder: string, { done, reason }: Change): Effect.Effect<void> =>
  Identity.change({ what: "rotate", reason }).pipe(
    Effect.provide(Layers.atRest(folder)),
    Effect.matchCauseEffect({
      onSuccess: ({ facts }) => {
        say(context, "info", `p2p: new key ${String(facts["to"])}`)
        return Deferred.succeed(done, { from: String(facts["from"]), to: String(facts["to"]) })
      },
      onFailure: (cause) => {
        const message = Identity.whyNot(Cause.squash(cause))
        say(context, "error", `p2p: the keys stay as they are: ${message}`)
        return Deferred.fail(done, { code: "identity", message, hint: "the owner should look at the data folder" })
      }
    }),
    Effect.ensuring(Deferred.fail(done, ending)),
    Effect.asVoid
  )

const firstPauseMs = 5_000
const longestPauseMs = 300_000
/** A friend line waits so long for a provider that comes up after us. */
const arrivalMs = 30_000
/** The daemon has other things to do while it starts than to wait for our image. */
const sandboxAfterMs = 5_000

const hostLogger = (context: HostContext) =>
  Logger.layer([
    Logger.make<unknown, void>(({ cause, logLevel, message }) => {
      const words = (Array.isArray(message) ? message : [message]).map(String).join(": ")
      const text = cause.reasons.length === 0 ? words : `${words}: ${Cause.pretty(cause)}`
      if (logLevel === "Error" || logLevel === "Fatal") say(context, "error", text)
      else if (logLevel === "Warn") say(context, "warn", text)
      else say(context, "info", text)
    })
  ])

/** The name of the node: configured, else the agent's, else a plain one. */
const nameOf = (context: HostContext, config: Config.Config): Effect.Effect<string> => {
  if (config.name !== undefined) return Effect.succeed(config.name)
  return Effect.promise(async () => ask(() => context.getAgentIdentity?.())).pipe(
    Effect.timeoutOption(500),
    Effect.catchCause(() => Effect.succeed(undefined)),
    Effect.map((identity) => {
      const value =
        identity?._tag === "Some" ? (identity.value as { readonly name?: unknown } | undefined)?.name : undefined
      return typeof value === "string" && Result.isSuccess(Name.parse(value)) ? value : "wopr"
    })
  )
}

const modelOf = (config: Config.Config): ModelSettings.ModelSettings => ({
  ...ModelSettings.fromEnvironment(process.env),
  ...(config.model === undefined ? {} : { model: config.model }),
  ...(config.modelUrl === undefined ? {} : { url: config.modelUrl }),
  ...(config.modelKeyFile === undefined ? {} : { keyFile: config.modelKeyFile }),
  ...(config.instructionsFile === undefined ? {} : { instructionsFile: config.instructionsFile })
})

/** What to build, or why nothing can be: two data folders with an identity. */
const settingsOf = (context: HostContext, config: Config.Config): Layers.Settings => {
  const chosen = DataFolder.choose(DataFolder.machine(), config.dataFolder)
  if (!chosen.ok) throw new Error(chosen.message)
  const { bootstrap, owners = {}, room, sandbox = "agent" } = config
  return {
    dataFolder: chosen.folder,
    rooms: room === undefined ? [] : [{ name: "lobby", file: room }],
    channel: WoprChat.layer({
      host: context,
      // Of all that is said in all channels we look at nothing else.
      wants: (text) => text.includes("FRIEND"),
      isOwner: (provider, account) => ChatCommands.isOwner(owners, provider, account),
      arrivalMs
    }),
    network:
      bootstrap === undefined ? { kind: "public" } : { kind: "bootstrap", nodes: bootstrap.map(Config.addressOf) },
    sandbox,
    sandboxAfterMs,
    model: modelOf(config),
    budgets: Budgets.given([
      ["turn", config.budgetTurn],
      ["day", config.budget],
      ["everybody", config.budgetAll]
    ]),
    warm: config.warm ?? 0,
    keepMinutes: config.keepMinutes ?? 0,
    ...(config.sandboxRuntime === undefined ? Layers.runtimeIn(process.env) : { runtime: config.sandboxRuntime }),
    ...Layers.engineSocket(process.env)
  }
}

const runtime = Effect.gen(function* () {
  const fork = yield* FiberSet.makeRuntime<never>()
  const run: Run = (effect) => new Promise((resolve) => fork(effect).addObserver(resolve))
  return run
})

/** Says where the bot's account has another name than the node: there its lines are refused by everybody. */
const compareName =
  (context: HostContext, name: string) =>
  (provider: Provider): Grafts.Graft => {
    const account = ask(() => provider.getBotUsername?.())
    if (typeof account === "string" && account !== "" && Name.fold(account) !== Name.fold(name)) {
      const [ours, theirs] = [Present.harmless(name), Present.harmless(account)]
      say(
        context,
        "warn",
        `p2p: on ${provider.id} the bot is called ${theirs}, the node ${ours}; others refuse its lines there until "name" is ${theirs}`
      )
    }
    return { isInPlace: () => true, remove: () => {} }
  }

const sandboxName = "sandbox"

/** Our sandbox for other plugins, where the host has none; taken away with the node. */
const offerSandbox = Effect.fnUntraced(function* (context: HostContext, settings: Layers.Settings) {
  if (ask(() => context.getExtension?.(sandboxName)) !== undefined) return
  const scope = yield* Effect.scope
  const built = yield* Layer.buildWithScope(Layers.commands(settings), scope)
  const sandbox = yield* Effect.provideContext(Effect.flatMap(Sandbox, Effect.succeed), built)
  yield* Effect.acquireRelease(
    Effect.sync(() =>
      attempt(context, "sandbox", () => context.registerExtension?.(sandboxName, HostSandbox.make(sandbox)))
    ),
    () => Effect.sync(() => attempt(context, "sandbox", () => context.unregisterExtension?.(sandboxName)))
  )
})

/** One life of the node: up, open for commands, until it ends by itself or with the scope. */
const live = (
  context: HostContext,
  config: Config.Config,
  settings: Layers.Settings,
  standing: Standing,
  tell: (event: Event.Event) => void
) =>
  Effect.gen(function* () {
    const name = yield* nameOf(context, config)
    const loading = yield* Effect.forkScoped(PanelOffer.load(config))
    const started = yield* Layers.start(name, settings, Config.ratesOf(config))
    const channel = settings.rooms[0] === undefined ? undefined : `room:${settings.rooms[0].name}`
    const served = { code: yield* Fiber.join(loading), dataFolder: settings.dataFolder, node: started, channel }
    const panel = yield* PanelOffer.serve(context, config, served)
    const node = panel?.node ?? started
    const follow = Follow.make()
    const wish = yield* Deferred.make<Change>()
    const log = yield* ConversationLog
    const world: World = {
      node,
      follow,
      log,
      mayGrant: config.toolsMayGrant === true,
      mayReply: config.toolsMayReply === true,
      mirrors: config.mirror === true,
      rotate: rotating(wish)
    }
    const run = yield* runtime
    const words = (exit: Exit.Exit<ReadonlyArray<string>>) =>
      Exit.isSuccess(exit) ? exit.value : ["the node is ending"]
    const desk: ChatCommands.Desk = {
      owners: config.owners ?? {},
      answer: async (line, channel) => words(await run(Operator.answer(world, line, channel)))
    }
    const command = (one: Parameters<typeof node.command>[0]) =>
      run(node.command(one)).then((exit) =>
        Exit.isFailure(exit) ? "the node is ending" : exit.value.ok ? "done" : Rejection.sentence(exit.value.rejection)
      )
    const clock = yield* Clock.Clock
    const nowMs = () => clock.currentTimeMillisUnsafe()
    const notify = Notify.make({ host: context, channels: config.notify ?? {}, command, nowMs })
    const trustOf = async (peerId: string) => {
      const view = await run(node.describe)
      return (Exit.isSuccess(view) && view.value.friends.find((one) => one.peerId === peerId)?.trust) || "revoked"
    }
    const mirror = config.mirror === true ? Mirror.make(context, trustOf) : () => {}
    yield* offerSandbox(context, settings)
    yield* Grafts.keep({ host: context, graft: compareName(context, name) })
    yield* Grafts.keep({ host: context, graft: ChatCommands.graft(desk) })
    standing.quoted.keepIn(settings.dataFolder)
    const on = { world, run }
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        standing.on = on
      }),
      () =>
        Effect.sync(() => {
          if (standing.on === on) standing.on = undefined
        })
    )
    say(context, "info", `p2p is up as @${Present.harmless(name)}, in ${settings.dataFolder}`)
    const events = yield* node.events
    const telling = PubSub.take(events).pipe(
      Effect.flatMap((event) =>
        Effect.sync(() => {
          follow.note(event)
          say(context, "info", Logs.ofEvent(event))
          notify(event)
          tell(event)
          mirror(event)
        })
      ),
      Effect.forever
    )
    const tools = Tooling.make(world, standing.quoted)
    const linking = panel === undefined ? {} : { panel: panel.link }
    const attending = Effect.andThen(Control.attend(name, settings, { node, channel, tools, ...linking }), Effect.never)
    const over = Effect.raceFirst(node.ended, Deferred.await(wish))
    return yield* Effect.raceFirst(telling, Effect.raceFirst(attending, over))
  }).pipe(Effect.scoped, Effect.provide(Layers.layers(settings)))

const reasonOf = (cause: Cause.Cause<unknown>): string => {
  const failure = Cause.squash(cause)
  return failure instanceof Error && failure.message !== "" ? failure.message : Cause.pretty(cause)
}

/** Keeps the node running until interrupted; `tell` hears of every event. Never fails. */
export const keep = (
  context: HostContext,
  config: Config.Config,
  standing: Standing,
  tell: (event: Event.Event) => void
): Effect.Effect<never> =>
  Effect.gen(function* () {
    let [pauseMs, said] = [firstPauseMs, ""]
    for (;;) {
      const begunMs = yield* Clock.currentTimeMillis
      const exit = yield* Effect.exit(
        Effect.suspend(() => {
          const settings = settingsOf(context, config)
          return Effect.andThen(
            FormerTables.takeOver(context, settings.dataFolder),
            live(context, config, settings, standing, tell)
          )
        })
      )
      if (Exit.isSuccess(exit)) {
        standing.off = "it starts anew on other keys"
        yield* changeKeys(context, settingsOf(context, config).dataFolder, exit.value)
        continue
      }
      if (Cause.hasInterruptsOnly(exit.cause)) return yield* Effect.interrupt
      const reason = reasonOf(exit.cause)
      standing.off = reason
      if (reason !== said) say(context, "error", `p2p is off: ${reason}`)
      said = reason
      // One that has lived for a while begins anew with short pauses.
      if ((yield* Clock.currentTimeMillis) - begunMs > longestPauseMs) pauseMs = firstPauseMs
      yield* Effect.sleep(pauseMs)
      pauseMs = Math.min(pauseMs * 2, longestPauseMs)
    }
  }).pipe(Effect.provide(Telemetry.layer(process.env)), Effect.provide(hostLogger(context)))
