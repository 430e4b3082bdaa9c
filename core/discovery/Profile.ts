/**
 * What a member of a topic says of itself: signed, versioned, expiring, and bound to that topic.
 * It never grants anything and proves nothing but who signed it; whether it is newer than another is the directory's to say.
 * Its bytes are passed on by others, so everything about it is checked by whoever reads it, as if a stranger had made it.
 */
import { Result, Schema } from "effect"
import type { CryptoShape } from "../../ports/Crypto.ts"
import * as Base64url from "../bytes/Base64url.ts"
import { concat, text, utf8, utf8Length } from "../bytes/Bytes.ts"
import type { Authentic } from "../identity/Authentic.ts"
import * as Keys from "../identity/Keys.ts"
import * as Name from "../identity/Name.ts"
import * as Statement from "../identity/Statement.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import * as Topic from "./Topic.ts"

const key = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_-]{43}$/))
const natural = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))

/** One line of plain words: nothing that moves a cursor, hides, or turns the reading direction. */
const hidden = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]|\p{M}{4}/u
const isPlain = (line: string): boolean =>
  !hidden.test(line) &&
  line.normalize("NFC") === line &&
  line.trim() === line &&
  Array.from(line).length <= Limits.profileDescriptionMax

/** What an operator writes of its agent. */
export const Content = Schema.Struct({
  name: Schema.String.check(
    Schema.makeFilter((name: string) => Result.isSuccess(Name.parse(name)) && !name.startsWith("@"))
  ),
  description: Schema.String.check(Schema.makeFilter(isPlain)),
  /** What it can do, in words of its own choosing. */
  tags: Schema.Array(Schema.String.check(Schema.isPattern(/^[a-z0-9][a-z0-9.+-]{0,31}$/))).check(
    Schema.isMaxLength(Limits.profileTagsMax)
  )
})
export type Content = typeof Content.Type

/** A profile without its signature. `content` is null in the last one of a member that has left. */
export interface Unsigned {
  /** Rendezvous hash of the topic, base64url. */
  readonly topic: string
  readonly identityKey: Keys.RemoteIdentityKey
  readonly swarmKey: Keys.RemoteSwarmKey
  readonly version: number
  readonly issuedMs: number
  readonly expiresMs: number
  readonly content: Content | null
}
/** A profile that was read and holds, with the bytes in which it is passed on. */
export interface Profile extends Unsigned {
  /** As it goes over a session, base64url; sealed in a secret topic. */
  readonly wire: string
  /** How it is named in an exchange of what is known. */
  readonly mark: string
}

const Body = Schema.Struct({
  topic: key,
  identity: key,
  swarm: key,
  version: natural,
  issued: natural,
  expires: natural,
  content: Schema.NullOr(Content),
  signature: Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_-]{86}$/))
})
const decodeBody = Schema.decodeUnknownResult(Schema.fromJsonString(Body))

const statementOf = ({ content, expiresMs, identityKey, issuedMs, swarmKey, topic, version }: Unsigned) => ({
  purpose: "profile" as const,
  fields: [
    Base64url.decode(topic) ?? new Uint8Array(0),
    Keys.keyBytes(identityKey),
    Keys.keyBytes(swarmKey),
    version,
    issuedMs,
    expiresMs,
    ...(content === null ? [] : [content.name, content.description, ...content.tags])
  ]
})

/** Content as an operator gave it, or `profile-invalid`. */
export const parseContent = (content: Content): Result.Result<Content, Rejection.Rejection> =>
  Schema.is(Content)(content) && new Set(content.tags).size === content.tags.length
    ? Result.succeed(content)
    : Result.fail(Rejection.make("profile-invalid"))

/** The bytes under a secret topic's key, with a nonce that follows from them: the same bytes are sealed the same. */
const sealed = (crypto: CryptoShape, topic: Topic.Topic, hash: string, body: Uint8Array): Uint8Array => {
  const keys = Topic.sealingKeys(crypto.hkdfSha256, topic)
  if (keys === undefined) return body
  const nonce = crypto.hmacSha256(keys.nonce, body).subarray(0, 12)
  return concat(nonce, crypto.aes256GcmSeal(keys.seal, nonce, utf8(hash), body))
}

