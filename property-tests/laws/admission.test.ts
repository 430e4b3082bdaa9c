/**
 * Laws of the gate: fresh both ways, once, within a budget, and never a yes without every fact that a yes needs.
 * The necessary facts are written here a second time, from the protocol, as predicates that know no order of checks.
 * Each question is asked over the whole product of its facts, so that no combination is left to chance.
 */
import { HashMap, Result, Schema } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Capability from "../../core/admission/Capability.ts"
import * as Grants from "../../core/admission/Grants.ts"
import * as Openings from "../../core/admission/Openings.ts"
import * as RateLimit from "../../core/admission/RateLimit.ts"
import * as ReplayWindow from "../../core/admission/ReplayWindow.ts"
import * as Requirement from "../../core/admission/Requirement.ts"
import { Limits, Rejection, Verdict } from "../../core/index.ts"
import * as Table from "../../core/Table.ts"
import { noonMs, person, signedLine } from "../arbitraries/state.ts"

const mallory = person("mallory")
const signed = (tsMs: number) => signedLine(mallory, "alice", tsMs)
const fiveMinutes = 5 * 60_000

describe("ReplayWindow", () => {
  it("freshness is five minutes both ways, to the millisecond, and the refusal names the difference", () => {
    fc.assert(
      fc.property(fc.integer({ min: -2 * fiveMinutes, max: 2 * fiveMinutes }), (differenceMs) => {
        const stale = ReplayWindow.freshness(noonMs + differenceMs, noonMs)
        expect(stale === undefined).toBe(Math.abs(differenceMs) <= fiveMinutes)
        if (stale === undefined) return
        expect(stale.code).toBe("clock-difference")
        expect(stale.detail).toContain(differenceMs > 0 ? "ahead" : "behind")
        expect(stale.detail).toContain(String(Math.round(Math.abs(differenceMs) / 1000)))
      })
    )
    for (const edge of [-fiveMinutes, fiveMinutes]) {
      expect(ReplayWindow.freshness(noonMs + edge, noonMs)).toBeUndefined()
      expect(ReplayWindow.freshness(noonMs + edge + Math.sign(edge), noonMs)?.code).toBe("clock-difference")
    }
  })
  it("full, it refuses the next and still knows the first; what can no longer be fresh makes room", () => {
    let window: ReplayWindow.ReplayWindow = Table.empty()
    const first = signed(noonMs)
    window = Result.getOrThrow(ReplayWindow.admit(window, first, noonMs))
    for (let index = 1; index < Limits.replayEntriesMax; index++) {
      window = Table.set(window, `another signature ${index}`, noonMs + fiveMinutes + (index % 7))
    }
    expect(Result.getOrThrow(Result.flip(ReplayWindow.admit(window, signed(noonMs + 1), noonMs))).code).toBe(
      "line-rate"
    )
    expect(Result.getOrThrow(Result.flip(ReplayWindow.admit(window, first, noonMs + fiveMinutes))).code).toBe(
      "line-seen"
    )
    const later = noonMs + fiveMinutes + 1
    const made = Result.getOrThrow(ReplayWindow.admit(window, signed(later), later))
    expect(Table.size(made)).toBeLessThan(Limits.replayEntriesMax)
    // Those that are still fresh by a millisecond are all still known.
    for (const [signature, untilMs] of Table.pairs(window)) {
      if (untilMs >= later) expect(Table.has(made, signature)).toBe(true)
    }
  })
})

