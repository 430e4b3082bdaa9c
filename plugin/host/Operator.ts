/**
 * A line that an owner typed somewhere in the host, carried out: the command table in front, words behind.
 * It never knows who typed; whoever calls has made sure that it was an owner.
 * What changes the keys is refused: it shows secrets, and a chat is read by others and kept by its provider.
 */
import { Effect, Redacted } from "effect"
import { Rejection } from "../../core/index.ts"
import * as Commands from "../Commands.ts"
import * as Present from "../Present.ts"
import * as Did from "./Did.ts"
import * as Follow from "./Follow.ts"
import type { World } from "./Tool.ts"

/** How long a typed message or question is followed before it is left to itself. */
const followMs = 20_000

const harmless = (lines: ReadonlyArray<string>): ReadonlyArray<string> =>
  lines.map((line) => Present.harmless(line, true))

const carriedOut = (
  { follow, node }: Pick<World, "follow" | "node">,
  parsed: Extract<Commands.Parsed, { kind: "command" }>
): Effect.Effect<ReadonlyArray<string>> =>
  Effect.gen(function* () {
    const { command } = parsed
    // Whoever holds such a link may use it; that of a named invite is worth nothing to others.
    if (command._tag === "CreateInvite" && command.named === undefined)
      return ["its link is a secret, and others read along here: use wopr-p2p invite in a terminal, or /invite for KEY"]
    if (command._tag === "ClaimInvite" || (command._tag === "JoinTopic" && command.topic.secret !== null))
      return ["that is a secret, and others read along here: type it in a terminal, with wopr-p2p claim or topic join"]
    const reply = yield* node.command(command)
    if (!reply.ok) return [Rejection.sentence(reply.rejection)]
    if (reply.link !== undefined) return [Redacted.value(reply.link)]
    if (command._tag !== "Message" && command._tag !== "Inject") return [Did.inWords(command)]
    const end = yield* follow.end(reply.id, followMs)
    if (end === undefined) return [`on its way (${reply.id.slice(0, 8)}); /p2p queue shows what waits`]
    return end.state === "answered"
      ? [
          `@${command.name} answers:`,
          ...end.answer
            .trimEnd()
            .split("\n")
            .map((line) => `| ${line}`)
        ]
      : [Follow.inWords(end)]
  })

/** What becomes of a typed line, in lines of text that steer no terminal. Never fails. */
export const answer = (
  world: Pick<World, "follow" | "node">,
  line: string,
  channel: string
): Effect.Effect<ReadonlyArray<string>> =>
  Effect.gen(function* () {
    const parsed = Commands.parse(line, { channel })
    switch (parsed.kind) {
      case "mistake":
        return [parsed.message]
      case "question":
        return Present.answer(yield* world.node.describe, parsed.question, parsed.name)
      case "command":
        return yield* carriedOut(world, parsed)
      case "secret-topic":
        return ["a secret is not made where others read along: use wopr-p2p topic new-secret in a terminal"]
      case "identity":
        return ["this changes the keys and shows secrets: stop the daemon and use wopr-p2p identity in a terminal"]
      default:
        return ["not from a chat: the daemon's own commands end the plugin"]
    }
  }).pipe(Effect.map(harmless))
