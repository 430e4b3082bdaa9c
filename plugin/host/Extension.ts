/**
 * What other plugins of the host find under the extension `p2p`: friends, messages, invites, topics and events, as promises.
 * It never rejects: each answer is what a tool gives, an object that says whether it was done, and if not, what to do next.
 * A plugin is code that the owner has installed, so it may make friends where a model's tools may not; its injects count as a
 * tool's all the same, because an agent may be behind them, and circles must end.
 */
import { Cause, Effect, Exit, Option } from "effect"
import type { Input } from "../../core/index.ts"
import type * as Announce from "./Announce.ts"
import * as Quoted from "./Quoted.ts"
import { type Fault, perform, type Tool, type World } from "./Tool.ts"
import * as ToolCalls from "./ToolCalls.ts"
import { table } from "./Tools.ts"

type Answer = ToolCalls.Answer
type Given = Readonly<Record<string, unknown>>

/** How a message or question is sent: how long to wait for its outcome, and a key under which it happens once. */
export interface Sending {
  readonly timeoutMs?: number
  readonly idempotencyKey?: string
}

/** The extension but for what belongs to the plugin's life. A friend is meant by name, short id or key. */
export interface Services {
  readonly identity: () => Promise<Answer>
  readonly friends: () => Promise<Answer>
  /** Friends and open requests with keys and fingerprints. */
  readonly peers: () => Promise<Answer>
  readonly accept: (name: string, keyPrefix?: string) => Promise<Answer>
  readonly deny: (name: string, keyPrefix?: string) => Promise<Answer>
  readonly send: (peer: string, message: string, how?: Sending) => Promise<Answer>
  readonly inject: (peer: string, message: string, how?: Sending) => Promise<Answer>
  readonly inbox: (given?: {
    readonly peer?: string
    readonly limit?: number
    readonly after?: string
  }) => Promise<Answer>
  /** What became of an id; without one, the next text of a friend. Half a minute at most. */
  readonly wait: (given: {
    readonly id?: string
    readonly peer?: string
    readonly timeoutMs?: number
  }) => Promise<Answer>
  readonly invites: {
    readonly create: (given?: { readonly forPubkey?: string; readonly expireHours?: number }) => Promise<Answer>
    readonly claim: (token: string, timeoutMs?: number) => Promise<Answer>
    /** With the grants of friends. */
    readonly list: () => Promise<Answer>
    readonly revoke: (id: string) => Promise<Answer>
  }
  readonly topics: {
    readonly join: (topic: string) => Promise<Answer>
    readonly leave: (topic: string) => Promise<Answer>
    readonly list: () => Promise<Answer>
    readonly discover: (topic?: string) => Promise<Answer>
    readonly connect: (peer: string) => Promise<Answer>
  }
  readonly events: Announce.Emitter
}

const toolOf = (name: string): Tool => {
  const found = table.find((tool) => tool.name === name)
  if (found === undefined) throw new Error(`no tool ${name}`)
  return found
}

const dense = (given: Given): Given =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))

const broken: Fault = { code: "internal-error", message: "something is broken, or it is ending", hint: "try again" }

/** What other plugins may have of a node that may run or not. */
export const make = (backing: ToolCalls.Backing, events: Announce.Emitter): Services => {
  const world = (): World | { readonly off: string } => {
    const own = backing.world()
    return "off" in own ? own : { ...own, mayGrant: true, mayReply: true }
  }
  const call = ToolCalls.make({ ...backing, world }, Quoted.make())
  const by = (name: string, given: Given = {}) => call(toolOf(name), dense(given))
  const command = async (one: Input.Command): Promise<Answer> => {
    const own = world()
    if ("off" in own) return by("p2p_get_identity")
    const exit = await backing.run(
      Effect.map(perform(own, one), (id) => ({ id })),
      false
    )
    if (Exit.isSuccess(exit)) return { ok: true, data: exit.value }
    return { ok: false, error: Option.getOrElse(Cause.findErrorOption(exit.cause), () => broken) }
  }
  return {
    identity: () => by("p2p_get_identity"),
    friends: () => by("p2p_friends"),
    peers: () => by("p2p_list_peers"),
    accept: (name, keyPrefix = "") => command({ _tag: "Accept", name, keyPrefix }),
    deny: (name, keyPrefix = "") => command({ _tag: "Deny", name, keyPrefix }),
    send: (peer, message, how = {}) => by("p2p_log_message", { ...how, peer, message }),
    inject: (peer, message, how = {}) => by("p2p_inject_message", { ...how, peer, message }),
    inbox: (given = {}) => by("p2p_inbox", given),
    wait: (given) => by("p2p_wait", given),
    invites: {
      create: (given = {}) => by("p2p_create_invite", given),
      claim: (token, timeoutMs) => by("p2p_claim_invite", { token, timeoutMs }),
      list: () => by("p2p_list_grants", { includeRevoked: true }),
      revoke: (id) => command({ _tag: "RevokeInvite", id })
    },
    topics: {
      join: (topic) => by("p2p_join_topic", { topic }),
      leave: (topic) => by("p2p_leave_topic", { topic }),
      list: () => by("p2p_list_topics"),
      discover: (topic) => by("p2p_discover_peers", { topic }),
      connect: (peerId) => by("p2p_connect_peer", { peerId })
    },
    events
  }
}
