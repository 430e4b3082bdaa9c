/**
 * Signed profiles of drawn people, public and secret topics, and content in every width of letter.
 * It never signs with anything but the keys a node would hold, so what is drawn is what a peer could send.
 * Keys are made once for each number: a thousand people cost a second.
 */
import { Redacted, Result } from "effect"
import fc from "fast-check"
import type { Authentic } from "../../core/identity/Authentic.ts"
import { Base64url, Keys, Name, Profile, Topic } from "../../core/index.ts"
import { identityOf, keysOf, sodium } from "./keys.ts"
import { noonMs } from "./state.ts"

/** A topic with its hash, as a node holds it. */
export interface Room {
  readonly topic: Topic.Topic
  readonly hash: string
}

export const roomOf = (text: string): Room => {
  const topic = Result.getOrThrow(Topic.parse(text))
  return { topic, hash: Base64url.encode(Topic.rendezvous(sodium.sha256, topic)) }
}

export const publicRoom = roomOf("chess")
export const secretRoom = roomOf(Redacted.value(Result.getOrThrow(Topic.secretOf("chess", new Uint8Array(16).fill(7)))))

export const swarmOf = (keys: Keys.LocalKeys): Keys.RemoteSwarmKey =>
  Result.getOrThrow(Keys.remoteSwarmKey(Base64url.encode(Keys.swarmKey(sodium, keys))))

/** An unsigned profile with everything at an honest value. */
export const unsigned = (
  keys: Keys.LocalKeys,
  room: Room,
  change: Partial<Profile.Unsigned> = {}
): Profile.Unsigned => ({
  topic: room.hash,
  identityKey: identityOf(keys),
  swarmKey: swarmOf(keys),
  version: 1,
  issuedMs: noonMs,
  expiresMs: noonMs + 3_600_000,
  content: { name: "bob", description: "answers questions", tags: ["chess", "go"] },
  ...change
})

/** A profile as it goes over a session. */
export const wireOf = (seed: number, room: Room, change: Partial<Profile.Unsigned> = {}): string => {
  const keys = keysOf(seed)
  return Profile.sign(sodium, keys, room.topic, unsigned(keys, room, change)).wire
}

/** A profile that was read from what a session brought. */
export const profileOf = (
  seed: number,
  room: Room,
  change: Partial<Profile.Unsigned> = {}
): Authentic<Profile.Profile> =>
  Result.getOrThrow(Profile.read(sodium, room.topic, room.hash, wireOf(seed, room, change), noonMs))

const isLine = (text: string): boolean =>
  Result.isSuccess(Profile.parseContent({ name: "a", description: text, tags: [] }))

export const content: fc.Arbitrary<Profile.Content> = fc.record({
  name: fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }).filter((name) => {
    const parsed = Name.parse(name)
    return Result.isSuccess(parsed) && parsed.success === name
  }),
  description: fc.string({ unit: "grapheme", maxLength: 100 }).filter(isLine),
  tags: fc.uniqueArray(fc.stringMatching(/^[a-z0-9][a-z0-9.+-]{0,31}$/), { maxLength: 16 })
})