describe("RateLimit", () => {
  it("is the protocol's: 30 a minute and 300 an hour for messages, and for injects", () => {
    for (const budget of ["message", "inject"] as const) {
      expect(RateLimit.rates[budget]).toEqual([
        { capacity: 30, windowMs: 60_000 },
        { capacity: 300, windowMs: 3_600_000 }
      ])
    }
  })
  it("is bounded for everything else that a peer can cause, too", () => {
    const { control, line, ofHost, ofKey, older, opening, reopening, sas, sasOffer, stream, violation } =
      RateLimit.rates
    const minute = 60_000
    const hour = 60 * minute
    const day = 24 * hour
    expect({ control, line, ofHost, ofKey, older, opening, reopening, sas, sasOffer, stream, violation }).toEqual({
      control: [{ capacity: 2_000, windowMs: 1_000 }],
      line: [{ capacity: 60, windowMs: minute }],
      ofHost: [{ capacity: 60, windowMs: minute }],
      ofKey: [{ capacity: 16, windowMs: minute }],
      older: [{ capacity: 2, windowMs: day }],
      opening: [{ capacity: 120, windowMs: minute }],
      reopening: [{ capacity: 16, windowMs: 32_000 }],
      sas: [{ capacity: 4, windowMs: hour }],
      sasOffer: [{ capacity: 12, windowMs: hour }],
      stream: [{ capacity: 64, windowMs: hour }],
      violation: [{ capacity: 10, windowMs: hour }]
    })
  })
  it("a refusal costs nothing: the budgets are the same object", () => {
    let budgets: RateLimit.Budgets = {}
    for (let index = 0; index < 30; index++) budgets = RateLimit.draw(budgets, "message", noonMs).budgets
    const refused = RateLimit.draw(budgets, "message", noonMs)
    expect(refused.waitMs).toBe(2_000)
    expect(refused.budgets).toBe(budgets)
  })
  it("budgets do not touch each other", () => {
    let budgets: RateLimit.Budgets = {}
    for (let index = 0; index < 31; index++) budgets = RateLimit.draw(budgets, "message", noonMs).budgets
    expect(RateLimit.draw(budgets, "inject", noonMs).waitMs).toBe(0)
  })
})

describe("Capability", () => {
  it("`inject` implies `message`, and nothing else implies anything but itself", () => {
    const table = Capability.all.map((held) => Capability.all.map((wanted) => Capability.implies(held, wanted)))
    expect(Capability.all).toEqual(["message", "inject"])
    expect(table).toEqual([
      [true, false],
      [true, true]
    ])
  })
  it("is read from a record by the same words", () => {
    const read = Schema.decodeUnknownExit(Capability.Capability)
    expect(Capability.all.map((word) => read(word)._tag)).toEqual(["Success", "Success"])
    expect(read("")._tag).toBe("Failure")
  })
  it("only its own words parse", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.constantFrom("message", "inject", "Message", "__proto__", "inject ")),
        (word) => {
          expect(Capability.parse(word)).toBe(word === "message" || word === "inject" ? word : undefined)
        }
      )
    )
  })
})

describe("Grants", () => {
  it("are records with all their fields, in the friend's own conversation or another", () => {
    const read = Schema.decodeUnknownExit(Grants.Grant)
    const grant = { peerId: "p", conversation: Grants.own, capabilities: ["message"] }
    expect(Grants.own).toBe("own")
    expect(read(grant)._tag).toBe("Success")
    for (const field of Object.keys(grant)) expect(read({ ...grant, [field]: undefined })._tag).toBe("Failure")
  })
})

describe("Requirement", () => {
  it("of a text are demands of a question too, and none is none", () => {
    const none: Requirement.Requirements = Table.empty()
    const both = ["message", "inject"] as const
    const demanded = (one: Requirement.Requirements) => both.map((wanted) => Requirement.isDemanded(one, wanted))
    expect(demanded(none)).toEqual([false, false])
    const inject = Requirement.set(none, "inject", "verified")
    expect(demanded(inject)).toEqual([false, true])
    expect(demanded(Requirement.set(none, "message", "verified"))).toEqual([true, true])
    expect(demanded(Requirement.set(inject, "inject", "nothing"))).toEqual([false, false])
    expect(demanded(Requirement.set(inject, "message", "nothing"))).toEqual([false, true])
  })
  it("is a record of a capability and the one trust there is", () => {
    const read = Schema.decodeUnknownExit(Requirement.Requirement)
    expect(read({ capability: "inject", trust: "verified" })._tag).toBe("Success")
    for (const wrong of [{ capability: "inject" }, { trust: "verified" }, { capability: "inject", trust: "changed" }])
      expect(read(wrong)._tag).toBe("Failure")
    const set = Requirement.set(Table.empty(), "inject", "verified")
    expect(Table.pairs(set)).toEqual([["inject", { capability: "inject", trust: "verified" }]])
  })
})

type Question<K extends Verdict.Question["kind"]> = Extract<Verdict.Question, { kind: K }>

/** Every combination of the values given for each fact. */
const product = <K extends Verdict.Question["kind"]>(
  kind: K,
  facts: { readonly [F in Exclude<keyof Question<K>, "kind">]: ReadonlyArray<Question<K>[F]> }
): ReadonlyArray<Question<K>> =>
  Object.entries(facts as Record<string, ReadonlyArray<unknown>>).reduce<ReadonlyArray<Record<string, unknown>>>(
    (questions, [fact, values]) =>
      questions.flatMap((question) => values.map((value) => ({ ...question, [fact]: value }))),
    [{ kind }]
  ) as unknown as ReadonlyArray<Question<K>>

