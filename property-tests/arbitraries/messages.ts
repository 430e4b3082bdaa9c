/**
 * Messages of every kind, drawn from the grammar of PROTOCOL.md §9 and not from the Schemas that are under test.
 * It never draws a message that a node may not send.
 * One record of arbitraries, keyed by kind: a new kind without a row here fails to compile.
 */
import fc from "fast-check"
import { Limits, type Message } from "../../core/index.ts"

type Kinds = { readonly [Kind in keyof typeof Message.kinds]: fc.Arbitrary<Extract<Message.Message, { kind: Kind }>> }

const id = fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: 32, maxLength: 32 })
const natural = fc.oneof(fc.nat(), fc.constantFrom(0, 1, Number.MAX_SAFE_INTEGER))
const positive = fc.oneof(fc.integer({ min: 1, max: 2 ** 31 }), fc.constantFrom(1, Number.MAX_SAFE_INTEGER))
const text = fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.constantFrom("", "\u0000", "\u2028", "🦊", '"\\'))
const code = fc.constantFrom("rate-limited", "revoked", "x", "a-code-of-a-later-version")
const base64url = (length: number) =>
  fc.string({ unit: fc.constantFrom(..."ABCXYZabcxyz0189-_"), minLength: length, maxLength: length })
const short = fc.string({ maxLength: 40 })
const optional: { requiredKeys: [] } = { requiredKeys: [] }
const kind = <Kind extends string>(name: Kind) => fc.constant(name)
const numbered = { stream: id, number: positive }

/** Two drawn parts of one message as one. */
const joined = <A, B>(a: fc.Arbitrary<A>, b: fc.Arbitrary<B>): fc.Arbitrary<A & B> =>
  fc.tuple(a, b).map(([one, other]) => ({ ...one, ...other }))

const confinement = joined(
  fc.record({
    engine: short,
    containerId: short,
    user: short,
    network: short,
    readOnlyRoot: fc.boolean(),
    memoryBytes: natural,
    pids: natural,
    cpus: fc.constantFrom(0, 0.5, 1.25, 64)
  }),
  fc.record(
    {
      ...{ runtime: short, capabilitiesDropped: short, capabilitiesAdded: short, seccomp: short, users: short },
      ...{ imageId: short, noNewPrivileges: fc.boolean(), swapBytes: natural, tmpfsBytes: natural, provenAtMs: natural }
    },
    optional
  )
)

export const byKind: Kinds = {
  Log: joined(fc.record({ kind: kind("Log"), ...numbered, text }), fc.record({ conversation: id }, optional)),
  Inject: joined(
    fc.record({ kind: kind("Inject"), ...numbered, id, text, timeLimitMs: positive }),
    fc.record({ conversation: id }, optional)
  ),
  Done: joined(
    fc.record({
      kind: kind("Done"),
      ...numbered,
      id,
      outcome: fc.constantFrom("answered" as const, "failed" as const, "refused" as const),
      length: fc.integer({ min: 0, max: Limits.answerBytesMax }),
      sha256: base64url(43)
    }),
    fc.record({ code, confinement }, optional)
  ),
  Chunk: fc.record({ kind: kind("Chunk"), id, offset: natural, bytes: fc.nat(40).chain(base64url) }),
  Receipt: fc.record({ kind: kind("Receipt"), stream: id, mark: natural, also: fc.array(positive, { maxLength: 20 }) }),
  Reject: joined(
    fc.record({ kind: kind("Reject"), code }),
    fc.record({ stream: id, number: positive, retryAfterMs: natural }, optional)
  ),
  Cancel: fc.record({ kind: kind("Cancel"), ...numbered, id }),
  Held: fc.record({ kind: kind("Held"), ...numbered, id, reason: code, expiresAtMs: natural }),
  GrantChanged: joined(
    fc.record({ kind: kind("GrantChanged"), ...numbered, capabilities: fc.subarray(["message", "inject", "sing"]) }),
    fc.record({ expiresAtMs: natural }, optional)
  ),
  Unfriend: fc.record({ kind: kind("Unfriend"), ...numbered, of: fc.array(base64url(86), { maxLength: 4 }) }),
  Introduce: joined(
    fc.record({
      kind: kind("Introduce"),
      ...numbered,
      id,
      key: base64url(43),
      name: fc.string({ maxLength: 64 }),
      yours: base64url(43),
      expiresAtMs: natural
    }),
    fc.record({ note: fc.string({ maxLength: 280 }) }, optional)
  ),
  Greeting: joined(
    fc.record({
      kind: kind("Greeting"),
      streams: fc.array(joined(fc.record({ stream: id, mark: natural }), fc.record({ top: natural }, optional)), {
        maxLength: 8
      }),
      run: id
    }),
    fc.record({ yours: fc.array(id, { maxLength: 8 }) }, optional)
  ),
  Resume: fc.record({ kind: kind("Resume"), id, offset: natural, upTo: natural }),
  Skip: joined(
    fc.record({ kind: kind("Skip"), stream: id, from: positive, to: positive }),
    fc.record({ settled: fc.boolean() }, optional)
  ),
  SasCommit: fc.record({ kind: kind("SasCommit"), id, commitment: base64url(43) }),
  SasReveal: fc.record({ kind: kind("SasReveal"), id, nonce: base64url(43) }),
  SasEnd: fc.record({
    kind: kind("SasEnd"),
    id,
    outcome: fc.constantFrom("same" as const, "different" as const, "ended" as const)
  }),
  TopicHello: fc.record({
    kind: kind("TopicHello"),
    topic: base64url(43),
    have: fc.array(fc.record({ mark: base64url(22), version: natural }), { maxLength: 5 })
  }),
  Profiles: fc.record({
    kind: kind("Profiles"),
    topic: base64url(43),
    profiles: fc.array(fc.nat(400).chain(base64url), { maxLength: 8 })
  }),
  TopicLeft: joined(
    fc.record({ kind: kind("TopicLeft"), topic: base64url(43) }),
    fc.record({ profile: fc.nat(400).chain(base64url) }, optional)
  ),
  ConnectRequest: joined(
    fc.record({ kind: kind("ConnectRequest"), id, name: fc.string({ maxLength: 64 }) }),
    fc.record({ note: fc.string({ maxLength: 280 }), topic: base64url(43) }, optional)
  ),
  ConnectResponse: joined(
    fc.record({
      kind: kind("ConnectResponse"),
      id,
      outcome: fc.constantFrom("asked" as const, "accepted" as const, "refused" as const)
    }),
    fc.record({ code }, optional)
  ),
  Ping: fc.record({ kind: kind("Ping"), nonce: id }),
  Pong: fc.record({ kind: kind("Pong"), nonce: id }),
  Close: fc.record({ kind: kind("Close"), code }),
  Claim: fc.record({ kind: kind("Claim"), id, proof: base64url(43), name: fc.string({ maxLength: 40 }) }),
  ClaimAnswer: joined(
    fc.record({
      kind: kind("ClaimAnswer"),
      id,
      outcome: fc.constantFrom("redeemed" as const, "refused" as const)
    }),
    fc.record(
      {
        code,
        retryAfterMs: natural,
        proof: base64url(43),
        name: fc.string({ maxLength: 40 }),
        of: base64url(86),
        capabilities: fc.subarray(["message", "inject", "sing"])
      },
      optional
    )
  )
}

/** A message of any kind. */
export const message: fc.Arbitrary<Message.Message> = fc.oneof(...Object.values(byKind))
