/**
 * The owner's own commands as lines of the audit log: what was wanted, about whom, and what came of it.
 * It never keeps a text, a name, a link or a key that was typed: the kind of the command, and the peer that the node knows.
 * Without them nobody could tell from the log why the gate let somebody do what it had refused a minute before.
 */
import { Effect } from "effect"
import { type Describe, type Input, Name, type Node, PeerId } from "../../core/index.ts"
import type { Said } from "./AuditLine.ts"

/** What of a command is said besides its kind: words of a closed list each. */
const more = (command: Input.Command): string => {
  if ("capability" in command) return ` ${command.capability}`
  if (command._tag === "Hold") return ` ${command.when}`
  if ("same" in command) return command.same ? " yes" : " no"
  if (command._tag === "CreateInvite") return command.inject === true ? " inject" : " message"
  return ""
}

interface Peer {
  readonly peer: string
  readonly key: string
}

const nobody: Peer = { peer: "", key: "" }

/** Whom a command is about, where exactly one friend, or one who waits for an answer, can be meant. */
const meant = ({ friends, introductions, requests }: Describe.Acquaintances, command: Input.Command): Peer => {
  if (!("name" in command) || !("keyPrefix" in command)) return nobody
  const { keyPrefix, name } = command
  const isMeant = (one: { readonly name: string; readonly called?: string; readonly identityKey: string }) =>
    [one.name, one.called ?? one.name].some((called) => Name.fold(called) === Name.fold(name)) &&
    one.identityKey.startsWith(keyPrefix)
  // Without a name the only one who waits for an answer is meant.
  const friend = (name === "" ? [] : friends.filter(isMeant)).map(({ identityKey, peerId }) => ({
    peer: PeerId.short(peerId),
    key: identityKey
  }))
  const waiting = [...requests, ...introductions]
    .filter((one) => name === "" || isMeant(one))
    .map(({ identityKey }) => ({ peer: "", key: identityKey }))
  // Two friends may introduce one and the same.
  const [first, ...others] = friend.length > 0 ? friend : waiting
  return first === undefined || others.some(({ key }) => key !== first.key) ? nobody : first
}

/** The node, whose owner's commands are told to `note` once they are carried out or refused. */
export const noted = (node: Node.Node, note: (said: Said) => Effect.Effect<void>): Node.Node => ({
  ...node,
  command: (command, intent) =>
    Effect.gen(function* () {
      // Looked up before: afterwards a friendship may be over.
      const whom = "keyPrefix" in command ? meant(yield* node.acquaintances, command) : nobody
      const reply = yield* node.command(command, intent)
      const verdict = reply.ok ? "done" : reply.rejection.code
      yield* note({ asked: `owner ${command._tag}${more(command)}`, ...whom, verdict })
      return reply
    })
})