const around = (bound: number) => [0, bound - 1, bound, bound + 1]
const questions = {
  line: product("line", {
    evidence: ["same", "different", "unproven"],
    lineWaitMs: [0, 1, 60_000],
    known: ["friend", "asked", "asked-by", "former", "stranger", "retired"],
    openRequests: around(Limits.askedByMax),
    openRequestsOfName: around(Limits.askedByPerNameMax)
  }),
  session: product("session", {
    standing: ["friend", "former", "stranger", "retired", "forked", "entangled"],
    banned: [false, true],
    farewell: [false, true],
    awaitingAcceptance: [false, true],
    guest: [false, true]
  }),
  connect: product("connect", {
    retired: [false, true],
    again: [false, true],
    inTopic: [false, true],
    introduced: [false, true],
    nameValid: [false, true],
    asksAlready: [false, true],
    openRequests: around(Limits.askedByMax),
    openRequestsOfName: around(Limits.askedByPerNameMax)
  }),
  message: product("message", {
    needs: ["none", "message", "inject"],
    granted: [false, true],
    trusted: [false, true],
    conversationKnown: [false, true],
    bytes: around(Limits.bodyBytesMax),
    unshown: around(Limits.unshownMax),
    unshownCharacters: around(Limits.unshownCharactersMax),
    waitMs: [0, 1, 2_000]
  }),
  claim: product("claim", {
    waitMs: [0, 1, 12_000],
    isProven: [false, true],
    isMeant: [false, true],
    isBarred: [false, true],
    isNamed: [false, true],
    state: ["Open", "Used", "Expired", "Revoked"],
    redeemed: ["never", "friend", "over"]
  }),
  introduction: product("introduction", {
    isTimely: [false, true],
    isOurs: [false, true],
    isAnother: [false, true],
    isNamed: [false, true],
    isDoubtful: [false, true],
    again: [false, true],
    hasRoom: [false, true]
  }),
  run: product("run", {
    trusted: [false, true],
    unready: [null, "sandbox-unavailable", "sandbox-image-changed", "no-model"],
    unreadyReason: ["", "no engine runs here"],
    jobsOfPeer: around(Limits.jobsPerPeerMax),
    jobs: [...around(Limits.jobsMax), ...around(Limits.jobsMax + Limits.jobsReserved)],
    answersWaiting: around(Limits.answersWaitingMax),
    affordable: [false, true]
  }),
  hold: product("hold", {
    unready: [null, "sandbox-unavailable", "sandbox-image-changed", "no-model"],
    unreadyReason: ["", "no engine runs here"],
    mayHold: [true, false],
    heldOfPeer: around(Limits.heldPerPeerMax),
    held: around(Limits.heldMax),
    answersWaiting: around(Limits.answersWaitingMax)
  })
}

/** What must be true of the facts whenever the answer is yes, and is yes whenever all of it is true. */
const necessary: { readonly [K in Verdict.Question["kind"]]: ReadonlyArray<(facts: Question<K>) => boolean> } = {
  line: [
    (facts) => facts.evidence !== "different",
    (facts) => facts.lineWaitMs === 0,
    ({ known }) => known !== "retired",
    // A friend, and whoever waits already, takes no new place among the open requests.
    ({ known, openRequests }) => known === "friend" || known === "asked-by" || openRequests < 100,
    ({ known, openRequestsOfName }) => known === "friend" || known === "asked-by" || openRequestsOfName < 4
  ],
  session: [
    (facts) => !facts.banned,
    // A former friend is let in once more, if it has still to be told that it is one; a guest, for a reason of ours.
    ({ farewell, guest, standing }) =>
      standing === "friend" ||
      (standing === "former" && farewell) ||
      (guest && (standing === "stranger" || standing === "former"))
  ],
  connect: [
    (facts) => !facts.retired,
    // Whoever waits already takes no new place, and needs no topic for it.
    (facts) => facts.again || facts.inTopic || facts.introduced,
    (facts) => facts.again || facts.nameValid,
    (facts) => facts.again || !facts.asksAlready,
    (facts) => facts.again || facts.openRequests < 100,
    (facts) => facts.again || facts.openRequestsOfName < 4
  ],
  message: [
    (facts) => facts.bytes <= 2 ** 20,
    (facts) => facts.conversationKnown,
    (facts) => facts.granted || facts.needs === "none",
    (facts) => facts.trusted || facts.needs === "none",
    (facts) => facts.unshown < 10_000,
    (facts) => facts.unshownCharacters < 2 ** 25,
    (facts) => facts.waitMs === 0
  ],
  claim: [
    (facts) => facts.waitMs === 0,
    (facts) => facts.isProven,
    (facts) => facts.isMeant,
    // The same claimer hears the same again, whatever became of the invite, while what came of it lasts.
    ({ isBarred, redeemed }) => redeemed === "friend" || !isBarred,
    ({ isNamed, redeemed }) => redeemed === "friend" || isNamed,
    ({ redeemed }) => redeemed !== "over",
    ({ redeemed, state }) => redeemed === "friend" || state === "Open"
  ],
  introduction: [
    (facts) => facts.isTimely,
    (facts) => facts.isOurs,
    (facts) => facts.isAnother,
    (facts) => facts.isNamed,
    (facts) => !facts.isDoubtful,
    // What was said before takes no new place.
    (facts) => facts.again || facts.hasRoom
  ],
  run: [
    (facts) => facts.trusted,
    (facts) => facts.unready === null,
    (facts) => facts.affordable,
    (facts) => facts.jobsOfPeer < Limits.jobsPerPeerMax,
    ({ jobs, jobsOfPeer }) => jobs < (jobsOfPeer === 0 ? Limits.jobsMax + Limits.jobsReserved : Limits.jobsMax),
    (facts) => facts.answersWaiting < Limits.answersWaitingMax
  ],
  hold: [
    (facts) => facts.mayHold,
    (facts) => facts.unready === null,
    (facts) => facts.heldOfPeer < 8,
    (facts) => facts.held < 64,
    (facts) => facts.answersWaiting < 16
  ]
}

