/**
 * What people compare, and what comes of it: fingerprints of pairs, the table of marks, demands, and the short string.
 * It never relies on one example where ten thousand are cheap.
 * That two keys give words that differ in three places at least is a chance of all but 2^-91, computed below.
 */
import { HashMap, Redacted } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Sas from "../../core/friend/Sas.ts"
import * as Trust from "../../core/friend/Trust.ts"
import { Base64url, Describe, Fingerprint, type Keys, Limits } from "../../core/index.ts"
import { crypto, person } from "../arbitraries/state.ts"
import { Pair } from "../models/pair.ts"

const keyOf = (text: string): Uint8Array =>
  crypto.ed25519PublicKey(Redacted.make(crypto.sha256(new TextEncoder().encode(text))))

/** How many of the eight words differ. */
const differing = (one: string, other: string): number => {
  const [a, b] = [one.split(" "), other.split(" ")]
  return a.filter((word, index) => word !== b[index]).length
}

describe("fingerprints of 10,000 random pairs", () => {
  it("are the same from both sides, and no two pairs share words or number", () => {
    const words = new Set<string>()
    const numbers = new Set<string>()
    for (let pair = 0; pair < 10_000; pair++) {
      const [mine, theirs] = [keyOf(`mine ${pair}`), keyOf(`theirs ${pair}`)]
      const [here, there] = [Fingerprint.of(crypto, mine, theirs), Fingerprint.of(crypto, theirs, mine)]
      expect(here).toEqual(there)
      words.add(here.words)
      numbers.add(here.number)
    }
    expect([words.size, numbers.size]).toEqual([10_000, 10_000])
  })
  it("are what both nodes show", () => {
    const pair = new Pair(person("alice"), person("bob"))
    const shown = pair.both.map(({ nowMs, state }) => Describe.describe(crypto, state, nowMs).friends[0]!.fingerprint)
    expect(shown[0]).toEqual(shown[1])
  })
})

describe("one bit of a key", () => {
  it("changes three words or more, wherever it is, in either key", () => {
    // 40 pairs, 2 keys, 256 bits: 20,480 changes. The bytes decide; whether they are a valid key does not matter here.
    let fewest = 8
    for (let pair = 0; pair < 40; pair++) {
      const keys = [keyOf(`mine ${pair}`), keyOf(`theirs ${pair}`)] as const
      const before = Fingerprint.of(crypto, ...keys).words
      for (const which of [0, 1] as const) {
        for (let bit = 0; bit < 256; bit++) {
          const changed = keys[which].slice()
          changed[bit >> 3]! ^= 1 << (bit & 7)
          const after =
            which === 0 ? Fingerprint.of(crypto, changed, keys[1]) : Fingerprint.of(crypto, keys[0], changed)
          fewest = Math.min(fewest, differing(before, after.words))
        }
      }
    }
    expect(fewest).toBeGreaterThanOrEqual(3)
  })
  it("fails to with a chance below 2^-91: six of eight independent words of 16 bits would have to stay", () => {
    const choose = [1, 8, 28, 56, 70, 56, 28, 8, 1]
    const stays = 2 ** -16
    const chance = [6, 7, 8].reduce((sum, same) => sum + choose[same]! * stays ** same * (1 - stays) ** (8 - same), 0)
    expect(Math.log2(chance)).toBeLessThan(-91)
  })
})

describe("the table of marks", () => {
  const states = Object.keys(Trust.transitions) as ReadonlyArray<Trust.State>
  const event = fc.constantFrom<Trust.Event>(
    "compares",
    "matches",
    "mismatches",
    "rotates",
    "compromises",
    "doubts",
    "confirms",
    "takesBack",
    "ends"
  )
  it("comes to verified by a comparison only, and leaves it by everything but a key that is vouched for", () => {
    for (const state of states) {
      const into = Object.entries(Trust.transitions[state]).filter(([, to]) => to === "verified")
      const by = into.map(([name]) => name).filter((name) => state !== "verified" || name !== "rotates")
      expect(by).toEqual(["compares", "matches"])
    }
    for (const name of ["mismatches", "compromises", "doubts", "takesBack", "ends"] as const)
      expect(Trust.next("verified", name)).not.toBe("verified")
    expect(Trust.diagram()).toContain("verified --> changed: doubts")
  })
  it("is followed by the mark of a friend, whose keys must lead from what was compared", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 12 }), (events) => {
        let friend: Trust.Marked = { identityKey: "k0" as Keys.RemoteIdentityKey }
        let [state, keys]: [Trust.State, number] = ["unverified", 0]
        for (const one of events) {
          if (one === "rotates" || one === "compromises") {
            const earlier = [...(friend.earlier ?? []), { key: friend.identityKey }]
            friend = { ...friend, earlier, identityKey: `k${++keys}` as Keys.RemoteIdentityKey }
          }
          friend = Trust.after(friend, one, 1)
          state = Trust.next(state, one)
          expect(Trust.of(friend)).toBe(state)
          expect(Trust.isVerified(friend)).toBe(state === "verified")
        }
        // Another key than what was compared leads to, however it came there, is not believed.
        expect(Trust.isVerified({ ...friend, identityKey: "other" as Keys.RemoteIdentityKey, earlier: [] })).toBe(false)
      })
    )
  })
})

