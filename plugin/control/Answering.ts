/**
 * What a running node answers to a request of the control socket.
 * It never changes the identity: that shows a secret and restarts the node, and belongs to its prompt or to the keys at rest.
 * A request that waits for an outcome listens before it begins anything, so that nothing can be over before it listens.
 */
import { Effect, type PubSub, Redacted } from "effect"
import type { Describe, Event, Node } from "../../core/index.ts"
import * as Commands from "../Commands.ts"
import * as Present from "../Present.ts"
import * as Carrying from "./Carrying.ts"
import { version } from "./Proof.ts"
import type { Answer, Request } from "./Request.ts"
import type * as Tooling from "./Tooling.ts"

/** A node as the socket serves it. */
export interface Served {
  readonly node: Node.Node
  /** The channel for commands that name none. */
  readonly channel: string | undefined
  /** Ends the node; absent where whoever embeds it does. */
  readonly quit?: Effect.Effect<void>
  /** The tools of a language model; absent where there are none. */
  readonly tools?: Tooling.Call
  /** Draws a link to the panel, which is a secret; absent where none is served. */
  readonly panel?: Effect.Effect<Redacted.Redacted<string>>
}

/** What an answer needs to be written before the node that gives it ends. */
const quitAfterMs = 100

const answer = (request: Request, told: Carrying.Told, more: Partial<Answer> = {}): Answer => {
  const { code, why } = told.facts
  return {
    v: version,
    id: request.id,
    ok: told.ok,
    ...(typeof code === "string" ? { code } : {}),
    ...(typeof why === "string" ? { why } : {}),
    facts: told.facts,
    lines: told.lines,
    ...more
  }
}

/** An outcome in an answer: whether it is a good one is the answer's. */
const withOutcome = (request: Request, id: string, told: Event.Event | undefined): Answer => {
  if (told === undefined) {
    const notYet = Carrying.refusal(
      "no-outcome-yet",
      `${id.slice(0, 8)} has no outcome yet; ask again with: wopr-p2p wait ${id.slice(0, 8)}`
    )
    return answer(request, { ...notYet, facts: { ...notYet.facts, id } }, { outcome: null })
  }
  const outcome = Present.eventJson(told)
  const isRefused = told._tag === "Refused" || told._tag === "ErrandRefused"
  const facts = { ok: !isRefused, id, ...(isRefused ? { code: outcome["code"], why: outcome["why"] } : {}) }
  return answer(request, { ok: facts.ok, facts, lines: [Present.event(told)] }, { outcome })
}

const carrying = (served: Served, request: Extract<Request, { kind: "line" | "command" }>) =>
  Effect.gen(function* () {
    const line = request.kind === "line" ? request.line : `/${request.name} ${request.rest}`
    const parsed = Commands.parse(line, { channel: served.channel })
    if (parsed.kind === "identity") {
      const why =
        "a change of the keys restarts the node: type it at its prompt, or stop it and run: wopr-p2p identity rotate|recovery"
      return answer(request, Carrying.refusal("at-the-node", why))
    }
    if (parsed.kind === "quit") {
      if (served.quit === undefined)
        return answer(request, Carrying.refusal("at-the-node", "the host of this node ends it"))
      // Once the answer is on its way: the socket ends with the node.
      yield* Effect.forkDetach(Effect.delay(served.quit, quitAfterMs))
      return answer(request, { ok: true, facts: { ok: true }, lines: [{ tone: "plain", text: "the node ends" }] })
    }
    if (parsed.kind === "question") {
      const node = yield* served.node.describe
      return answer(request, Carrying.answered(node, parsed.question, parsed.name))
    }
    if (request.waitMs === undefined) return answer(request, yield* Carrying.carryOut(served.node, parsed))
    if (parsed.kind === "command" && Carrying.seenIn(parsed) === undefined) {
      const why = "only a message, an inject, a claim or a request to connect has an outcome to wait for"
      return answer(request, Carrying.refusal("usage", why))
    }
    const events = yield* served.node.events
    const told = yield* Carrying.carryOut(served.node, parsed)
    const { id } = told.facts
    if (!told.ok || typeof id !== "string") return answer(request, told)
    return withOutcome(request, id, yield* Carrying.outcomeOf(events, id, request.waitMs))
  })

/** Where a message stands that may have ended before anybody waited for it. */
const standing = (node: Describe.Description, begin: string) => {
  const waiting = [...node.queue, ...node.errands].filter(({ id }) => id.startsWith(begin))
  const refused = node.refusals.filter(({ id }) => id.startsWith(begin))
  return { waiting: waiting.map(({ id }) => id), refused }
}

const waiting = (served: Served, request: Extract<Request, { kind: "wait" }>) =>
  Effect.gen(function* () {
    // Listening first: it also brings what was told lately.
    const events: PubSub.Subscription<Event.Event> = yield* served.node.events
    const now = standing(yield* served.node.describe, request.message)
    const refused = now.refused[0]
    if (refused !== undefined && now.waiting.length === 0) {
      const told = Carrying.refusal(refused.code, `not delivered to @${refused.name}: ${refused.code}`)
      return answer(request, { ...told, facts: { ...told.facts, id: refused.id } })
    }
    const id = now.waiting.length === 1 ? now.waiting[0]! : request.message
    // What neither waits nor was refused was delivered, or never was: it is looked for among what was told lately.
    const waitMs = now.waiting.length === 1 ? (request.waitMs ?? 1) : 50
    const told = yield* Carrying.outcomeOf(events, id, waitMs)
    if (told === undefined && now.waiting.length !== 1) {
      return answer(
        request,
        Carrying.refusal("unknown-message", "nothing of that id waits, and several ids may begin so; see /queue")
      )
    }
    return withOutcome(request, id, told)
  })

/** A call of a tool; what a refusal says is in the answer that the model is shown. */
const tooling = (served: Served, request: Extract<Request, { kind: "tool" }>): Effect.Effect<Answer> => {
  const { given, mayGrant, mayReply = false, name } = request
  return Effect.map(
    Effect.promise(async () => served.tools?.(name, given, { mayGrant, mayReply })),
    (called) =>
      called === undefined
        ? answer(request, Carrying.refusal("usage", "there is no such tool at this node"))
        : answer(request, { ok: true, facts: { ok: true, answer: called }, lines: [] })
  )
}

const linking = (served: Served, request: Extract<Request, { kind: "panel" }>): Effect.Effect<Answer> => {
  const none = "no panel is served here: start the node with --panel, or see its log for why there is none"
  if (served.panel === undefined) return Effect.succeed(answer(request, Carrying.refusal("no-panel", none)))
  return Effect.map(served.panel, (link) => {
    const url = Redacted.value(link)
    const lines = [
      { tone: "plain", text: url },
      { tone: "quiet", text: "good once and for five minutes, in a browser on this machine" }
    ] as const
    return answer(request, { ok: true, facts: { ok: true, url }, lines })
  })
}

/** The answer to one request. Never fails; a wait ends with the scope or the caller. */
export const respond = (served: Served, request: Request): Effect.Effect<Answer> => {
  switch (request.kind) {
    case "line":
    case "command":
      return Effect.scoped(carrying(served, request))
    case "wait":
      return Effect.scoped(waiting(served, request))
    case "tool":
      return tooling(served, request)
    case "panel":
      return linking(served, request)
    case "describe":
      return Effect.map(served.node.describe, (node) =>
        answer(request, { ok: true, facts: { ok: true, ...node }, lines: [] })
      )
  }
}