type Row = readonly [says: Rejection.Code, detail: string, retryAfterMs: number]
/** The first reason that applies, written as the protocol lists them, for questions to which the answer is no. */
const reasons: { readonly [K in Verdict.Question["kind"]]: (facts: Question<K>) => Row } = {
  line: ({ evidence, known, lineWaitMs, openRequests }) =>
    lineWaitMs > 0
      ? ["line-rate", "", lineWaitMs]
      : evidence === "different"
        ? ["author-mismatch", "", 0]
        : known === "retired"
          ? ["key-retired", "", 0]
          : ["requests-full", openRequests >= 100 ? "" : "under one name", 0],
  session: ({ awaitingAcceptance, banned, standing }) =>
    banned
      ? ["banned", "", 0]
      : standing === "retired"
        ? ["key-retired", "", 0]
        : standing === "forked"
          ? ["key-fork", "", 600_000]
          : standing === "entangled"
            ? ["rotation-refused", "", 0]
            : // Whoever was asked may have accepted, and dial before that is read: nothing final is said to it.
              awaitingAcceptance
              ? ["friendship-pending", "", 2_000]
              : ["not-a-friend", "", 0],
  introduction: ({ isAnother, isDoubtful, isNamed, isOurs, isTimely }) =>
    isDoubtful
      ? ["introduction-refused", "the key of whoever introduces is in doubt", 0]
      : !isOurs
        ? ["introduction-refused", "it names no key of ours", 0]
        : !isAnother
          ? ["introduction-refused", "there is nobody else to be introduced", 0]
          : !isNamed
            ? ["introduction-refused", "the name cannot be one", 0]
            : [isTimely ? "introductions-full" : "introduction-over", "", 0],
  connect: ({ asksAlready, inTopic, introduced, nameValid, openRequests, retired }) =>
    retired
      ? ["key-retired", "", 0]
      : !inTopic && !introduced
        ? ["not-a-friend", "", 0]
        : !nameValid
          ? ["name-invalid", "", 0]
          : asksAlready
            ? ["requests-full", "for one introduction", 0]
            : ["requests-full", openRequests >= 100 ? "" : "under one name", 0],
  message: ({ bytes, conversationKnown, granted, needs, trusted, unshown, unshownCharacters, waitMs }) =>
    bytes > 2 ** 20
      ? ["body-too-large", "", 0]
      : !conversationKnown
        ? ["unknown-conversation", "", 0]
        : needs !== "none" && !granted
          ? ["no-capability", needs, 0]
          : needs !== "none" && !trusted
            ? ["not-verified", needs, 0]
            : unshown >= 10_000 || unshownCharacters >= 2 ** 25
              ? ["storage-failed", "", 2_000]
              : ["rate-limited", "", waitMs],
  claim: ({ isBarred, isMeant, isNamed, isProven, redeemed, state, waitMs }) =>
    waitMs > 0
      ? ["rate-limited", "claims", waitMs]
      : !isProven
        ? ["invite-refused", "no such invite, or not its secret", 0]
        : !isMeant
          ? ["invite-refused", "it is for somebody else", 0]
          : isBarred
            ? ["invite-refused", "sent away since", 0]
            : !isNamed
              ? ["invite-refused", "the name cannot be one", 0]
              : redeemed === "over"
                ? ["invite-refused", "used by the same peer, and over", 0]
                : ["invite-refused", state.toLowerCase(), 0],
  run: ({ answersWaiting, jobs, jobsOfPeer, trusted, unready, unreadyReason }) =>
    !trusted
      ? ["not-verified", "inject", 0]
      : unready !== null
        ? [unready, unreadyReason, 0]
        : jobsOfPeer >= 4 || jobs >= (jobsOfPeer === 0 ? 32 : 16)
          ? ["too-many-jobs", "", 0]
          : answersWaiting >= 16
            ? ["too-many-jobs", "answers wait to be taken", 0]
            : ["budget-spent", "", 0],
  hold: ({ held, heldOfPeer, mayHold, unready, unreadyReason }) =>
    !mayHold
      ? ["approval-required", "", 0]
      : unready !== null
        ? [unready, unreadyReason, 0]
        : [
            "too-many-jobs",
            heldOfPeer >= 8 || held >= 64 ? "too many wait for the owner" : "answers wait to be taken",
            0
          ]
}

