/**
 * Several nodes in one process on memory adapters and the real clock: the shipped core, whole, for stories.
 * It never looks into a node; it commands, waits for events, reads logs and disks, and tampers with rooms.
 * What survives a crash (disk, keys, conversations) is held here, so that a node can be dropped and started again.
 */
import { Effect, Exit, Layer, PubSub, Scope } from "effect"
import * as MemoryChat from "../../adapters/memory/ChatChannel.ts"
import * as MemoryLog from "../../adapters/memory/ConversationLog.ts"
import * as MemoryVault from "../../adapters/memory/KeyVault.ts"
import * as MemoryStore from "../../adapters/memory/RecordStore.ts"
import * as MemorySandbox from "../../adapters/memory/Sandbox.ts"
import * as MemoryTransport from "../../adapters/memory/Transport.ts"
import * as Sodium from "../../adapters/sodium/Crypto.ts"
import type * as RateLimit from "../../core/admission/RateLimit.ts"
import {
  type Describe,
  type Event,
  Identity,
  type Input,
  Keys,
  type Link,
  Node,
  type Output,
  type Rotation
} from "../../core/index.ts"
import * as Limits from "../../core/Limits.ts"
import { Crypto } from "../../ports/Crypto.ts"
import type { KeyVault } from "../../ports/KeyVault.ts"
import { Model } from "../../ports/Model.ts"
import { type Sandbox, SandboxError } from "../../ports/Sandbox.ts"
import type { Transport, TransportError } from "../../ports/Transport.ts"

/** What of a node survives its process. */
export interface Remains {
  readonly disk: MemoryStore.Disk
  readonly safe: MemoryVault.Safe
  readonly archive: MemoryLog.Archive
  readonly ledger: MemorySandbox.Ledger
}

export interface ActorOptions {
  /** The account under which it sits in the room; null where the room cannot tell. Default: its name. */
  readonly account?: string | null
  readonly remains?: Remains
  readonly script?: MemorySandbox.Script
  /** Why there is no sandbox. */
  readonly noSandbox?: string
  readonly rates?: Partial<RateLimit.Rates>
  readonly transport?: Layer.Layer<Transport>
  /** A transport on the node's own keys, for a network that is not in this process. */
  readonly transportOf?: (keys: Keys.LocalKeys) => Layer.Layer<Transport, TransportError>
  /** A model, and the agent that asks it. Without them the sandbox's program answers. */
  readonly model?: Layer.Layer<Model>
  readonly agent?: Node.AgentOptions
  /** A sandbox other than the scripted one. */
  readonly sandbox?: Layer.Layer<Sandbox>
}

