/**
 * Somebody between two operators who compare: how often the two strings come to be the same, by every plan we know of.
 * It never gives the attacker less than the network does: both sessions are its own, and it sees, keeps and delays all.
 * The string is cut to eight bits, or four, so that successes can be counted; each plan is also run where its defence is missing.
 *
 * Why no plan is better than 2^-32 for the words (10^-8 for the digits) each time both operators take part, in the model
 * where SHA-256 is a random function: (1) The strings are hashes over different keys, so they are independent unless the
 * attacker finds inputs that collide in the bits shown. (2) An honest side's own nonce is 32 fresh bytes, and it enters
 * the string last: the initiator's was committed to before the responder's was seen and is sent after it, and it cannot
 * be read out of the commitment; the responder's is sent after the initiator is bound by the commitment. So for each
 * string everything that the attacker chooses is fixed before the honest nonce that completes it is known. (3) Of the two
 * strings one is completed last, by a nonce that is uniform and independent of the other string, which is fixed by then.
 * It equals that one with probability 2^-32. (4) An attempt needs the word of an operator at the end that completes it,
 * and each end takes part four times an hour: with n and m attempts at most n + m - 1 pairs of strings are ever open
 * together, so an hour is worth 8 guesses: 2^-29 for the words, 2^-23 for the digits, both below 2^-20.
 */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Sas from "../../core/friend/Sas.ts"
import * as Trust from "../../core/friend/Trust.ts"
import { Base64url, type Keys, Limits, type Message } from "../../core/index.ts"
import { crypto, person } from "../arbitraries/state.ts"
import { End } from "../models/pair.ts"

const sha256 = crypto.sha256
const keys = ["alice", "bob", "to alice", "to bob"].map(
  (name) => Base64url.encode(sha256(new TextEncoder().encode(name))) as Keys.RemoteIdentityKey
)
const [alice, bob, asBob, asAlice] = keys as [
  Keys.RemoteIdentityKey,
  Keys.RemoteIdentityKey,
  Keys.RemoteIdentityKey,
  Keys.RemoteIdentityKey
]
const id = "0".repeat(32)
const hashOf = (name: string) => Base64url.encode(sha256(new TextEncoder().encode(name)))
/** What alice holds her string to when she begins and when she answers; and bob his. */
const at = {
  aliceBegins: { id, initiator: alice, responder: asBob, handshakeHash: hashOf("alice and mallory") },
  aliceAnswers: { id, initiator: asBob, responder: alice, handshakeHash: hashOf("alice and mallory") },
  bobAnswers: { id, initiator: asAlice, responder: bob, handshakeHash: hashOf("mallory and bob") }
} satisfies Record<string, Sas.Terms>

/** Eight bits of a string, where people see thirty-two; four, where each run tries many. */
const cut = (terms: Sas.Terms, first: Uint8Array, second: Uint8Array, bits: 4 | 8 = 8): number =>
  Sas.digest(sha256, terms, first, second)[0]! >> (8 - bits)

/** Fresh nonces, from a number: the same run tomorrow. */
const fresh = (plan: string) => {
  let count = 0
  return (): Uint8Array => sha256(new TextEncoder().encode(`${plan} ${count++}`))
}

/** Whether a commitment holds: what the honest responder checks before it shows anything. */
const holds = (terms: Sas.Terms, commitment: string, nonce: Uint8Array): boolean =>
  Sas.commitment(sha256, terms, nonce) === commitment

/** Plays a plan so often that its share is known to a few per cent, and holds it against a guess of so many bits. */
const expectGuess = (plan: string, bits: 4 | 8, once: (draw: () => Uint8Array) => boolean): void => {
  const draw = fresh(plan)
  const runs = bits === 8 ? 40_000 : 6_000
  let successes = 0
  for (let run = 0; run < runs; run++) if (once(draw)) successes++
  const chance = 2 ** -bits
  // Six standard deviations.
  expect(Math.abs(successes / runs - chance)).toBeLessThan(6 * Math.sqrt((chance * (1 - chance)) / runs))
}

/** So many nonces, tried until one fits: the work that an attacker can do in a moment. */
const grind = (fits: (nonce: Uint8Array) => boolean, draw: () => Uint8Array, tries = 4_096): Uint8Array => {
  let nonce = draw()
  for (let left = tries; left > 0 && !fits(nonce); left--) nonce = draw()
  return nonce
}