/** What reading a profile needs of the engine: nothing that draws or holds a secret. */
export type Reads = Pick<CryptoShape, "sha256" | "hkdfSha256" | "aes256GcmOpen" | "ed25519ValidKey" | "ed25519Verify">

const opened = (crypto: Reads, topic: Topic.Topic, hash: string, wire: Uint8Array): Uint8Array | undefined => {
  const keys = Topic.sealingKeys(crypto.hkdfSha256, topic)
  if (keys === undefined) return wire
  return crypto.aes256GcmOpen(keys.seal, wire.slice(0, 12), utf8(hash), wire.slice(12))
}

/** Signs a profile of ours, and seals it if the topic is a secret one. */
export const sign = (crypto: CryptoShape, keys: Keys.LocalKeys, topic: Topic.Topic, profile: Unsigned): Profile => {
  const signature = Base64url.encode(Statement.sign(crypto, keys, statementOf(profile)))
  const { content, expiresMs: expires, identityKey: identity, issuedMs: issued, swarmKey: swarm, version } = profile
  const body = { topic: profile.topic, identity, swarm, version, issued, expires, content, signature }
  const mark = Topic.mark(crypto.sha256, topic, keys.identityKey)
  return { ...profile, mark, wire: Base64url.encode(sealed(crypto, topic, profile.topic, utf8(JSON.stringify(body)))) }
}

const refuse = (code: Rejection.Code, detail = "") => Result.fail(Rejection.make(code, detail))

/** Fresh both ways: not from the future, not over, and not made to last. */
const isTimely = ({ expires, issued }: typeof Body.Type, nowMs: number): boolean =>
  issued <= nowMs + Limits.freshnessMs && expires > nowMs && expires > issued && expires - issued <= Limits.profileAgeMs

/**
 * Reads a profile as a session brought it, for a topic we are in. Refused: `profile-too-large`, `profile-sealed` (not
 * under the topic's key), `profile-malformed`, `profile-misplaced` (of another topic), `profile-stale`, `profile-forged`.
 */
export const read = (
  crypto: Reads,
  topic: Topic.Topic,
  hash: string,
  wire: string,
  nowMs: number
): Result.Result<Authentic<Profile>, Rejection.Rejection> => {
  if (utf8Length(wire) > Limits.profileCharactersMax) return refuse("profile-too-large")
  const bytes = Base64url.decode(wire)
  if (bytes === undefined) return refuse("profile-malformed")
  const body = opened(crypto, topic, hash, bytes)
  if (body === undefined) return refuse("profile-sealed")
  const parsed = decodeBody(text(body) ?? "")
  if (Result.isFailure(parsed)) return refuse("profile-malformed")
  const { content, expires, issued, signature, swarm, version } = parsed.success
  if (parsed.success.topic !== hash) return refuse("profile-misplaced")
  if (!isTimely(parsed.success, nowMs)) return refuse("profile-stale")
  const identity = Keys.remoteIdentityKey(crypto, parsed.success.identity)
  const swarmKey = Keys.remoteSwarmKey(swarm)
  const signed = Base64url.decodeExact(signature, 64)
  if (Result.isFailure(identity) || Result.isFailure(swarmKey) || signed === undefined)
    return refuse("profile-malformed")
  const unsigned = {
    topic: hash,
    identityKey: identity.success,
    swarmKey: swarmKey.success,
    version,
    issuedMs: issued,
    expiresMs: expires,
    content
  }
  const mark = Topic.mark(crypto.sha256, topic, Keys.keyBytes(identity.success))
  return Statement.verify(
    crypto,
    identity.success,
    statementOf(unsigned),
    signed,
    { ...unsigned, wire, mark },
    "profile-forged"
  )
}
