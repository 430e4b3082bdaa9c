/**
 * The laws of the identity room: ids, keys, names, statements and fingerprints.
 * It never asks the code under test for an expected value: pinned ones were computed by a second program from the protocol.
 * Both engines run where keys are judged, because a key that one engine admits and the other refuses splits the network.
 */
import { Buffer } from "node:buffer"
import { inspect } from "node:util"
import { Redacted, Result } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  Base64url,
  Fingerprint,
  FriendLine,
  Keys,
  Name,
  PeerId,
  type Rejection,
  Statement,
  type Transcript
} from "../../core/index.ts"
import { bytesOf, turned } from "../arbitraries/bytes.ts"
import { agreementOf, engines, identityOf, keysOf, localKeys, sodium } from "../arbitraries/keys.ts"
import { signedLine, wording } from "../arbitraries/lines.ts"
import { oddButValid, refused, validName } from "../arbitraries/names.ts"
import { keyByRule, pointWithTorsion, smallOrderMisspelled, torsion, unreduced } from "../conformance/Crypto.hostile.ts"

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")
const filled = (byte: number) => Keys.generate({ ...sodium, randomBytes: (n) => new Uint8Array(n).fill(byte) }, 0)
const one = filled(1)
const two = filled(2)

describe("law: a PeerId is a function of the key alone", () => {
  it("pinned: the id and the topic of one key", () => {
    expect(hexOf(one.identityKey)).toBe("8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c")
    for (const crypto of engines) {
      const id = PeerId.of(crypto, identityOf(one))
      expect(id).toBe("a145da3375664585a06bc252526ef7fd5fea8b45606d7e47ca2be974109e1a11")
      expect(PeerId.short(id)).toBe("a145da33")
      const topic = "1051008e99902b40505be0f58278bde938f5059c1f639da80bb8102e6d475cab"
      expect(hexOf(PeerId.topicOf(crypto, one.identityKey))).toBe(topic)
    }
  })

  it("the same key gives the same id, another key another, and the topic is never the id", () => {
    fc.assert(
      fc.property(localKeys, localKeys, (a, b) => {
        const [id, other] = [PeerId.of(sodium, identityOf(a)), PeerId.of(sodium, identityOf(b))]
        expect(id).toMatch(/^[0-9a-f]{64}$/)
        expect(PeerId.of(sodium, identityOf(a))).toBe(id)
        expect(id === other).toBe(hexOf(a.identityKey) === hexOf(b.identityKey))
        const topic = hexOf(PeerId.topicOf(sodium, a.identityKey))
        expect([id, hexOf(a.identityKey), hexOf(sodium.sha256(a.identityKey))]).not.toContain(topic)
      }),
      { numRuns: 50 }
    )
  })
})

/** Every way in which the secrets of a set of keys could show in a text. */
const spellingsOf = (keys: Keys.LocalKeys): ReadonlyArray<string> =>
  [keys.identitySeed, keys.agreementScalar, keys.swarmSeed].map(Redacted.value).flatMap((secret) => {
    const buffer = Buffer.from(secret)
    const base64 = buffer.toString("base64").slice(0, 40)
    return [hexOf(secret), base64, buffer.toString("base64url"), [...secret].join(","), [...secret].join(", ")]
  })

const squeezed = (text: string): string => text.replace(/\s+/g, " ")