describe("the short string", () => {
  const id = "0".repeat(32)
  const hash = Base64url.encode(crypto.sha256(new Uint8Array(1)))
  const [a, b, c] = ["a", "b", "c"].map((name) => Base64url.encode(keyOf(name)) as Keys.RemoteIdentityKey)
  const terms: Sas.Terms = { id, initiator: a!, responder: b!, handshakeHash: hash }
  const nonces = [crypto.sha256(new Uint8Array(2)), crypto.sha256(new Uint8Array(3))] as const
  const of = (one: Sas.Terms, first: Uint8Array = nonces[0], second: Uint8Array = nonces[1]) =>
    Sas.short(Sas.digest(crypto.sha256, one, first, second))

  it("is two words and eight digits, of bytes that are not shared", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
        const { number, words } = Sas.short(bytes)
        expect(words).toMatch(/^[bdfghjklmnprstvz][aiou][bdfghjklmnprstvz][aiou][bdfghjklmnprstvz] [a-z]{5}$/)
        expect(number).toMatch(/^\d{4} \d{4}$/)
        expect(Limits.sasDigitsMax).toBe(8)
        const rest = bytes.slice()
        rest.fill(0, 4)
        expect(Sas.short(rest).words).toBe(words)
        rest.set(bytes.subarray(4, 9), 4)
        rest.fill(0, 0, 4)
        expect(Sas.short(rest).number).toBe(number)
      })
    )
    expect(Sas.short(new Uint8Array(32).fill(255))).toEqual({ words: "zuzuz zuzuz", number: "1162 7775" })
  })
  it("and its commitment are others where a key, the order, the session, the comparison or a nonce is another", () => {
    const others: ReadonlyArray<Sas.Terms> = [
      { ...terms, initiator: c! },
      { ...terms, responder: c! },
      { ...terms, initiator: b!, responder: a! },
      { ...terms, handshakeHash: Base64url.encode(crypto.sha256(new Uint8Array(9))) },
      { ...terms, id: "1".repeat(32) }
    ]
    const strings = [terms, ...others].map((one) => JSON.stringify(of(one)))
    strings.push(JSON.stringify(of(terms, nonces[1], nonces[0])), JSON.stringify(of(terms, nonces[0], nonces[0])))
    expect(new Set(strings).size).toBe(strings.length)
    const commitments = [terms, ...others].map((one) => Sas.commitment(crypto.sha256, one, nonces[0]))
    commitments.push(Sas.commitment(crypto.sha256, terms, nonces[1]))
    expect(new Set(commitments).size).toBe(commitments.length)
    expect(of({ ...terms })).toEqual(of(terms))
  })
  it("is spread evenly: of 65,536 strings no first byte and no last digit is far from its share", () => {
    const bytes = new Map<number, number>()
    const digits = new Map<string, number>()
    for (let count = 0; count < 65_536; count++) {
      const nonce = crypto.sha256(new Uint8Array([count & 255, count >> 8]))
      const digest = Sas.digest(crypto.sha256, terms, nonce, nonces[1])
      bytes.set(digest[0]!, (bytes.get(digest[0]!) ?? 0) + 1)
      const last = Sas.short(digest).number.slice(-1)
      digits.set(last, (digits.get(last) ?? 0) + 1)
    }
    // Six standard deviations of 256 and of 6,554.
    for (let byte = 0; byte < 256; byte++) expect(Math.abs((bytes.get(byte) ?? 0) - 256)).toBeLessThan(96)
    for (const [, count] of digits) expect(Math.abs(count - 6_553.6)).toBeLessThan(6 * Math.sqrt(6_553.6 * 0.9))
  })
  it("is over when the first comparison is, or never", () => {
    const check: Sas.Check = { stage: "invited", id, connection: "c", expiresAtMs: 7 }
    expect(Sas.soonestMs(HashMap.empty())).toBe(Number.POSITIVE_INFINITY)
    expect(Sas.soonestMs(HashMap.make(["a", { ...check, expiresAtMs: 9 }], ["b", check]))).toBe(7)
  })
  it("leaves no nonce without our operator, in any order of what the table lets happen", () => {
    // A nonce is out from `answered` on, or once the string is there; `committed` keeps it.
    for (const [from, row] of Object.entries(Sas.transitions))
      for (const [event, to] of Object.entries(row))
        if (to === "answered") expect([event, from === "committed" || event === "weBegin"]).toEqual([event, true])
    expect(Sas.next("invited", "theyReveal")).toBeUndefined()
    expect(Sas.next("idle", "theyReveal")).toBeUndefined()
    for (const stage of ["matched", "differed"] as const) expect(Sas.transitions[stage]).toEqual({})
    // Matched takes both words, and ours is never the peer's.
    const into = Object.entries(Sas.transitions).flatMap(([from, row]) =>
      Object.entries(row).flatMap(([event, to]) => (to === "matched" ? [[from, event]] : []))
    )
    expect(into).toEqual([
      ["agreed", "theyAgree"],
      ["awaited", "weAgree"]
    ])
  })
})

it("the man in the middle's share of an hour is in the bounds", () => {
  expect((2 * Limits.sasPerHour) / 10 ** Limits.sasDigitsMax).toBeLessThanOrEqual(2 ** -20)
  expect((2 * Limits.sasPerHour) / 2 ** 32).toBeLessThanOrEqual(2 ** -20)
})