describe("a plan of the man in the middle", () => {
  it("to pass on what it can and choose its own nonces as they come: one in 2^8", () => {
    expectGuess("blind", 8, (draw) => {
      const [hers, his, toAlice, toBob] = [draw(), draw(), draw(), draw()]
      return cut(at.aliceBegins, hers, toAlice) === cut(at.bobAnswers, toBob, his)
    })
  })
  it("to choose among its own keys before: one in 2^8, for the nonces come after", () => {
    expectGuess("its own keys", 8, (draw) => {
      const mine = Base64url.encode(draw()) as Keys.RemoteIdentityKey
      const [hers, his, toAlice, toBob] = [draw(), draw(), draw(), draw()]
      const alices = cut({ ...at.aliceBegins, responder: mine }, hers, toAlice)
      return cut({ ...at.bobAnswers, initiator: mine }, toBob, his) === alices
    })
  })
  it("to commit to bob first, learn his nonce, and grind what alice gets: one in 2^4 of four bits", () => {
    expectGuess("bob first", 4, (draw) => {
      const [hers, his, toBob] = [draw(), draw(), draw()]
      const bobs = cut(at.bobAnswers, toBob, his, 4)
      // Alice's nonce is still behind her commitment: what is ground is ground against a guess of it.
      const guess = draw()
      const toAlice = grind((nonce) => cut(at.aliceBegins, guess, nonce, 4) === bobs, draw)
      return cut(at.aliceBegins, hers, toAlice, 4) === bobs
    })
  })
  it("to answer alice first, learn her nonce, and grind what bob is committed to: one in 2^4 of four bits", () => {
    expectGuess("alice first", 4, (draw) => {
      const [hers, his, toAlice] = [draw(), draw(), draw()]
      const alices = cut(at.aliceBegins, hers, toAlice, 4)
      const guess = draw()
      const toBob = grind((nonce) => cut(at.bobAnswers, nonce, guess, 4) === alices, draw)
      return cut(at.bobAnswers, toBob, his, 4) === alices
    })
  })
  it("to begin with both, see both nonces, and reveal what fits: one in 2^4 of four bits, for it is bound", () => {
    expectGuess("both begin", 4, (draw) => {
      const [toAlice, toBob] = [draw(), draw()]
      const forBob = Sas.commitment(sha256, at.bobAnswers, toBob)
      const [hers, his] = [draw(), draw()]
      const alices = cut(at.aliceAnswers, toAlice, hers, 4)
      // Some other nonce for bob fits, and it is not what he was committed to.
      const late = grind((nonce) => cut(at.bobAnswers, nonce, his, 4) === alices, draw)
      const revealed = holds(at.bobAnswers, forBob, late) ? late : toBob
      return holds(at.bobAnswers, forBob, revealed) && cut(at.bobAnswers, revealed, his, 4) === alices
    })
  })

  it("to relay everything as it is: bob finds the commitment broken, for it is over alice's keys", () => {
    const draw = fresh("relay")
    for (let run = 0; run < 1_000; run++) {
      const hers = draw()
      expect(holds(at.bobAnswers, Sas.commitment(sha256, at.aliceBegins, hers), hers)).toBe(false)
    }
  })

  it("to break off until it fits: as many guesses as there are attempts, and there are eight an hour", () => {
    const attempts = 2 * Limits.sasPerHour
    const draw = fresh("break off")
    let successes = 0
    const hours = 8_000
    for (let hour = 0; hour < hours; hour++) {
      // Each attempt makes one new string that meets the newest one of the other end.
      let [alices, bobs, met] = [-1, -2, false]
      for (let attempt = 0; attempt < attempts && !met; attempt++) {
        if (attempt % 2 === 0) alices = cut(at.aliceAnswers, draw(), draw())
        else bobs = cut(at.bobAnswers, draw(), draw())
        met = alices === bobs
      }
      if (met) successes++
    }
    const most = 1 - (1 - 2 ** -8) ** (attempts - 1)
    expect(Math.abs(successes / hours - most)).toBeLessThan(6 * Math.sqrt((most * (1 - most)) / hours))
    // The same hour with what people are really shown: the bound of the protocol holds with room.
    expect(attempts / 10 ** Limits.sasDigitsMax).toBeLessThan(2 ** -20)
    expect(attempts / 2 ** 32).toBeLessThan(2 ** -20)
  })
})

describe("the same plans where a defence is missing", () => {
  it("without a commitment, what is chosen late always fits", () => {
    const draw = fresh("late")
    let successes = 0
    for (let run = 0; run < 200; run++) {
      const [hers, toAlice, his] = [draw(), draw(), draw()]
      const alices = cut(at.aliceAnswers, toAlice, hers)
      const late = grind((nonce) => cut(at.bobAnswers, nonce, his) === alices, draw)
      if (cut(at.bobAnswers, late, his) === alices) successes++
    }
    expect(successes).toBe(200)
  })
  it("with a nonce that is known before it is answered, what alice gets always fits", () => {
    const draw = fresh("revealed early")
    let successes = 0
    for (let run = 0; run < 200; run++) {
      const [hers, his, toBob] = [draw(), draw(), draw()]
      const bobs = cut(at.bobAnswers, toBob, his)
      const toAlice = grind((nonce) => cut(at.aliceBegins, hers, nonce) === bobs, draw)
      if (cut(at.aliceBegins, hers, toAlice) === bobs) successes++
    }
    expect(successes).toBe(200)
  })
  it("without a limit, breaking off until it fits always fits", () => {
    const draw = fresh("no limit")
    for (let run = 0; run < 50; run++) {
      const alices = cut(at.aliceAnswers, draw(), draw())
      let tries = 0
      while (cut(at.bobAnswers, draw(), draw()) !== alices) tries++
      expect(tries).toBeLessThan(8_192)
    }
  })
})