describe("law: local keys", () => {
  it("pinned: the swarm seed is HKDF of the identity seed", () => {
    const pinned = "5b53953b55e598c50568aceb32378d7a32add7a76eb1ee2e2305e0ca0f9cf45f"
    expect(hexOf(Redacted.value(one.swarmSeed))).toBe(pinned)
    for (const crypto of engines) expect(spellingsOf(keysOf(0, crypto))).toEqual(spellingsOf(keysOf(0)))
  })

  it("the three secrets differ, and the swarm key is not the identity key", () => {
    fc.assert(
      fc.property(localKeys, (keys) => {
        const secrets = [keys.identitySeed, keys.agreementScalar, keys.swarmSeed].map((key) =>
          hexOf(Redacted.value(key))
        )
        expect(new Set(secrets).size).toBe(3)
        expect(hexOf(sodium.ed25519PublicKey(keys.swarmSeed))).not.toBe(hexOf(keys.identityKey))
      }),
      { numRuns: 30 }
    )
  })

  it("come back from their document: every secret, every public key, the time", () => {
    fc.assert(
      fc.property(localKeys, fc.constantFrom(...engines), (keys, crypto) => {
        const back = Keys.fromDocument(crypto, Keys.toDocument(keys))
        expect(back).toBeDefined()
        expect(spellingsOf(back!)).toEqual(spellingsOf(keys))
        expect([back!.identityKey, back!.agreementKey, back!.createdAtMs]).toEqual([
          keys.identityKey,
          keys.agreementKey,
          keys.createdAtMs
        ])
      }),
      { numRuns: 20 }
    )
  })

  it("a document that is not exactly ours is no keys, and no exception", () => {
    const whole = JSON.parse(Redacted.value(Keys.toDocument(one))) as Record<string, unknown>
    const read = (document: string) => Keys.fromDocument(sodium, Redacted.make(document))
    expect(read(JSON.stringify(whole))).toBeDefined()
    const seed = String(whole["identitySeed"])
    const changed: ReadonlyArray<Record<string, unknown>> = [
      { version: 2 },
      { version: "3" },
      { identitySeed: seed.slice(1) },
      { identitySeed: `${seed}=` },
      { identitySeed: `${seed.slice(0, -1)}B` },
      { identitySeed: null },
      { agreementScalar: "" },
      { agreementScalar: 7 },
      { createdAtMs: 0.5 },
      { createdAtMs: "0" },
      { history: null },
      { history: [{}] },
      { recoveryCommitment: "" }
    ]
    for (const change of changed) expect(read(JSON.stringify({ ...whole, ...change })), inspect(change)).toBeUndefined()
    // A document from before there were rotations has no history, and is ours.
    for (const name of Object.keys(whole).filter((one) => one !== "history")) {
      const without = Object.fromEntries(Object.entries(whole).filter(([key]) => key !== name))
      expect(read(JSON.stringify(without)), name).toBeUndefined()
    }
    for (const text of ["", "null", "{}", "[]", "3", '"x"', "{", "[".repeat(100_000)])
      expect(read(text)).toBeUndefined()
    fc.assert(fc.property(fc.string(), (text) => void expect(read(text)).toBeUndefined()))
  })

  it("do not print: no secret in inspect, JSON or a string of the keys or of their document", () => {
    fc.assert(
      fc.property(localKeys, (keys) => {
        const document = Keys.toDocument(keys)
        const parts = [keys, document, keys.identitySeed, keys.agreementScalar, keys.swarmSeed]
        const options = { depth: Number.POSITIVE_INFINITY, showHidden: true, maxArrayLength: null, getters: true }
        const shown = parts.flatMap((part) => [inspect(part, options), JSON.stringify(part), String(part), `${part}`])
        const everything = squeezed(
          [...shown, inspect({ nested: [keys] }, options), new Error(String(keys)).stack].join("\n")
        )
        for (const spelling of spellingsOf(keys)) expect(everything).not.toContain(squeezed(spelling))
        // What it looks for is there to be found: the public key shows in the same spellings.
        expect(everything).toContain([...keys.identityKey].join(", "))
      }),
      { numRuns: 10 }
    )
  })
})

/** Whether both engines admit an identity key in this spelling; a difference fails. */
const admitted = (text: string): boolean => {
  const verdicts = engines.map((crypto) => Keys.remoteIdentityKey(crypto, text))
  for (const verdict of verdicts) if (Result.isFailure(verdict)) expect(verdict.failure.code).toBe("key-invalid")
  const [first, second] = verdicts.map(Result.isSuccess)
  expect(first).toBe(second)
  return first === true
}

