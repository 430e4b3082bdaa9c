/**
 * A node whose commands are watched while a panel is served: what we sent is kept beside what friends wrote.
 * It never changes what a command comes to, and a text that cannot be kept costs nothing but its place in the panel.
 * The conversation log is what an agent remembers from, and our own messages are none of its words: so they have a log of theirs.
 */
import { Clock, Effect } from "effect"
import * as Roster from "../../core/friend/Roster.ts"
import type { Input, Node } from "../../core/index.ts"
import type { ConversationLogShape } from "../../ports/ConversationLog.ts"

/** The conversation that keeps what we sent to a friend. */
export const sentTo = (peerId: string): string => `${peerId}-sent`

type Sending = Extract<Input.Command, { _tag: "Message" | "Inject" }>

const isSending = (command: Input.Command): command is Sending =>
  command._tag === "Message" || command._tag === "Inject"

/** The same node; `after` is told of each command that was carried out. */
export const watched = (node: Node.Node, log: ConversationLogShape, after: () => void): Node.Node => {
  const keep = Effect.fnUntraced(function* (id: string, command: Sending) {
    const view = yield* node.describe
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
        const kept = isSending(command)
          ? Effect.catch(keep(reply.id, command), ({ message }) =>
              Effect.logWarning(`a message was sent and is not in the panel's conversation: ${message}`)
            )
          : Effect.void
        return Effect.andThen(kept, Effect.sync(after))
      })
  }
}
