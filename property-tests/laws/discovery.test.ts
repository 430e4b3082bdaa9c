/**
 * Laws of topics and profiles: who can compute a rendezvous, who can read what is said, and what is refused with which code.
 * It never looks at how a profile is written; whatever is changed in one must be refused, whatever is honest be read.
 * The attacks of the topic room are each a test here: forged, stale, rolled back, oversize, of another topic.
 */
import { Redacted, Result } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Base64url, Directory, Limits, Profile, Topic } from "../../core/index.ts"
import { keysOf, noble, sodium } from "../arbitraries/keys.ts"
import {
  content,
  profileOf,
  publicRoom,
  type Room,
  roomOf,
  secretRoom,
  unsigned,
  wireOf
} from "../arbitraries/profiles.ts"
import { noonMs } from "../arbitraries/state.ts"

const codeOf = (room: Room, wire: string, nowMs = noonMs) => {
  const read = Profile.read(sodium, room.topic, room.hash, wire, nowMs)
  return Result.isFailure(read) ? read.failure.code : "read"
}
const rooms = [publicRoom, secretRoom]
const entropy = fc.uint8Array({ minLength: 16, maxLength: 16 })

describe("topics", () => {
  it("a name that was parsed is parsed the same again, and whatever its letters' case is one topic", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 70 }), (text) => {
        const topic = Topic.parse(text)
        if (Result.isFailure(topic)) expect(topic.failure.code).toBe("topic-invalid")
        else if (topic.success.secret === null) {
          expect(Topic.parse(topic.success.name)).toEqual(topic)
          expect(topic.success.name).not.toMatch(/[\s#|]/)
        }
      })
    )
    expect(roomOf("Chess").hash).toBe(publicRoom.hash)
  })
  it.each([
    "",
    "#",
    "@a",
    "a b",
    "a#b",
    "a#b#c",
    "a|b",
    "a\u200bb",
    `a#${"A".repeat(21)}B`,
    `a#${"A".repeat(23)}`,
    "x".repeat(65)
  ])("%j is no topic", (text) => expect(Result.isFailure(Topic.parse(text))).toBe(true))
  it("the rendezvous of a secret topic follows from its key: another key, another place, and the name alone finds none", () => {
    fc.assert(
      fc.property(entropy, entropy, (one, other) => {
        const [a, b] = [one, other].map((bytes) =>
          roomOf(Redacted.value(Result.getOrThrow(Topic.secretOf("chess", bytes))))
        )
        expect(a!.hash === b!.hash).toBe(Buffer.compare(one, other) === 0)
        expect(a!.hash).not.toBe(publicRoom.hash)
      }),
      { numRuns: 50 }
    )
  })
  it("no two names, kinds and labels share a hash", () => {
    const key = Buffer.from(new Uint8Array(16)).toString("base64url")
    const texts = ["a", "b", `a#${key}`, `b#${key}`, "a.", "ab"]
    expect(new Set(texts.map((text) => roomOf(text).hash)).size).toBe(texts.length)
  })
  it("a secret topic prints no key", () => {
    expect(JSON.stringify(secretRoom.topic) + String(secretRoom.topic.secret)).not.toContain("BwcHBwcH")
  })
})

