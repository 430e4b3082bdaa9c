/**
 * Rooms in which agents find each other without a chat channel: how they are spelt, and the hashes that follow from that.
 * It never holds who is in one, and a secret topic's key never leaves this node but by its operator's hand.
 * A secret topic hashes its key into the rendezvous and seals what is said in it, so that its name alone finds nothing.
 */
import { Redacted, Result, Schema } from "effect"
import * as Base64url from "../bytes/Base64url.ts"
import { utf8 } from "../bytes/Bytes.ts"
import * as Transcript from "../bytes/Transcript.ts"
import * as Name from "../identity/Name.ts"
import * as Rejection from "../Rejection.ts"

/** Bytes of a secret topic's key. */
const keyBytesMax = 16

/** A topic as an operator spells it: `NAME`, or `NAME#KEY` with a key of 128 random bits. */
export interface Topic {
  /** Folded: `Chess` and `chess` are one topic. */
  readonly name: string
  /** The key of a secret topic, 22 characters base64url; null for a public one. */
  readonly secret: Redacted.Redacted<string> | null
}

/** A topic we have joined; its key is written out by this Schema alone, into the records. */
export const Joined = Schema.Struct({
  name: Schema.String,
  key: Schema.NullOr(Schema.RedactedFromValue(Schema.String, { label: "topic key" })),
  /** Rendezvous hash, base64url. */
  hash: Schema.String,
  sinceMs: Schema.Int,
  /** The version of our newest profile in it. */
  version: Schema.Int
})
export type Joined = typeof Joined.Type

const invalid = Result.fail(Rejection.make("topic-invalid"))

/** A topic from what an operator typed, or `topic-invalid`. The name has the characters of a display name, without `#`. */
export const parse = (text: string): Result.Result<Topic, Rejection.Rejection> => {
  const [written = "", key, ...more] = text.split("#")
  if (more.length > 0 || written.startsWith("@")) return invalid
  const name = Name.parse(Name.fold(written))
  if (Result.isFailure(name) || name.success !== Name.fold(written)) return invalid
  if (key === undefined) return Result.succeed({ name: name.success, secret: null })
  if (Base64url.decodeExact(key, keyBytesMax) === undefined) return invalid
  return Result.succeed({ name: name.success, secret: Redacted.make(key, { label: "topic key" }) })
}

/** A new secret topic of a name, from 16 bytes of entropy: what its members give each other. `topic-invalid` for a bad name. */
export const secretOf = (
  name: string,
  entropy: Uint8Array
): Result.Result<Redacted.Redacted<string>, Rejection.Rejection> =>
  Result.flatMap(parse(name), (topic) =>
    topic.secret === null
      ? Result.succeed(
          Redacted.make(`${topic.name}#${Base64url.encode(entropy.subarray(0, keyBytesMax))}`, {
            label: "secret topic"
          })
        )
      : invalid
  )

/** A stored topic as a topic. */
export const of = ({ key, name }: Pick<Joined, "key" | "name">): Topic => ({
  name,
  secret: key
})

type Sha256 = (bytes: Uint8Array) => Uint8Array

const secretBytes = ({ secret }: Topic): Uint8Array =>
  secret === null ? new Uint8Array(0) : (Base64url.decode(Redacted.value(secret)) ?? new Uint8Array(0))

/** Where the members of a topic announce themselves: 32 bytes. Without the key of a secret topic nobody can compute it. */
export const rendezvous = (sha256: Sha256, topic: Topic): Uint8Array =>
  sha256(
    topic.secret === null
      ? Transcript.encode("wop/3 topic", [topic.name])
      : Transcript.encode("wop/3 secret topic", [topic.name, secretBytes(topic)])
  )

/**
 * How a member is named in an exchange of what is known: 22 characters base64url. In a secret topic only holders of the
 * key can tell which identity key is meant.
 */
export const mark = (sha256: Sha256, topic: Topic, identityKey: Uint8Array): string =>
  Base64url.encode(
    sha256(Transcript.encode("wop/3 topic mark", [topic.name, secretBytes(topic), identityKey])).subarray(0, 16)
  )

/** The two keys with which profiles of a secret topic are sealed, 32 bytes each; undefined for a public one. */
export const sealingKeys = (
  hkdfSha256: (ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number) => Uint8Array | undefined,
  topic: Topic
): { readonly seal: Uint8Array; readonly nonce: Uint8Array } | undefined => {
  if (topic.secret === null) return undefined
  const label = Transcript.encode("wop/3 topic seal", [topic.name])
  const keys = hkdfSha256(secretBytes(topic), utf8("wop/3"), label, 64)
  if (keys === undefined) throw new Error("HKDF refused 64 bytes")
  return { seal: keys.subarray(0, 32), nonce: keys.subarray(32) }
}