describe("law: remote keys are admitted by one rule", () => {
  it("honest identity keys are, and give their bytes back", () => {
    fc.assert(
      fc.property(localKeys, (keys) => {
        const text = Base64url.encode(keys.identityKey)
        expect(admitted(text)).toBe(true)
        expect(Keys.keyBytes(identityOf(keys))).toEqual(keys.identityKey)
      }),
      { numRuns: 20 }
    )
  })

  it("points of small order, of mixed order, and non-canonical spellings are not", () => {
    const small = torsion.map((point) => point.toBytes())
    const mixed = [1, 2, 3, 4, 5, 6, 7].map((index) => pointWithTorsion(31_415n, index).bytes)
    const misspelled = smallOrderMisspelled.map(({ bytes }) => bytes)
    for (const bytes of [...small, ...mixed, ...misspelled, ...unreduced]) {
      expect(admitted(Base64url.encode(bytes)), hexOf(bytes)).toBe(false)
    }
    expect(admitted(Base64url.encode(pointWithTorsion(31_415n, 0).bytes))).toBe(true)
  })

  it("any 32 bytes are judged as the written rule says", () => {
    fc.assert(
      fc.property(bytesOf(32), (bytes) => {
        expect(admitted(Base64url.encode(bytes))).toBe(keyByRule(bytes))
      }),
      { numRuns: 60 }
    )
  })

  it("every kind of key has one spelling: 43 characters, no padding, no stray bits, no other alphabet", () => {
    const agreement = Keys.remoteAgreementKey
    const kinds = [(text: string) => Keys.remoteIdentityKey(sodium, text), agreement, Keys.remoteSwarmKey]
    const right = Base64url.encode(one.identityKey)
    const stray = right.slice(0, -1) + String.fromCharCode(right.charCodeAt(42) + 1)
    const hostile = ["", right.slice(1), `${right}A`, `${right}=`, ` ${right}`, `${right}\n`, stray, "+".repeat(43)]
    const spki = "MCowBQYDK2VwAyEAtxAcSDKkJQebhmFF2OnrsUPugxr6dhWRA355bwsPpn4="
    for (const admit of kinds) {
      const parse = (text: string): Result.Result<string, Rejection.Rejection> => admit(text)
      expect(Result.isSuccess(parse(right))).toBe(true)
      for (const text of [...hostile, spki, hexOf(one.identityKey)]) {
        expect(Result.isFailure(parse(text)), JSON.stringify(text)).toBe(true)
      }
    }
  })
})