export interface Actor {
  readonly name: string
  readonly node: Node.Node
  readonly events: ReadonlyArray<Event.Event>
  readonly remains: Remains
  command(command: Input.Command): Promise<Output.Reply>
  /** The first event of a kind that matches, of those already told or within `limitMs`. */
  wait<Tag extends Event.Event["_tag"]>(
    tag: Tag,
    matches?: (event: Extract<Event.Event, { _tag: Tag }>) => boolean,
    limitMs?: number
  ): Promise<Extract<Event.Event, { _tag: Tag }>>
  describe(): Promise<Describe.Description>
  /** Texts shown in the conversation with a friend, in order. */
  shown(friend: string): Promise<ReadonlyArray<string>>
  /** Ends the node in order. */
  stop(): Promise<void>
  /** Drops the node as a crash would: what was not committed is gone. */
  crash(): Promise<void>
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Waits until a condition holds; fails with `what` after `limitMs`. */
export const until = async (what: string, holds: () => boolean | Promise<boolean>, limitMs = 8_000): Promise<void> => {
  // By the clock: what is asked may itself take longer than the pause.
  for (const untilMs = performance.now() + limitMs; performance.now() <= untilMs; await pause(10)) {
    if (await holds()) return
  }
  throw new Error(`not within ${limitMs} ms: ${what}`)
}

const echo: MemorySandbox.Script = (job) => {
  const asked = new TextDecoder().decode(job.input)
  return asked === "fail"
    ? new SandboxError({ code: "exit-code", message: "asked to fail" })
    : new TextEncoder().encode(`you asked: ${asked}`)
}

const newRemains = (): Remains => ({
  disk: new MemoryStore.Disk(),
  safe: new MemoryVault.Safe(),
  archive: new MemoryLog.Archive(),
  ledger: MemorySandbox.ledger()
})

/** Does something with the identity of a node that is stopped; fails with what the program says. */
const atRest = <A, E>(remains: Remains, work: Effect.Effect<A, E, Crypto | KeyVault>): Promise<A> =>
  Effect.runPromise(work.pipe(Effect.provide(Layer.mergeAll(Sodium.layer, MemoryVault.layer(remains.safe)))))

/** Rotates the keys of a node that is stopped, as its next start will find them. */
export const rotate = (
  remains: Remains,
  reason: Link.Reason = "scheduled",
  recoveryKey?: Rotation.Rotated["recoverySecret"]
): Promise<Rotation.Rotated> => atRest(remains, Identity.rotate(reason, recoveryKey))

/** Makes a recovery key for a node that is stopped, and gives the secret its operator would write down. */
export const addRecoveryKey = (remains: Remains) => atRest(remains, Identity.addRecoveryKey)

/** Everything a node leaves, copied: what a thief has, and what a backup is. */
export const copyOf = (remains: Remains): Remains => {
  const safe = new MemoryVault.Safe()
  safe.document = remains.safe.document
  return { ...newRemains(), disk: remains.disk.copy(), safe }
}

/** A world with one room and one network. */
export const makeWorld = (
  roomSettings: MemoryChat.RoomSettings = {},
  networkOptions: MemoryTransport.NetworkOptions = {}
) => {
  const room = new MemoryChat.Room("lobby", roomSettings)
  const network = MemoryTransport.makeNetwork(networkOptions)
  const actors: Array<Actor> = []

  const start = async (name: string, options: ActorOptions = {}): Promise<Actor> => {
    const remains = options.remains ?? newRemains()
    const scope = Effect.runSync(Scope.make())
    const account = options.account === undefined ? name : options.account
    const base = Layer.mergeAll(
      Sodium.layer,
      MemoryVault.layer(remains.safe),
      MemoryStore.layer(remains.disk),
      MemoryLog.layer(remains.archive),
      MemoryChat.layer([{ room, account }]),
      options.model ?? Model.none,
      options.sandbox ??
        MemorySandbox.layer(options.script ?? echo, {
          ledger: remains.ledger,
          ...(options.noSandbox === undefined ? {} : { absent: options.noSandbox })
        })
    )
    const transport =
      options.transport ??
      Layer.unwrap(
        Effect.gen(function* () {
          const keys = yield* Node.loadKeys
          return options.transportOf?.(keys) ?? MemoryTransport.layer(network, Keys.swarmKey(yield* Crypto, keys))
        })
      )
    const program = Effect.gen(function* () {
      const context = yield* Layer.build(transport.pipe(Layer.provideMerge(base)))
      return yield* Effect.gen(function* () {
        const node = yield* Node.make({
          name,
          keys: yield* Node.loadKeys,
          rates: options.rates ?? {},
          ...(options.agent === undefined ? {} : { agent: options.agent })
        })
        const subscription = yield* node.events
        const events: Array<Event.Event> = []
        yield* Effect.forkScoped(
          PubSub.take(subscription).pipe(
            Effect.flatMap((event) => Effect.sync(() => events.push(event))),
            Effect.forever
          )
        )
        return { node, events }
      }).pipe(Effect.provideContext(context))
    })
    const { events, node } = await Effect.runPromise(Scope.provide(program, scope))
    const end = () => Effect.runPromise(Scope.close(scope, Exit.void))
    const actor: Actor = {
      name,
      node,
      events,
      remains,
      command: (command) => Effect.runPromise(node.command(command)),
      wait: async (tag, matches = () => true, limitMs = 8_000) => {
        type Wanted = Extract<Event.Event, { _tag: typeof tag }>
        const find = () => events.find((event): event is Wanted => event._tag === tag && matches(event as Wanted))
        await until(
          `${name} tells ${tag}; it told ${events.map((event) => event._tag).join(" ")}`,
          () => find() !== undefined,
          limitMs
        )
        return find() as Wanted
      },
      describe: () => Effect.runPromise(node.describe),
      shown: async (friend) => {
        const found = (await Effect.runPromise(node.describe)).friends.find((one) => one.name === friend)
        if (found === undefined) return []
        // What is accepted is appended at the latest after the pause between two appends.
        await new Promise((resolve) => setTimeout(resolve, 2 * Limits.showPauseMs))
        return remains.archive.entries(found.peerId).map((entry) => entry.text)
      },
      stop: end,
      crash: async () => {
        remains.disk.crash()
        await end()
      }
    }
    actors.push(actor)
    return actor
  }

  const end = () => Promise.all(actors.map((actor) => actor.stop()))
  /** Every link of the network breaks, now; the nodes are not told why. */
  const cut = () => {
    for (const station of network.stations.values()) for (const sever of [...station.open.values()]) sever()
  }
  return { room, network, start, end, cut }
}
export type World = ReturnType<typeof makeWorld>

/** Commands by the names a reader knows them by. */
export const says = {
  friend: (to: string): Input.Command => ({ _tag: "Friend", channel: "room:lobby", to }),
  confirm: (name: string, keyPrefix = ""): Input.Command => ({ _tag: "Confirm", name, keyPrefix }),
  accept: (name: string, keyPrefix = ""): Input.Command => ({ _tag: "Accept", name, keyPrefix }),
  unfriend: (name: string): Input.Command => ({ _tag: "Unfriend", name, keyPrefix: "" }),
  grant: (name: string, capability: "message" | "inject"): Input.Command => ({
    _tag: "Grant",
    name,
    keyPrefix: "",
    capability
  }),
  revoke: (name: string, capability: "message" | "inject"): Input.Command => ({
    _tag: "Revoke",
    name,
    keyPrefix: "",
    capability
  }),
  message: (name: string, text: string): Input.Command => ({ _tag: "Message", name, keyPrefix: "", text }),
  inject: (name: string, text: string, waitMs = 10_000): Input.Command => ({
    _tag: "Inject",
    name,
    keyPrefix: "",
    text,
    waitMs
  })
}

/** Makes two actors friends through the room. */
export const befriend = async (one: Actor, other: Actor): Promise<void> => {
  await one.command(says.friend(other.name))
  await other.wait("RequestReceived", (event) => event.name === one.name)
  await other.command(says.accept(one.name))
  await one.wait("FriendshipMade", (event) => event.name === other.name)
}

/** Sends a text and waits until it has been delivered. */
export const deliver = async (from: Actor, to: Actor, text: string): Promise<void> => {
  const reply = await from.command(says.message(to.name, text))
  if (!reply.ok) throw new Error(`${from.name} could not send: ${reply.rejection.code}`)
  await from.wait("Delivered", (event) => event.id === reply.id)
}
