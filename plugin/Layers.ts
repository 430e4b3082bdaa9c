/**
 * Which adapter stands behind which port: the whole composition of a node on one page.
 * It never runs anything; it says what to build, and in which order where the order matters.
 * The record store comes first because its lock decides whether this process may touch the keys at all.
 */
import { Context, Effect, Layer, Scheduler, Stream } from "effect"
import { demoProgram, demoProgramPath, demoProgramText } from "../adapters/docker/demo-program.sh.ts"
import * as Image from "../adapters/docker/Image.ts"
import { sweepAlone } from "../adapters/docker/Lifetime.ts"
import * as DockerSandbox from "../adapters/docker/Sandbox.ts"
import * as FileConversationLog from "../adapters/filesystem/ConversationLog.ts"
import * as FolderId from "../adapters/filesystem/FolderId.ts"
import * as FileKeyVault from "../adapters/filesystem/KeyVault.ts"
import * as FileRecordStore from "../adapters/filesystem/RecordStore.ts"
import * as LocalDht from "../adapters/hyperswarm/LocalDht.ts"
import * as Hyperswarm from "../adapters/hyperswarm/Transport.ts"
import * as Sodium from "../adapters/sodium/Crypto.ts"
import * as Terminal from "../adapters/terminal/ChatChannel.ts"
import type * as RateLimit from "../core/admission/RateLimit.ts"
import * as Node from "../core/node/Node.ts"
import { ChatChannel } from "../ports/ChatChannel.ts"
import { Model } from "../ports/Model.ts"
import { Sandbox } from "../ports/Sandbox.ts"
import * as AgentSandbox from "./AgentSandbox.ts"
import * as Audit from "./audit/Audit.ts"
import type { Budgets } from "./Budgets.ts"
import * as IrcSettings from "./IrcSettings.ts"
import * as ModelSettings from "./ModelSettings.ts"
import * as FormerFiles from "./migration/FormerFiles.ts"
import * as Scheduling from "./Scheduling.ts"
import * as Telemetry from "./Telemetry.ts"

export interface Settings {
  readonly dataFolder: string
  /** Shared files that serve as chat rooms; none: no channel. */
  readonly rooms: ReadonlyArray<{ readonly name: string; readonly file: string }>
  /** An IRC server and its channels. */
  readonly irc?: IrcSettings.IrcSettings
  /** Chat rooms that are no files, such as a host's channels. */
  readonly channel?: Layer.Layer<ChatChannel>
  /** The public Hyperswarm DHT, a DHT of one's own, or the one that nodes of this machine share. */
  readonly network:
    | { readonly kind: "public" }
    | { readonly kind: "bootstrap"; readonly nodes: ReadonlyArray<{ readonly host: string; readonly port: number }> }
    | { readonly kind: "local"; readonly port?: number }
  /**
   * `agent`: injects are answered by an agent in a container, which asks the model. `scripted`: by a small fixed program in a
   * container. `off`: they are refused.
   */
  readonly sandbox: "agent" | "scripted" | "off"
  readonly model?: ModelSettings.ModelSettings
  /** What friends' questions may cost, where it is not what Limits says. */
  readonly budgets?: Budgets
  /** Containers of the agent kept started ahead; none unless told. */
  readonly warm?: number
  /** How long after the start the agent's sandbox is looked for, behind it; absent: the start waits for it. */
  readonly sandboxAfterMs?: number
  /** Minutes that a friend's container stays for its next question; not at all unless told. */
  readonly keepMinutes?: number
  /** The engine's runtime for containers, such as gVisor's `runsc`. Absent: the engine's default. */
  readonly runtime?: string
  /** The Docker engine's socket. Absent: the usual place. */
  readonly engineSocket?: string
  /** Why the engine that the environment names is not used; there is no other then. */
  readonly engineRefused?: string
}

/**
 * What the environment says of the engine: its socket by our own variable, else by `DOCKER_HOST`, as Docker's own programs
 * read it. An engine that is not on this machine is refused, not replaced by one that nobody named: what a friend makes run
 * would go over the network, and over plain TCP anybody on the path could run what they like.
 */
export const engineSocket = (env: NodeJS.ProcessEnv): Pick<Settings, "engineSocket" | "engineRefused"> => {
  const path = env["WOPR_P2P_DOCKER_SOCKET"] ?? ""
  if (path !== "") return { engineSocket: path }
  const host = env["DOCKER_HOST"] ?? ""
  if (host === "") return {}
  const local = /^unix:\/\/(\/.+)$/.exec(host)?.[1]
  if (local !== undefined) return { engineSocket: local }
  const engineRefused =
    "DOCKER_HOST names an engine that is no socket of this machine (unix:///path), and no other is used: " +
    "unset it, or name a socket in WOPR_P2P_DOCKER_SOCKET"
  return { engineRefused }
}