describe("law: Name", () => {
  it("accepts what people use and what only looks like an attack, and drops one leading @", () => {
    for (const name of ["alice", "Bob-2", "a", "名前", "z".repeat(64), "🦊".repeat(64), ...oddButValid]) {
      expect(Name.parse(name), name).toEqual(Result.succeed(name))
      expect(Name.parse(`@${name}`), name).toEqual(Result.succeed(name))
    }
  })

  it("refuses each of the table, as name-invalid", () => {
    for (const [why, names] of Object.entries(refused))
      for (const name of names) {
        const parsed = Name.parse(name)
        expect(Result.isFailure(parsed) && parsed.failure.code, `${why}: ${JSON.stringify(name)}`).toBe("name-invalid")
      }
  })

  it("refuses a valid name as soon as one forbidden character is in it, anywhere", () => {
    const forbidden = fc.constantFrom(
      ..."| \t\n\r\u0000\u00a0\u200b\u200d\u202e\u2067\ufeff\u3164\ue000\u2800\u00ad".split("")
    )
    fc.assert(
      fc.property(validName, forbidden, fc.nat(), (name, character, at) => {
        const points = Array.from(name).slice(0, 60)
        const place = at % (points.length + 1)
        const spoiled = [...points.slice(0, place), character, ...points.slice(place)].join("")
        expect(Result.isFailure(Name.parse(spoiled))).toBe(true)
      })
    )
  })

  it("what is accepted is at most 64 visible code points, NFC, and is its own spelling", () => {
    const text = fc.oneof(validName, fc.string({ unit: "binary", maxLength: 8 }), fc.string({ maxLength: 80 }))
    fc.assert(
      fc.property(text, (drawn) => {
        const parsed = Name.parse(drawn)
        if (Result.isFailure(parsed)) return
        const name = parsed.success
        expect(drawn === name || drawn === `@${name}`).toBe(true)
        expect(name.normalize("NFC")).toBe(name)
        expect(Array.from(name).length).toBeLessThanOrEqual(64)
        expect(name).not.toMatch(/[\s|\p{Cc}\p{Cf}\p{Zs}]/u)
        expect(Name.parse(name)).toEqual(parsed)
      }),
      { numRuns: 300 }
    )
  })

  it("fold is idempotent, blind to case, and keeps different letters apart", () => {
    fc.assert(
      fc.property(validName, (name) => {
        const folded = Name.fold(name)
        expect(Name.fold(folded)).toBe(folded)
        expect(Name.fold(name.replace(/[a-z]/g, (letter) => letter.toUpperCase()))).toBe(folded)
        expect(Name.fold(`${name}x`)).not.toBe(folded)
      })
    )
    expect([Name.fold("BOB"), Name.fold("ÄÖÜ"), Name.fold("ЖЯ")]).toEqual(["bob", "äöü", "жя"])
    expect(Name.fold("I")).toBe("i")
    expect(Name.fold("bob")).not.toBe(Name.fold("bоb"))
  })

  it("a valid name survives being printed in a friend line and read again, with its signature", () => {
    fc.assert(
      fc.property(wording(validName), (words) => {
        const line = signedLine(words)
        const reading = FriendLine.parse(sodium, FriendLine.print(line))
        expect(reading).toEqual({ kind: "line", line })
        expect(Result.isSuccess(FriendLine.verify(sodium, line))).toBe(true)
      }),
      { numRuns: 150 }
    )
    for (const name of oddButValid) {
      const line = signedLine({ kind: "request", to: name, from: name, tsMs: 1, seed: 1 })
      expect(FriendLine.parse(sodium, FriendLine.print(line)), name).toEqual({ kind: "line", line })
    }
  })
})

const purposes = Object.keys(Statement.labels) as ReadonlyArray<Statement.Purpose>
const field: fc.Arbitrary<Transcript.Field> = fc.oneof(
  fc.uint8Array({ maxLength: 20 }),
  fc.string({ unit: "grapheme", maxLength: 10 }),
  fc.maxSafeNat()
)
const statement = fc.record({
  purpose: fc.constantFrom(...purposes),
  fields: fc.array(field, { minLength: 1, maxLength: 5 })
})

/** Another field than this one, in bytes too. */
const changed = (value: Transcript.Field): Transcript.Field =>
  typeof value === "string"
    ? `${value}.`
    : typeof value === "number"
      ? (value + 1) % 2 ** 53
      : new Uint8Array([...value, 0])

const verdict = (signer: Keys.LocalKeys, said: Statement.Statement, signature: Uint8Array) =>
  Statement.verify(sodium, identityOf(signer), said, signature, "value", "line-forged")