describe("profiles", () => {
  it("what was signed is read, in public and secret topics, on either engine", () => {
    fc.assert(
      fc.property(content, fc.nat(20), fc.constantFrom(...rooms), (words, seed, room) => {
        const keys = keysOf(seed)
        const made = Profile.sign(sodium, keys, room.topic, unsigned(keys, room, { content: words }))
        expect(Profile.sign(noble, keys, room.topic, unsigned(keys, room, { content: words }))).toEqual(made)
        const read = Result.getOrThrow(Profile.read(noble, room.topic, room.hash, made.wire, noonMs))
        expect(read.value).toEqual(made)
        expect(read.signer.key).toBe(made.identityKey)
      }),
      { numRuns: 60 }
    )
  })
  it("the widest that is allowed fits the bound", () => {
    const wide = {
      name: "\u{1F9FF}".repeat(64),
      description: "\u{1F9FF}".repeat(500),
      tags: Array.from({ length: 16 }, (_, i) => String.fromCharCode(97 + i).repeat(32))
    }
    expect(Result.isSuccess(Profile.parseContent(wide))).toBe(true)
    const change = { content: wide, version: Number.MAX_SAFE_INTEGER }
    expect(wireOf(1, secretRoom, change).length).toBeLessThanOrEqual(Limits.profileCharactersMax)
    expect(codeOf(secretRoom, wireOf(1, secretRoom, change))).toBe("read")
  })
  it("forged: no byte can be changed", () => {
    const honest = Base64url.decode(wireOf(3, publicRoom))!
    const sealed = Base64url.decode(wireOf(3, secretRoom))!
    fc.assert(
      fc.property(fc.nat(honest.length - 1), fc.integer({ min: 1, max: 255 }), (at, by) => {
        const spoiled = honest.slice()
        spoiled[at] = spoiled[at]! ^ by
        expect(codeOf(publicRoom, Base64url.encode(spoiled))).toMatch(/^profile-(forged|malformed|misplaced|stale)$/)
        const hidden = sealed.slice()
        hidden[at % hidden.length] = hidden[at % hidden.length]! ^ by
        expect(codeOf(secretRoom, Base64url.encode(hidden))).toBe("profile-sealed")
      }),
      { numRuns: 400 }
    )
  })
  it("forged: no field can be moved to another key, version, time, content or topic", () => {
    const body = JSON.parse(Buffer.from(wireOf(3, publicRoom), "base64url").toString())
    const other = JSON.parse(Buffer.from(wireOf(4, publicRoom), "base64url").toString())
    const change: ReadonlyArray<object> = [
      { identity: other.identity },
      { swarm: other.swarm },
      { version: 2 },
      { issued: noonMs - 1 },
      { expires: noonMs + 3_600_001 },
      { content: null },
      { content: { ...body.content, tags: ["chess"] } },
      { content: { ...body.content, description: "" } },
      { content: { ...body.content, tags: [], description: "answers questions" } },
      { signature: other.signature }
    ]
    for (const one of change) {
      const wire = Buffer.from(JSON.stringify({ ...body, ...one })).toString("base64url")
      expect(codeOf(publicRoom, wire), JSON.stringify(one)).toBe("profile-forged")
    }
  })
  it("of another topic: refused in both directions, and a secret one is unreadable without the key", () => {
    const go = roomOf("go")
    expect(codeOf(go, wireOf(3, publicRoom))).toBe("profile-misplaced")
    expect(codeOf(secretRoom, wireOf(3, publicRoom))).toBe("profile-sealed")
    expect(codeOf(publicRoom, wireOf(3, secretRoom))).toBe("profile-malformed")
    const wire = Base64url.decode(wireOf(3, secretRoom))!
    const clear = Buffer.from(wire).toString("latin1")
    for (const word of ["answers", "chess", "identity", unsigned(keysOf(3), secretRoom).identityKey]) {
      expect(clear).not.toContain(word)
    }
  })
  it("stale: from the future, over, or made to last", () => {
    const fresh = Limits.freshnessMs
    fc.assert(
      fc.property(
        fc.integer({ min: -2 * fresh, max: 2 * fresh }),
        fc.integer({ min: 1, max: 2 * Limits.profileAgeMs }),
        (ahead, lasts) => {
          const issuedMs = noonMs + ahead
          const wire = wireOf(3, publicRoom, { issuedMs, expiresMs: issuedMs + lasts })
          const timely = ahead <= fresh && lasts <= Limits.profileAgeMs && ahead + lasts > 0
          expect(codeOf(publicRoom, wire)).toBe(timely ? "read" : "profile-stale")
        }
      ),
      { numRuns: 100 }
    )
    expect(codeOf(publicRoom, wireOf(3, publicRoom, { expiresMs: noonMs - 1, issuedMs: noonMs }))).toBe("profile-stale")
  })
  it("oversize: refused before it is read", () => {
    expect(codeOf(publicRoom, "A".repeat(Limits.profileCharactersMax + 1))).toBe("profile-too-large")
    for (const bad of [
      { name: "bob", description: "x".repeat(501), tags: [] },
      { name: "b".repeat(65), description: "", tags: [] },
      { name: "bob", description: "", tags: Array.from({ length: 17 }, (_, i) => `t${i}`) },
      { name: "bob", description: "", tags: ["t".repeat(33)] },
      { name: "bob", description: "two\nlines", tags: [] },
      { name: "bob", description: "\u202eturned", tags: [] }
    ]) {
      expect(codeOf(publicRoom, wireOf(3, publicRoom, { content: bad })), JSON.stringify(bad)).toBe("profile-malformed")
      expect(Result.isFailure(Profile.parseContent(bad))).toBe(true)
    }
  })
})

describe("the directory of a topic", () => {
  const luck = new Uint8Array([1, 2, 3])
  const admit = (directory: Directory.Directory, profile: ReturnType<typeof profileOf>, met = false) =>
    Directory.admit(directory, profile, met, noonMs, luck)

  it("rolled back: an older version is refused while the key is held, after it left, and after it gave way", () => {
    const [old, newer] = [profileOf(1, publicRoom, { version: 4 }), profileOf(1, publicRoom, { version: 5 })]
    const held = admit(Directory.empty, newer).directory
    expect(admit(held, old).outcome).toBe("older")
    const left = Directory.leave(held, newer.value.identityKey)
    expect(admit(left, newer).outcome).toBe("older")
    expect(admit(left, profileOf(1, publicRoom, { version: 6 })).outcome).toBe("new")
    const last = profileOf(1, publicRoom, { version: 6, content: null })
    const gone = admit(held, last)
    expect(gone.outcome).toBe("left")
    expect(Directory.size(gone.directory)).toBe(0)
    expect(admit(gone.directory, newer).outcome).toBe("older")
  })
  it("two profiles of one version by one key: the first is kept, and it is told", () => {
    const first = profileOf(1, publicRoom)
    const second = profileOf(1, publicRoom, { content: { name: "eve", description: "", tags: [] } })
    const held = admit(Directory.empty, first).directory
    const both = admit(held, second, true)
    expect(both.outcome).toBe("conflict")
    expect(Directory.member(both.directory, first.value.identityKey)?.profile).toEqual(first.value)
  })
})
