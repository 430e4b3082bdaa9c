/**
 * A node whose commands are watched while a panel is served: what we sent is kept beside what friends wrote.
 * It never changes what a command comes to, and a text that cannot be kept costs nothing but its place in the panel.
 * The conversation log is what an agent remembers from, and our own messages are none of its words: so they have a log of theirs.
 */
import { Clock, Effect } from "effect"
import * as Roster from "../../core/friend/Roster.ts"
import type { Event, Input, Node } from "../../core/index.ts"
import type { ConversationLogShape, LogError } from "../../ports/ConversationLog.ts"

/** The conversation that keeps what we sent to a friend, and what its agent answered. */
export const sentTo = (peerId: string): string => `${peerId}-sent`

type Sending = Extract<Input.Command, { _tag: "Message" | "Inject" }>

const isSending = (command: Input.Command): command is Sending =>
  command._tag === "Message" || command._tag === "Inject"

const unkept = (what: string, keeping: Effect.Effect<void, LogError>): Effect.Effect<void> =>
  Effect.catch(keeping, ({ message }) =>
    Effect.logWarning(`${what} and is not in the panel's conversation: ${message}`)
  )

/** Keeps what a friend's agent answered us: it stands in no other log. Once, however often it is told. */
export const keepAnswer = (node: Node.Node, log: ConversationLogShape, told: Event.Event): Effect.Effect<void> => {
  if (told._tag !== "Answered") return Effect.void
  const { id, name: from, peerId, text } = told
  const keeping = Effect.gen(function* () {
    const friend = (yield* node.describe).friends.find((one) => one.peerId === peerId)
    if (friend === undefined) return
    const atMs = yield* Clock.currentTimeMillis
    const conversation = sentTo(peerId)
    yield* log.append([{ id: `${id}-answer`, conversation, label: friend.conversation, atMs, from, text }])
  })
  return unkept("an answer came", keeping)
}

/** The same node; `after` is told of each command that was carried out. */
export const watched = (node: Node.Node, log: ConversationLogShape, after: () => void): Node.Node => {
  const keep = Effect.fnUntraced(function* (id: string, command: Sending) {
    const view = yield* node.acquaintances
    const friend = view.friends.find((one) => Roster.isMeant(one, command.name, command.keyPrefix))
    if (friend === undefined) return
    const conversation = sentTo(friend.peerId)
    const label = friend.conversation
    const atMs = yield* Clock.currentTimeMillis
    yield* log.append([{ id, conversation, label, atMs, from: view.name, ours: true, text: command.text }])
  })
  return {
    ...node,
    command: (command, intent) =>
      Effect.tap(node.command(command, intent), (reply) => {
        if (!reply.ok) return Effect.void
        const kept = isSending(command) ? unkept("a message was sent", keep(reply.id, command)) : Effect.void
        return Effect.andThen(kept, Effect.sync(after))
      })
  }
}