describe("law: a Statement is bound to its signer, its purpose and every field", () => {
  it("labels are distinct and name the protocol", () => {
    const labels = Object.values(Statement.labels)
    expect(new Set(labels).size).toBe(labels.length)
    for (const label of labels) expect(label).toMatch(/^wop\/3 [a-z-]+$/)
    expect(Statement.labels).toEqual({
      friendRequest: "wop/3 friend-request",
      friendAccept: "wop/3 friend-accept",
      proof: "wop/3 proof",
      message: "wop/3 message",
      rotation: "wop/3 rotation",
      profile: "wop/3 profile",
      auditHead: "wop/3 audit-head"
    })
  })

  it("verifies as signed, and gives signer, id, topic and value", () => {
    fc.assert(
      fc.property(localKeys, statement, fc.constantFrom(...engines), (keys, said, crypto) => {
        const authentic = Result.getOrThrow(verdict(keys, said, Statement.sign(crypto, keys, said)))
        expect(authentic.value).toBe("value")
        expect(authentic.signer).toEqual({
          key: identityOf(keys),
          peerId: PeerId.of(sodium, identityOf(keys)),
          topic: Base64url.encode(PeerId.topicOf(sodium, keys.identityKey))
        })
        expect(Statement.holds(crypto, identityOf(keys), said, Statement.sign(crypto, keys, said))).toBe(true)
      }),
      { numRuns: 30 }
    )
  })

  it("refuses another purpose, any other field, order or count, another key, and any turned bit", () => {
    fc.assert(
      fc.property(localKeys, statement, fc.nat(511), (keys, said, bit) => {
        const signature = Statement.sign(sodium, keys, said)
        const { fields, purpose } = said
        const others: ReadonlyArray<Statement.Statement> = [
          ...purposes.filter((other) => other !== purpose).map((other) => ({ purpose: other, fields })),
          ...fields.map((value, at) => ({ purpose, fields: fields.with(at, changed(value)) })),
          ...fields.map((_, at) => ({ purpose, fields: fields.toSpliced(at, 1) })),
          { purpose, fields: [...fields, ""] },
          { purpose, fields: ["", ...fields] }
        ]
        const refusals = [
          ...others.map((other) => verdict(keys, other, signature)),
          verdict(two, said, signature),
          verdict(keys, said, turned(signature, bit)),
          verdict(keys, said, signature.subarray(1)),
          verdict(keys, said, new Uint8Array(64))
        ]
        for (const refusal of refusals) expect(Result.isFailure(refusal) && refusal.failure.code).toBe("line-forged")
      }),
      { numRuns: 60 }
    )
  })
})

describe("law: a Fingerprint is what both sides read", () => {
  it("pinned: words, number and QR text of one pair", () => {
    for (const crypto of engines)
      expect(Fingerprint.of(crypto, one.identityKey, two.identityKey)).toEqual({
        words: "fivut hidad marag zogov fihur lilab vugom jokih",
        number: "67892 15077 86233 56950 23829 40953 57857 40428 24026 50240 53653 30388",
        qr: "wop3-fingerprint:gTl3Dqh9F19Wo1Rmw0x-zMuNipG07jeiXfYPW4_Js5Q:iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w"
      })
  })

  it("is the same from both sides, has its format, and changes in all three forms with either key", () => {
    fc.assert(
      fc.property(bytesOf(32), bytesOf(32), fc.nat(255), (a, b, bit) => {
        const fingerprint = Fingerprint.of(sodium, a, b)
        expect(Fingerprint.of(sodium, b, a)).toEqual(fingerprint)
        expect(fingerprint.words).toMatch(
          /^([bdfghjklmnprstvz][aiou][bdfghjklmnprstvz][aiou][bdfghjklmnprstvz]( |$)){8}$/
        )
        expect(fingerprint.number).toMatch(/^([0-9]{5}( |$)){12}$/)
        expect(fingerprint.qr).toMatch(/^wop3-fingerprint:[A-Za-z0-9_-]{43}:[A-Za-z0-9_-]{43}$/)
        for (const other of [Fingerprint.of(sodium, turned(a, bit), b), Fingerprint.of(sodium, a, turned(b, bit))]) {
          expect(other.words).not.toBe(fingerprint.words)
          expect(other.number).not.toBe(fingerprint.number)
          expect(other.qr).not.toBe(fingerprint.qr)
        }
      })
    )
  })

  it("depends on the identity keys, not on the agreement keys that lines also carry", () => {
    expect(String(agreementOf(one))).not.toBe(String(identityOf(one)))
    expect(Fingerprint.of(sodium, one.identityKey, two.identityKey).qr).not.toContain(agreementOf(one))
  })
})
