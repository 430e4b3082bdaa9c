/**
 * What a tool of a language model is, and what every one of them needs: who is meant, commands, refusals with a next step.
 * It knows nothing of the host that shows the tools: a server over any protocol gives the same table (`Tools.ts`) its world.
 * A tool cannot know who called it, so every inject is made as a tool's, and what lets somebody in is the owner's to allow.
 */
import { Effect, Result } from "effect"
import { type Describe, type Input, Limits, type Link, type Node, type Output, Rejection } from "../../core/index.ts"
import type { ConversationLogShape } from "../../ports/ConversationLog.ts"
import * as Arguments from "./Arguments.ts"
import type * as Follow from "./Follow.ts"
import * as Inbox from "./Inbox.ts"
import * as Peers from "./Peers.ts"

/** What the owner has set of tools. */
export interface May {
  /** Whether tools may still send after they have shown what others wrote. */
  readonly mayReply: boolean
  /** Whether tools may also widen what a friend may do, make friends, and change whatever they are asked to. */
  readonly mayGrant: boolean
}

/** What tools work with while the node runs. */
export interface World extends May {
  readonly node: Node.Node
  readonly log: ConversationLogShape
  readonly follow: Follow.Follow
  /** Whether friends' texts are written into the host's own conversations too, and so into prompts. */
  readonly mirrors?: boolean
  /** New keys: ends the node and starts it on them. Absent where whoever embeds the node cannot. */
  readonly rotate?: (reason: Link.Reason) => Effect.Effect<Rotated, Fault>
}

/** Which identity key followed which. */
export interface Rotated {
  readonly from: string
  readonly to: string
}

/** Why a tool did not do it, for a model: what to do next is in `hint`. */
export interface Fault {
  readonly code: string
  readonly message: string
  readonly hint: string
  readonly retryAfterMs?: number
  /** The message or question that was refused. */
  readonly id?: string
  readonly candidates?: ReadonlyArray<Peers.Candidate>
}

export type Permission = "p2p.read" | "p2p.send" | "p2p.admin"

export interface Tool {
  readonly name: string
  /** For a model: what it does and when to use it rather than another. */
  readonly description: string
  readonly permission: Permission
  /** Whether it changes something; such a tool takes an idempotency key. */
  readonly changes: boolean
  /** Whether the node ends while it works, so that it must not end with it. */
  readonly outlives?: true
  readonly takes: Arguments.Arguments
  readonly run: (given: never, world: World) => Effect.Effect<unknown, Fault>
}

/** Whether a tool sends something to a friend. */
export const sends = ({ permission }: Tool): boolean => permission === "p2p.send"

/** No tool blocks longer; what takes longer goes on, and is followed by its id. */
export const waitMaxMs = 25_000

/** A row of the table, whose work is given exactly the arguments it names. */
export const tool = <A extends Arguments.Arguments>(
  row: Omit<Tool, "takes" | "run"> & {
    readonly takes: A
    readonly run: (given: Arguments.Given<A>, world: World) => Effect.Effect<unknown, Fault>
  }
): Tool => row as unknown as Tool

/** A refusal of the node as a tool tells it. */
export const faultOf = (rejection: Rejection.Rejection): Fault => ({
  code: rejection.code,
  message: Rejection.sentence(rejection),
  hint:
    Rejection.isTransient(rejection.code) || rejection.retryAfterMs > 0
      ? "try again later"
      : "see p2p_friends and p2p_status",
  ...(rejection.retryAfterMs > 0 ? { retryAfterMs: rejection.retryAfterMs } : {})
})

const missed = ({ candidates, code }: Peers.Missed, asked: string): Fault => ({
  code,
  message:
    code === "unknown-peer"
      ? `no friend is called ${JSON.stringify(asked.slice(0, 80))}`
      : `several friends are meant by ${JSON.stringify(asked.slice(0, 80))}`,
  hint:
    code === "unknown-peer"
      ? "name one of the candidates; see p2p_friends"
      : "give one candidate's identityKey instead",
  candidates
})

/** The one friend meant by a name, short id or key; else a fault with whom to choose from. */
export const friend = (world: World, asked: string): Effect.Effect<Describe.FriendView, Fault> =>
  Effect.flatMap(world.node.describe, ({ friends }) => {
    const found = Peers.find(friends, asked)
    return Result.isSuccess(found) ? Effect.succeed(found.success) : Effect.fail(missed(found.failure, asked))
  })

type Done = Extract<Output.Reply, { ok: true }>

/** Has the node carry a command out; gives its reply. */
export const ordered = (world: World, command: Input.Command): Effect.Effect<Done, Fault> =>
  Effect.flatMap(world.node.command(command), (reply) =>
    reply.ok ? Effect.succeed(reply) : Effect.fail(faultOf(reply.rejection))
  )

/** The same; gives the id under which the outcome is told. */
export const perform = (world: World, command: Input.Command): Effect.Effect<string, Fault> =>
  Effect.map(ordered(world, command), ({ id }) => id)

/** A friend as a command names it: no other can be meant. */
export const meant = ({ identityKey, name }: Describe.FriendView) => ({ name, keyPrefix: identityKey })

/** Only the friend's own conversation exists; whatever else is named is refused and not replaced. */
export const ownOnly = (friendMeant: Describe.FriendView, named: ReadonlyArray<string>): Effect.Effect<void, Fault> =>
  named.every((one) => one === friendMeant.conversation)
    ? Effect.void
    : Effect.fail({
        code: "not-a-peer-conversation",
        message: "a friend has one conversation of its own here, and no other can be named",
        hint: ["leave it out", ...Peers.conversationsOf(friendMeant)].join(", or name ")
      })

/** Who is meant. */
export const peer = Arguments.text("the friend: name, short id or key, see p2p_friends", 200)
/** How long to wait for an outcome. */
export const blockMs = (says: string) => Arguments.optional(Arguments.whole(says, 0, Limits.injectWaitMs))

/** What is told of a message of ours: its id and how it stands. What was refused is a fault, however it was asked for. */
export const told = (id: string, outcome: Follow.Outcome | undefined): Effect.Effect<unknown, Fault> => {
  if (outcome === undefined) return Effect.succeed({ id, state: "waiting", next: "follow it with p2p_wait" })
  if (outcome.state === "refused") {
    // What stands beside the code may be the peer's words.
    const { code, retryAfterMs } = outcome.rejection
    return Effect.fail({ ...faultOf(Rejection.make(code, "", retryAfterMs)), id })
  }
  const answer = outcome.state === "answered" ? Inbox.quoted(outcome.answer) : {}
  return Effect.succeed({ id, state: outcome.state, ...answer })
}

/** What lets somebody in, or do more, is not decided by a model unless the owner has said that it may be. */
export const allowed = ({ mayGrant }: World, what: string, typed: string): Effect.Effect<void, Fault> =>
  mayGrant
    ? Effect.void
    : Effect.fail({
        code: "owner-decides",
        message: `${what} by the owner, not by a tool`,
        hint: `the owner types ${typed}, or sets toolsMayGrant in the configuration (wopr-p2p mcp: --tools-may-grant)`
      })