/** The runtime that the environment names, where no option does. */
export const runtimeIn = (env: NodeJS.ProcessEnv): Pick<Settings, "runtime"> => {
  const runtime = env["WOPR_P2P_SANDBOX_RUNTIME"] ?? ""
  return runtime === "" ? {} : { runtime }
}

/** The human-readable snapshots beside the journal, and what is in each. */
export const views = [
  { file: "friends.json", collections: ["friends", "asked", "askedBy", "rules"] },
  { file: "peers.json", collections: ["lanes", "streams"] },
  { file: "access.json", collections: ["grants", "bans"] }
]

const image = "wopr-p2p-scripted:local"

/** No sandbox, for a reason that the log tells once and status as long as it lasts. */
const refused = (reason: string): Layer.Layer<Sandbox> =>
  Layer.unwrap(Effect.as(Effect.logInfo(`inject is off: ${reason}`), Sandbox.refuse(reason)))

/**
 * The sandbox of these settings. To be built by whoever holds the folder's lock: leftovers of a process that died are removed
 * at the start, with or without a sandbox, as far as an engine answers.
 */
export const sandbox = (settings: Settings): Layer.Layer<Sandbox> => {
  const { engineRefused } = settings
  if (settings.sandbox === "off") return Layer.merge(Sandbox.refuseAll, tidied(settings))
  if (engineRefused !== undefined) return refused(engineRefused)
  if (settings.sandbox === "agent" && settings.model?.model === undefined)
    return Layer.merge(Sandbox.refuse("no language model is configured"), tidied(settings))
  const owned = (ownerId: string) =>
    settings.sandbox === "agent" ? agent(settings, ownerId) : scripted(settings, ownerId)
  return Layer.unwrap(
    FolderId.obtain(settings.dataFolder).pipe(
      Effect.map(owned),
      Effect.catch(({ message }) => Effect.succeed(refused(message)))
    )
  )
}

/** What an earlier run left is removed behind the start, if this folder ever had a sandbox; an engine that is away stays so. */
const tidied = ({ dataFolder, engineRefused, engineSocket: path }: Settings): Layer.Layer<never> =>
  Layer.effectDiscard(
    engineRefused === undefined
      ? FolderId.existing(dataFolder).pipe(
          Effect.flatMap((ownerId) => (ownerId === undefined ? Effect.void : sweepAlone(ownerId, path))),
          Effect.ignore,
          Effect.forkScoped
        )
      : Effect.void
  )

/** What a runtime of an engine may be called. */
export const runtimeName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/

const runtimeOf = ({ runtime }: Settings) => (runtime === undefined ? {} : { runtime })

/** The engine of these settings, as its adapter takes it. */
export const engineOf = ({ engineSocket }: Pick<Settings, "engineSocket">): Image.Engine =>
  engineSocket === undefined ? {} : { socketPath: engineSocket }

/** The agent's sandbox. */
const agent = (settings: Settings, ownerId: string): Layer.Layer<Sandbox> =>
  AgentSandbox.layer({
    dataFolder: settings.dataFolder,
    ownerId,
    warm: settings.warm ?? 0,
    keepMinutes: settings.keepMinutes ?? 0,
    ...(settings.sandboxAfterMs === undefined ? {} : { afterMs: settings.sandboxAfterMs }),
    ...runtimeOf(settings),
    ...engineOf(settings)
  })

/** A sandbox for what other plugins of a host want run: a shell in the agent's image, with a mark of its own. */
export const commands = (settings: Settings): Layer.Layer<Sandbox> => {
  if (settings.sandbox === "off") return Sandbox.refuseAll
  if (settings.engineRefused !== undefined) return Sandbox.refuse(settings.engineRefused)
  return Layer.unwrap(
    FolderId.obtain(settings.dataFolder).pipe(
      Effect.map((id) =>
        AgentSandbox.layer({
          dataFolder: settings.dataFolder,
          ownerId: `${id}-commands`,
          program: ["/bin/sh"],
          afterMs: settings.sandboxAfterMs ?? 1,
          ...runtimeOf(settings),
          ...engineOf(settings)
        })
      ),
      Effect.catch(({ message }) => Effect.succeed(Sandbox.refuse(message)))
    )
  )
}

/** The scripted sandbox: its image is made on this machine, from this machine's own commands. Refuses where it cannot. */
const scripted = (settings: Settings, ownerId: string): Layer.Layer<Sandbox> => {
  const engine = engineOf(settings)
  const files = [{ path: demoProgramPath, text: demoProgramText, executable: true }]
  return Layer.unwrap(
    Image.assemble({ tag: image, files, ...engine }).pipe(
      Effect.timeout("30 seconds"),
      Effect.catch((error) => Effect.logInfo(`inject is off: ${error.message}`)),
      Effect.as(DockerSandbox.layer({ image, program: demoProgram, ownerId, ...runtimeOf(settings), ...engine }))
    )
  )
}

