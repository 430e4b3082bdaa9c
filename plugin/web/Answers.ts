/**
 * What each route of the panel's API answers; the compiler asks for every name of the table of routes.
 * It never decides: commands go through the table that prompt and socket use, and questions are answered from the description.
 * Whatever a page asks for by POST it may ask for again under the same id, because answers get lost.
 */
import { Clock, Effect, Redacted, type Schema } from "effect"
import type { ConversationLogShape } from "../../ports/ConversationLog.ts"
import * as Commands from "../Commands.ts"
import * as Answering from "../control/Answering.ts"
import * as Carrying from "../control/Carrying.ts"
import { version as frameVersion } from "../control/Proof.ts"
import type { Answer, Command, InviteWish } from "./Contract.ts"
import type { Doctoring } from "./Doctoring.ts"
import type { Events } from "./Events.ts"
import { type Fault, fault } from "./Fault.ts"
import * as Metrics from "./Metrics.ts"
import type { Repeats } from "./Repeats.ts"
import type { Name, Route, table } from "./Routes.ts"
import type { Secrets } from "./Secrets.ts"
import type { Seen } from "./Seen.ts"
import * as Talks from "./Talks.ts"
import * as View from "./View.ts"

type TypeOf<S> = S extends Schema.Constraint ? S["Type"] : undefined
type Row<N extends Name> = (typeof table)[N] & Route

/** What a route is given: parts of the path by name, the query and the body as their Schemas read them. */
export interface Given<N extends Name> {
  readonly params: Readonly<Record<string, string>>
  readonly query: Row<N> extends { readonly query: infer Q } ? TypeOf<Q> : undefined
  readonly body: Row<N> extends { readonly body: infer B } ? TypeOf<B> : undefined
}

/** What a route answers: a value of its Schema, or a text. */
export type Reply<N extends Name> = Row<N>["answer"] extends { readonly kind: "text" | "stream" }
  ? string
  : TypeOf<Row<N>["answer"]>

/** The routes that one value answers; an event stream is written as it goes. */
export type Answered = Exclude<Name, "events">
export type Answers = { readonly [N in Answered]: (given: Given<N>) => Effect.Effect<Reply<N>, Fault> }

/** A node as the panel serves it, and what the server has beside it. */
export interface World {
  /** Watched already. Without `quit`: a page does not end the node. */
  readonly served: Answering.Served
  readonly log: ConversationLogShape
  readonly secrets: Secrets
  readonly repeats: Repeats
  readonly events: Events
  readonly seen: Seen
  readonly doctoring: Doctoring
  readonly requests: Metrics.Requests
  readonly limits: ReturnType<typeof View.limitsOf>
  readonly version: string
  readonly openapi: () => string
}

const view = ({ doctoring, events, limits, seen, served, version }: World) =>
  Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis
    // The position is older than the description: an event between the two is shown twice rather than never.
    const position = events.position()
    const node = yield* served.node.describe
    return View.of(node, { seen, version, limits, position, nowMs, doctor: yield* doctoring.lately(nowMs) })
  })

const commandOf = (
  { served }: World,
  given: typeof Command.Type
): Effect.Effect<Omit<typeof Answer.Type, "repeated">> => {
  const asked = { v: frameVersion, id: 0, ...(given.waitMs === undefined ? {} : { waitMs: given.waitMs }) } as const
  const request =
    "line" in given
      ? ({ ...asked, kind: "line", line: given.line } as const)
      : ({ ...asked, kind: "command", name: given.name, rest: given.rest } as const)
  return Effect.map(Answering.respond(served, request), ({ v: _, id: __, ...answer }) => answer)
}

/** The line by which an invite as wished for is typed. */
const inviteLine = ({ capability, expires, for: named, uses }: typeof InviteWish.Type): string =>
  [
    "/invite",
    capability ?? "",
    named === undefined ? "" : `for ${named}`,
    uses === undefined ? "" : `uses ${uses}`,
    expires === undefined ? "" : `expires ${expires}`
  ]
    .filter((word) => word !== "")
    .join(" ")

const invite = ({ served }: World, wish: typeof InviteWish.Type): Effect.Effect<Reply<"invite">> =>
  Effect.gen(function* () {
    const parsed = Commands.parse(inviteLine(wish), { channel: served.channel })
    if (parsed.kind !== "command" && parsed.kind !== "mistake") throw new Error("an invite is a command")
    const { facts } = yield* Carrying.carryOut(served.node, parsed)
    const { code, id, link, why } = facts
    if (typeof link !== "string" || typeof id !== "string")
      return { ok: false as const, code: String(code ?? "usage"), why: String(why ?? "") }
    return { ok: true as const, invite: id, link, qr: View.qrOf(link) }
  })

/** The answers of a node. */
export const make = (world: World): Answers => {
  const { doctoring, events, log, repeats, requests, secrets, seen, served } = world
  const friend = (params: Readonly<Record<string, string>>) =>
    Effect.flatMap(served.node.describe, (node) =>
      Effect.map(Talks.friendOf(node, params["friend"] ?? ""), (found) => ({ node, found }))
    )
  const once = <A>(body: { readonly id: string }, carryOut: Effect.Effect<A, Fault>) =>
    Effect.flatMap(Clock.currentTimeMillis, (nowMs) => repeats.once(body.id, body, nowMs, carryOut))
  return {
    session: ({ params }) =>
      Effect.flatMap(Clock.currentTimeMillis, (nowMs) => {
        const bearer = secrets.trade(params["segment"] ?? "", nowMs)
        return bearer === undefined
          ? Effect.fail(fault("not-here"))
          : Effect.succeed({ bearer: Redacted.value(bearer) })
      }),
    view: () => view(world),
    commands: () =>
      Effect.succeed({ commands: Commands.table.map(({ help, name, usage }) => ({ name, usage, help })) }),
    command: ({ body }) =>
      Effect.map(once(body, commandOf(world, body)), ({ answer, repeated }) => ({ ...answer, repeated })),
    invite: ({ body }) => Effect.map(once(body, invite(world, body)), ({ answer }) => answer),
    qr: ({ body }) => Effect.sync(() => View.qrOf(body.text)),
    conversation: ({ params, query }) =>
      Effect.flatMap(friend(params), ({ found, node }) => Talks.page(node, log, found, query)),
    forget: ({ params }) =>
      friend(params).pipe(
        Effect.flatMap(({ found }) => Talks.forget(log, found)),
        Effect.andThen(Clock.currentTimeMillis),
        Effect.map((nowMs) => {
          events.changed(nowMs)
          return { ok: true as const }
        })
      ),
    export: ({ params, query }) =>
      Effect.flatMap(friend(params), ({ found }) => Talks.exported(log, found, query.format ?? "text")),
    doctor: () => Effect.flatMap(Clock.currentTimeMillis, doctoring.now),
    openapi: () => Effect.sync(world.openapi),
    health: () =>
      Effect.map(served.node.describe, ({ friends, name }) => ({
        ok: true,
        name,
        friends: friends.length,
        connected: friends.filter(({ connected }) => connected).length
      })),
    metrics: () =>
      Effect.map(served.node.describe, (node) =>
        Metrics.page(node, seen.counts(), requests, { sessions: secrets.sessions(), streams: events.readers() })
      )
  }
}