/** What a friend who is somebody else may send, with what it has learnt; and what our operator does meanwhile. */
type Move = "begin" | "commit" | "reveal" | "lie" | "same" | "different" | "end" | "yes" | "no" | "wait" | "reopen"
const moves: ReadonlyArray<Move> = [
  "begin",
  "begin",
  "commit",
  "commit",
  "reveal",
  "reveal",
  "lie",
  "same",
  "different",
  "end",
  "yes",
  "no",
  "wait",
  "reopen"
]

describe("a friend who is somebody else", () => {
  const mallory = person("bob")

  /** Alice with mallory as her friend bob: what she has let out, and how often her operator took part. */
  const play = (sequence: ReadonlyArray<Move>) => {
    const end = new End(person("alice"), mallory, "bob", 1)
    let [links, connection, consents, words] = [0, "", 0, 0]
    const nonces: Array<string> = []
    const open = () => {
      if (links > 0) end.take({ _tag: "Closed", connection, rejection: null })
      connection = `link-${++links}`
      end.open(mallory, connection, false)
    }
    open()
    const ours = { nonce: sha256(new Uint8Array(7)), id: "e".repeat(32) }
    let theirs: Extract<Message.Message, { kind: "SasCommit" }> | undefined
    const say = (message: Message.Message) => end.hear(mallory, connection, message)
    const termsOf = (whose: "ours" | "theirs", of: string): Sas.Terms => ({
      id: of,
      handshakeHash: Base64url.encode(sha256(new TextEncoder().encode(`session ${connection}`))),
      initiator: whose === "ours" ? mallory.self.identityKey : end.person.self.identityKey,
      responder: whose === "ours" ? end.person.self.identityKey : mallory.self.identityKey
    })
    for (const move of sequence) {
      const about = { name: "bob", keyPrefix: "" }
      const current = theirs?.id ?? ours.id
      switch (move) {
        case "begin":
          if (end.operator({ _tag: "Compare", ...about }).ok) consents++
          break
        case "commit":
          say({
            kind: "SasCommit",
            id: ours.id,
            commitment: Sas.commitment(sha256, termsOf("ours", ours.id), ours.nonce)
          })
          theirs = undefined
          break
        case "reveal":
          say({ kind: "SasReveal", id: current, nonce: Base64url.encode(ours.nonce) })
          break
        case "lie":
          say({ kind: "SasReveal", id: current, nonce: Base64url.encode(sha256(ours.nonce)) })
          break
        case "same":
        case "different":
          say({ kind: "SasEnd", id: current, outcome: move })
          break
        case "end":
          say({ kind: "SasEnd", id: current, outcome: "ended" })
          break
        case "yes":
        case "no":
          if (end.operator({ _tag: "Compared", ...about, same: move === "yes" }).ok) words++
          break
        case "wait":
          end.nowMs += 300_000
          end.take({ _tag: "Tick" })
          break
        case "reopen":
          open()
          break
      }
      for (const { body, kind } of end.said.splice(0)) {
        const message = JSON.parse(new TextDecoder().decode(body))
        if (kind === "SasReveal") nonces.push(message.nonce)
        if (kind === "SasCommit") theirs = message
      }
      if (end.outputs.some((output) => output._tag === "HangUp")) {
        end.outputs.length = 0
        open()
      }
    }
    return { consents, end, nonces, words }
  }

  it("gets no more nonces than our operator has taken part, and none of them twice", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...moves), { maxLength: 40 }), (sequence) => {
        const { consents, nonces } = play(sequence)
        expect(nonces.length).toBeLessThanOrEqual(consents)
        expect(new Set(nonces).size).toBe(nonces.length)
        const waitedMs = sequence.filter((move) => move === "wait").length * 300_000
        const most = Limits.sasPerHour + Math.floor((waitedMs * Limits.sasPerHour) / 3_600_000)
        expect(nonces.length).toBeLessThanOrEqual(most)
      }),
      { numRuns: 400 }
    )
  })
  it("is never marked without our operator's word, nor unmarked without an alarm or that word", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...moves), { maxLength: 40 }), (sequence) => {
        const { end, words } = play(sequence)
        const marked = end.events.filter((event) => event._tag === "TrustChanged" && event.to === "verified")
        expect(marked.length).toBeLessThanOrEqual(words)
        if (Trust.isVerified(end.friend)) expect(end.friend.trust?.by).toBe("matches")
      }),
      { numRuns: 400 }
    )
  })
  it("that reveals something else than it committed to ends the comparison and its link, and is not verified", () => {
    const once: ReadonlyArray<Move> = ["commit", "begin", "lie"]
    const { end } = play(once)
    expect(end.last("SasEnded")?.code).toBe("sas-broken")
    expect(Trust.of(end.friend)).toBe("unverified")
    const rest: ReadonlyArray<Move> = ["wait", "wait", "wait"]
    // As often as our operator takes part, and no more.
    const many = play(Array.from({ length: 5 }, () => [...once, ...rest]).flat())
    expect(many.end.events.filter((event) => event._tag === "SasEnded").length).toBe(5)
  })
})