const isLoopback = (host: string): boolean => host === "localhost" || host.startsWith("127.")

const network = (settings: Settings) =>
  Layer.unwrap(
    Effect.map(Node.loadKeys, ({ swarmSeed }) => {
      const { network: chosen } = settings
      if (chosen.kind === "public") return Hyperswarm.layer({ swarmSeed })
      if (chosen.kind === "local") {
        return LocalDht.layerLocal(chosen.port === undefined ? { swarmSeed } : { swarmSeed, port: chosen.port })
      }
      const timing = chosen.nodes.every(({ host }) => isLoopback(host)) ? LocalDht.localTiming : {}
      return Hyperswarm.layer({ swarmSeed, bootstrap: chosen.nodes, ...timing })
    })
  )

/** The keys of a folder, behind its lock: what a change of the identity needs while no node runs there. */
export const atRest = (folder: string) => Layer.unwrap(Effect.as(FormerFiles.guard(folder), unguarded(folder)))

/** The same in a folder of the former plugin's, for whoever takes its files over and has kept them. */
export const unguarded = (folder: string) =>
  Layer.mergeAll(Sodium.layer, FileKeyVault.layer({ folder })).pipe(
    Layer.provideMerge(FileRecordStore.layer({ folder, views }))
  )

/** Where lines can be said and heard, and whose a room is. What belongs to nobody else is the host's. */
const places = ({ channel, irc, rooms }: Settings) => {
  const files = rooms.map(({ name }) => `room:${name}`)
  const inIrc = irc === undefined ? [] : IrcSettings.rooms(irc)
  return [
    ...(files.length === 0 ? [] : [{ layer: Terminal.layer({ rooms }), has: (room: string) => files.includes(room) }]),
    ...(irc === undefined ? [] : [{ layer: IrcSettings.layer(irc), has: (room: string) => inIrc.includes(room) }]),
    ...(channel === undefined ? [] : [{ layer: channel, has: () => true }])
  ]
}

/** The channel that is meant where none is named: the first room's; undefined if there is none. */
export const firstChannel = ({ irc, rooms }: Pick<Settings, "irc" | "rooms">): string | undefined =>
  rooms[0] === undefined ? irc && IrcSettings.rooms(irc)[0] : `room:${rooms[0].name}`

/** Rooms in files, channels of an IRC server, a host's channels, or several of them: a line goes to whoever has its room. */
const channels = (settings: Settings) => {
  const [first, ...others] = places(settings)
  if (first === undefined) return ChatChannel.silent
  if (others.length === 0) return first.layer
  return Layer.effect(
    ChatChannel,
    Effect.gen(function* () {
      const all = yield* Effect.forEach([first, ...others], ({ has, layer }) =>
        Effect.map(serviceOf<Layer.Error<typeof layer>>(layer), (service) => ({ has, service }))
      )
      const last = all.at(-1)!
      return {
        lines: Stream.mergeAll(
          all.map(({ service }) => service.lines),
          { concurrency: "unbounded" }
        ),
        channels: Effect.map(Effect.all(all.map(({ service }) => service.channels)), (some) => some.flat()),
        post: (room: string, line: string) => (all.find(({ has }) => has(room)) ?? last).service.post(room, line)
      }
    })
  )
}

const serviceOf = <E>(layer: Layer.Layer<ChatChannel, E>) =>
  Effect.map(Layer.build(layer), (context) => Context.get(context, ChatChannel))

/** Every port of a node, and its keys. Fails with the adapter's own error, whose message is for a person. */
export const layers = (settings: Settings) => {
  const folder = settings.dataFolder
  return Layer.mergeAll(
    network(settings),
    FileConversationLog.layer({ folder }),
    channels(settings),
    sandbox(settings),
    settings.sandbox === "agent" ? ModelSettings.layer(settings.model ?? {}) : Model.none
  ).pipe(Layer.provideMerge(atRest(folder)))
}

/** A node on these settings, in the current scope. */
export const start = Effect.fnUntraced(function* (
  name: string,
  settings: Settings,
  rates: Partial<RateLimit.Rates> = {}
) {
  const keys = yield* Node.loadKeys
  const { budgets = {} } = settings
  const agent =
    settings.sandbox === "agent"
      ? { agent: { instructions: yield* ModelSettings.instructions(settings.model ?? {}), allowances: budgets } }
      : {}
  const account = yield* Audit.open(settings.dataFolder, keys)
  const made = yield* Effect.provideService(
    Node.make({ name, keys, rates, ...agent }),
    Scheduler.Scheduler,
    Scheduling.make()
  )
  const node = yield* account.attend(made)
  if (!Telemetry.isWanted(process.env)) return node
  yield* Telemetry.count(node)
  return Telemetry.traced(node)
})