describe("Verdict", () => {
  const kinds = ["line", "session", "connect", "message", "claim", "run", "hold"] as const
  it.each(kinds)("%s: yes exactly when every necessary fact holds", (kind) => {
    const asked = questions[kind] as ReadonlyArray<never>
    const conditions = necessary[kind] as ReadonlyArray<(facts: never) => boolean>
    for (const facts of asked) {
      expect(Verdict.decide(facts).admitted, JSON.stringify(facts)).toBe(conditions.every((holds) => holds(facts)))
    }
    // Each condition is the only one missing somewhere, so that none of them is tested by luck.
    for (const condition of conditions) {
      const alone = asked.filter((facts) => conditions.every((other) => other(facts) === (other !== condition)))
      expect(alone.length).toBeGreaterThan(0)
    }
  })
  it.each(kinds)(
    "%s: each no is the first reason that applies, with what it is about and when to come back",
    (kind) => {
      for (const facts of questions[kind] as ReadonlyArray<never>) {
        const verdict = Verdict.decide(facts)
        if (verdict.admitted) continue
        const { code, detail, retryAfterMs } = verdict.rejection
        expect([code, detail, retryAfterMs], JSON.stringify(facts)).toEqual(reasons[kind](facts))
      }
    }
  )
  it("each no says when to come back exactly where coming back helps", () => {
    for (const facts of Object.values(questions).flat()) {
      const verdict = Verdict.decide(facts)
      if (verdict.admitted) continue
      const { code, retryAfterMs } = verdict.rejection
      if (Rejection.isTransient(code)) expect(retryAfterMs).toBeGreaterThan(0)
      else if (code !== "line-rate") expect(retryAfterMs).toBe(0)
    }
  })
  it("never punishes: no answer of the gate is a violation", () => {
    for (const facts of Object.values(questions).flat()) {
      const verdict = Verdict.decide(facts)
      if (!verdict.admitted) expect(Rejection.isViolation(verdict.rejection.code)).toBe(false)
    }
  })
  it("tells a banned peer nothing, and whoever else dials in vain why", () => {
    for (const facts of questions.session) {
      const verdict = Verdict.decide(facts)
      if (!verdict.admitted) expect(Rejection.isTold(verdict.rejection.code)).toBe(!facts.banned)
    }
  })
})

