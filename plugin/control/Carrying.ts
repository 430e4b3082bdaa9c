/**
 * What a parsed line comes to at a running node: facts for a program and lines for a person, of the same.
 * It never parses, and never changes the identity or ends the node: whoever runs the node does.
 * The prompt and the socket answer through here, so that they cannot disagree; a chat of the host has words of its own.
 */
import { randomBytes } from "node:crypto"
import { Effect, PubSub, Redacted, Result } from "effect"
import { type Describe, type Event, type Node, type Output, Rejection, Topic } from "../../core/index.ts"
import type * as Commands from "../Commands.ts"
import * as Present from "../Present.ts"
import * as Qr from "../Qr.ts"
import * as Asked from "./Asked.ts"

/** What a line came to. `ok` false comes with a code among the facts. */
export interface Told {
  readonly ok: boolean
  readonly facts: Readonly<Record<string, unknown>>
  readonly lines: ReadonlyArray<Present.Line>
}

/** A refusal with a code, in words. */
export const refusal = (code: string, why: string, breaks = false): Told => ({
  ok: false,
  facts: { ok: false, code, why },
  lines: [{ tone: "bad", text: Present.harmless(why, breaks) }]
})

/** The one time that an invite's link is shown: to copy, and to read with a camera. */
const inviteLines = (link: string): ReadonlyArray<Present.Line> => [
  { tone: "plain", text: link },
  ...Qr.draw(link).map((text) => ({ tone: "plain" as const, text })),
  { tone: "quiet", text: "it is shown once: whoever has it may use it; /invites lists yours, /uninvite takes one back" }
]

/** The reply to a command. */
const replied = (reply: Output.Reply): Told => {
  if (!reply.ok) return refusal(reply.rejection.code, Rejection.sentence(reply.rejection))
  if (reply.link === undefined) return { ok: true, facts: { ok: true, id: reply.id }, lines: [] }
  const link = Redacted.value(reply.link)
  return { ok: true, facts: { ok: true, id: reply.id, link }, lines: inviteLines(link) }
}

/** The answer to a question about a node, as the prompt shows it. */
export const answered = (node: Describe.Description, asked: Commands.Question, name: string): Told => {
  const lines = Present.answer(node, asked, name)
  return {
    ok: true,
    facts: { ok: true, lines, ...Asked.factsOf(node, asked, name) },
    lines: lines.map((text) => ({ tone: "plain", text }) as const)
  }
}

/** A secret topic with a key that nobody had before: as the line by which a member joins it. The name was parsed. */
const newSecretTopic = (name: string): Told => {
  const topic = Redacted.value(Result.getOrThrow(Topic.secretOf(name, randomBytes(16))))
  return {
    ok: true,
    facts: { ok: true, topic },
    lines: [
      { tone: "good", text: `/topic join ${topic}` },
      { tone: "quiet", text: "whoever holds this line finds and reads the topic; give it to its members only" }
    ]
  }
}

/** Carries out a command, or answers a question. A mistake is answered with `usage`. */
export const carryOut = (
  node: Node.Node,
  parsed: Extract<Commands.Parsed, { kind: "command" | "question" | "mistake" | "secret-topic" }>
): Effect.Effect<Told> => {
  switch (parsed.kind) {
    case "mistake":
      return Effect.succeed(refusal("usage", parsed.message, true))
    case "secret-topic":
      return Effect.sync(() => newSecretTopic(parsed.name))
    case "question":
      return Effect.map(node.describe, (described) => answered(described, parsed.question, parsed.name))
    case "command":
      return Effect.map(node.command(parsed.command), replied)
  }
}

/** The commands whose outcome is told later, under the id of the reply, and the question that says what waits meanwhile. */
const begins: Readonly<Record<string, string>> = {
  Message: "queue",
  Inject: "queue",
  ClaimInvite: "invites",
  Connect: "requests"
}

/** Where it is seen what this line begins, until something ends it; undefined where nothing does. */
export const seenIn = (parsed: Commands.Parsed): string | undefined =>
  parsed.kind === "command" ? begins[parsed.command._tag] : undefined

/** Whether this is what finally became of what was begun; an inject that has arrived is still to be answered. */
const isOutcome = (told: Event.Event, id: string): boolean =>
  "id" in told &&
  told.id === id &&
  (told._tag === "Refused" ||
    told._tag === "Answered" ||
    told._tag === "ErrandAnswered" ||
    told._tag === "ErrandRefused" ||
    (told._tag === "Delivered" && told.kind !== "Inject"))

/** Waits for the event that ends a message or inject, up to a time. The subscription is older than the message. */
export const outcomeOf = (
  events: PubSub.Subscription<Event.Event>,
  id: string,
  waitMs: number
): Effect.Effect<Event.Event | undefined> => {
  const look = Effect.gen(function* () {
    for (;;) {
      const told = yield* PubSub.take(events)
      if (isOutcome(told, id)) return told
    }
  })
  return Effect.map(Effect.timeoutOption(look, waitMs), (found) => (found._tag === "Some" ? found.value : undefined))
}