describe("Openings", () => {
  const second = 1_000
  /** How many links begin at one moment out of 200 tries; strangers (undefined) each with a key and a host of their own. */
  const begun = (
    openings: Openings.Openings,
    friend: string | undefined,
    nowMs: number,
    stranger = (tries: number): Openings.Source => ({ key: `${nowMs} ${tries}`, host: `${nowMs} ${tries}` })
  ) => {
    let [count, left] = [0, openings]
    for (let tries = 0; tries < 200; tries++) {
      const admitted = Openings.admit(left, friend === undefined ? stranger(tries) : { friend }, nowMs)
      left = admitted.openings
      if (admitted.admitted) count++
    }
    return { count, left }
  }
  it("strangers share one budget that friends do not touch, and each friend has its own", () => {
    const strangers = begun(Openings.none, undefined, noonMs)
    expect(strangers.count).toBe(Limits.strangerOpeningsPerMinute)
    const bob = begun(strangers.left, "bob", noonMs)
    expect(bob.count).toBe(Limits.friendOpeningsMax)
    const carol = begun(bob.left, "carol", noonMs)
    expect(carol.count).toBe(Limits.friendOpeningsMax)
    expect(begun(carol.left, "bob", noonMs).count).toBe(0)
    expect(begun(carol.left, undefined, noonMs).count).toBe(0)
  })
  it("what time gives back is given to each, and a full budget again after the whole window", () => {
    const stranger = begun(Openings.none, undefined, noonMs).left
    const fillMs = 60 * second
    expect(begun(stranger, undefined, noonMs + fillMs / Limits.strangerOpeningsPerMinute).count).toBe(1)
    expect(begun(stranger, undefined, noonMs + fillMs).count).toBe(Limits.strangerOpeningsPerMinute)
    const friend = begun(Openings.none, "bob", noonMs).left
    expect(begun(friend, "bob", noonMs + Limits.friendOpeningsWindowMs).count).toBe(Limits.friendOpeningsMax)
  })
  it("one stranger leaves most of the budget to others, also with ever new keys from one place; what it is refused costs nobody", () => {
    const loud = begun(Openings.none, undefined, noonMs, () => ({ key: "loud" }))
    expect(loud.count).toBe(Limits.strangerOpeningsOfKeyPerMinute)
    expect(begun(loud.left, undefined, noonMs).count).toBe(
      Limits.strangerOpeningsPerMinute - Limits.strangerOpeningsOfKeyPerMinute
    )
    const keys = begun(Openings.none, undefined, noonMs, (tries) => ({ key: `${tries}`, host: "one" }))
    expect(keys.count).toBe(Limits.strangerOpeningsOfHostPerMinute)
    const others = begun(keys.left, undefined, noonMs)
    expect(others.count).toBe(Limits.strangerOpeningsPerMinute - Limits.strangerOpeningsOfHostPerMinute)
    // And one that goes on for an hour keeps nobody out at any time.
    let openings = Openings.none
    for (let nowMs = noonMs; nowMs < noonMs + 3_600_000; nowMs += 5_000) {
      for (let tries = 0; tries < 50; tries++) {
        openings = Openings.admit(openings, { key: `${nowMs} ${tries}`, host: "one" }, nowMs).openings
      }
      const honest = Openings.admit(openings, { key: "honest", host: "two" }, nowMs)
      expect(honest.admitted, `after ${nowMs - noonMs} ms`).toBe(true)
      openings = honest.openings
    }
    expect(HashMap.size(openings.shares)).toBeLessThan(2 * Limits.openingsRememberedMax)
  })
  it("strangers that came once are forgotten, however many there were", () => {
    let openings = Openings.none
    for (let index = 0; index < 5 * Limits.openingsRememberedMax; index++) {
      openings = Openings.admit(openings, { key: `${index}`, host: `${index}` }, noonMs + index * second).openings
    }
    expect(HashMap.size(openings.shares)).toBeLessThanOrEqual(Limits.openingsRememberedMax + 2)
  })
  /** A friend each, all of whom came once at noon. */
  const crowd = (size: number): Openings.Openings => {
    let openings = Openings.none
    for (let index = 0; index < size; index++)
      openings = Openings.admit(openings, { friend: `friend ${index}` }, noonMs).openings
    return openings
  }
  it("many friends are forgotten once their budgets are full again, never before, and few are not looked at", () => {
    const many = crowd(Limits.openingsRememberedMax)
    const windowMs = Limits.friendOpeningsWindowMs
    const within = Openings.admit(many, { friend: "another" }, noonMs + windowMs - 1).openings
    expect(HashMap.size(within.friends)).toBe(Limits.openingsRememberedMax + 1)
    expect(HashMap.size(Openings.admit(many, { friend: "another" }, noonMs + windowMs).openings.friends)).toBe(1)
    // A clock that was put back by as much has everything full too.
    expect(HashMap.size(Openings.admit(many, { friend: "another" }, noonMs - windowMs).openings.friends)).toBe(1)
    const few = Openings.admit(
      crowd(Limits.openingsRememberedMax - 1),
      { friend: "another" },
      noonMs + windowMs
    ).openings
    expect(HashMap.size(few.friends)).toBe(Limits.openingsRememberedMax)
  })
})
