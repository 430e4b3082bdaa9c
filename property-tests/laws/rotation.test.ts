/**
 * What a step from a key to its successor must hold, and a chain of them: forged, cut, reordered, replayed, rolled back.
 * Real keys and the shipped code throughout; a forger has everything but the secret it would need.
 * The bounds on being found under old keys, and on looking for friends that do not know the new one, are here too.
 */
import { Effect, HashMap, Redacted, Result } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Sodium from "../../adapters/sodium/Crypto.ts"
import * as PeerKey from "../../core/friend/PeerKey.ts"
import * as Roster from "../../core/friend/Roster.ts"
import {
  Base64url,
  KeyHistory,
  Keys,
  Limits,
  type Link,
  Opening,
  type PeerId,
  Rotation,
  State,
  Statement,
  Step
} from "../../core/index.ts"
import * as Proof from "../../core/session/Proof.ts"
import * as Table from "../../core/Table.ts"
import { Crypto } from "../../ports/Crypto.ts"

const crypto = Effect.runSync(Crypto.pipe(Effect.provide(Sodium.layer)))
const utf8 = new TextEncoder()
const idOf = (keys: Keys.LocalKeys) => Base64url.encode(keys.identityKey) as Keys.RemoteIdentityKey

const presentOf = (keys: Keys.LocalKeys): KeyHistory.Present => ({
  identityKey: idOf(keys),
  agreementKey: Base64url.encode(keys.agreementKey) as Keys.RemoteAgreementKey,
  swarmKey: Base64url.encode(Keys.swarmKey(crypto, keys)) as Keys.RemoteSwarmKey
})

/** Keys and all their former states, oldest first; every step with the recovery key if there is to be one. */
const lineage = (length: number, recovering = false): ReadonlyArray<Keys.LocalKeys> => {
  const first = Rotation.newRecoveryKey(crypto)
  let secret: Rotation.Rotated["recoverySecret"] = recovering ? first.secret : undefined
  const states = [{ ...Keys.generate(crypto, 0), ...(recovering ? { recoveryCommitment: first.commitment } : {}) }]
  for (let index = 0; index < length; index++) {
    const reason = index % 2 === 0 ? "scheduled" : "compromise"
    const rotated = Result.getOrThrow(
      Rotation.rotate(crypto, states[index]!, reason, 1_800_000_000_000 + index, secret)
    )
    states.push(rotated.keys as (typeof states)[number])
    secret = rotated.recoverySecret
  }
  return states
}
const last = <A>(list: ReadonlyArray<A>): A => list[list.length - 1]!

const verify = (links: ReadonlyArray<Link.Link>, keys: Keys.LocalKeys) =>
  KeyHistory.verify(crypto, links, presentOf(keys))
const historyOf = (keys: Keys.LocalKeys) => Result.getOrThrow(verify(keys.history, keys))
const codeOf = (result: Result.Result<unknown, { readonly code: string }>) =>
  Result.isFailure(result) ? result.failure.code : "accepted"

const long = lineage(Limits.historyLinksMax, true)
const plain = lineage(5)
const recovered = lineage(3, true)

/** Another character of the alphabet in one place of a text. */
const altered = (text: string, at: number): string => {
  const index = at % text.length
  return `${text.slice(0, index)}${text[index] === "A" ? "B" : "A"}${text.slice(index + 1)}`
}

describe("a step", () => {
  it("carries new identity, agreement and transport key, and its secrets replace the old ones everywhere", () => {
    const [before, after] = [plain[0]!, plain[1]!]
    expect(after.history).toHaveLength(1)
    expect(after.history[0]).toMatchObject({ from: idOf(before), to: idOf(after), reason: "scheduled" })
    for (const field of ["identityKey", "agreementKey"] as const) expect(after[field]).not.toEqual(before[field])
    expect(Keys.swarmKey(crypto, after)).not.toEqual(Keys.swarmKey(crypto, before))
    const document = Redacted.value(Keys.toDocument(after))
    for (const secret of [before.identitySeed, before.agreementScalar]) {
      expect(document).not.toContain(Base64url.encode(Redacted.value(secret)))
    }
    expect(Keys.fromDocument(crypto, Keys.toDocument(after))).toMatchObject({ history: after.history })
  })

  it("a document of a node that was made before there were rotations still opens", () => {
    const { history: _, ...old } = JSON.parse(Redacted.value(Keys.toDocument(plain[0]!)))
    expect(Keys.fromDocument(crypto, Redacted.make(JSON.stringify(old)))?.history).toEqual([])
  })

  const textFields = ["from", "to", "agreement", "swarm", "oldSignature", "newSignature"] as const
  it("does not hold with any character of any field changed", () => {
    const change = fc.record({
      link: fc.nat({ max: 2 }),
      field: fc.constantFrom(...textFields, "reason", "tsMs", "recovery.key", "recovery.next", "recovery.signature"),
      at: fc.nat()
    })
    fc.assert(
      fc.property(change, ({ at, field, link }) => {
        const before = last(recovered).history[link]! as unknown as Record<string, unknown>
        const [outer, inner] = field.split(".") as [string, string | undefined]
        const old = inner === undefined ? before[outer] : (before[outer] as Record<string, unknown>)[inner]
        const other =
          typeof old === "number"
            ? old + 1
            : field === "reason"
              ? old === "scheduled"
                ? "compromise"
                : "scheduled"
              : altered(String(old), at)
        const changed =
          inner === undefined
            ? { ...before, [outer]: other }
            : { ...before, [outer]: { ...(before[outer] as object), [inner]: other } }
        const links = last(recovered).history.map((one, index) =>
          index === link ? (changed as unknown as Link.Link) : one
        )
        expect(["history-invalid", "key-invalid"]).toContain(codeOf(verify(links, last(recovered))))
      })
    )
  })

  it("does not hold without the new key, without anybody who vouches, or with a recovery key added or cut off", () => {
    const [link] = plain[1]!.history
    const { oldSignature: _, ...unvouched } = link!
    expect(codeOf(Rotation.verify(crypto, unvouched))).toBe("history-invalid")
    const secret = Rotation.newRecoveryKey(crypto).secret
    const key = Base64url.encode(crypto.ed25519PublicKey(secret))
    const signature = Base64url.encode(
      Statement.signWith(crypto, secret, Rotation.statement({ ...link!, recovery: { key, next: key } }))
    )
    expect(codeOf(Rotation.verify(crypto, { ...link!, recovery: { key, next: key, signature } }))).toBe(
      "history-invalid"
    )
    const { recovery: __, ...cut } = recovered[1]!.history[0]!
    expect(codeOf(Rotation.verify(crypto, cut))).toBe("history-invalid")
    // The thief of an old key cannot make somebody its successor who does not want to be.
    const stranger = Keys.generate(crypto, 0)
    const forced = { ...link!, to: idOf(stranger), oldSignature: "" as string }
    forced.oldSignature = Base64url.encode(Statement.sign(crypto, plain[0]!, Rotation.statement(forced)))
    expect(codeOf(Rotation.verify(crypto, forced))).toBe("history-invalid")
  })

  it("is worth nothing for another purpose, and nothing signed for another purpose is a step", () => {
    const link = plain[1]!.history[0]!
    const { fields } = Rotation.statement(link)
    const purposes = ["friendRequest", "friendAccept", "proof", "message"] as const
    for (const purpose of purposes) {
      const bytes = Base64url.decode(link.newSignature)!
      expect(Statement.holds(crypto, idOf(plain[1]!), { purpose, fields }, bytes)).toBe(false)
      const newSignature = Base64url.encode(Statement.sign(crypto, plain[1]!, { purpose, fields }))
      expect(codeOf(Rotation.verify(crypto, { ...link, newSignature }))).toBe("history-invalid")
    }
  })

  it("with a recovery key that is not ours is not made", () => {
    const other = Rotation.newRecoveryKey(crypto).secret
    expect(codeOf(Rotation.rotate(crypto, recovered[0]!, "compromise", 0, other))).toBe("recovery-unknown")
    expect(codeOf(Rotation.rotate(crypto, plain[0]!, "compromise", 0, other))).toBe("recovery-unknown")
  })
})

describe("a chain", () => {
  it("of any length up to 64 leads from each of its keys to the last, and from no other", () => {
    const history = historyOf(last(long))
    expect(history.steps).toHaveLength(Limits.historyLinksMax)
    expect(KeyHistory.first(history)).toBe(idOf(long[0]!))
    for (const state of long) {
      expect(KeyHistory.leads(history, { key: idOf(state), recovery: state.recoveryCommitment })).toBe(true)
    }
    expect(KeyHistory.leads(history, { key: idOf(Keys.generate(crypto, 0)) })).toBe(false)
  })

  it("keeps its newest 64 steps and no more", () => {
    const further = Result.getOrThrow(Rotation.rotate(crypto, last(long), "scheduled", 1)).keys
    expect(further.history).toHaveLength(Limits.historyLinksMax)
    expect(further.history[0]?.from).toBe(idOf(long[1]!))
    expect(codeOf(verify(further.history, further))).toBe("accepted")
    expect(codeOf(verify([long[1]!.history[0]!, ...further.history], further))).toBe("history-invalid")
  })

  it("does not hold reordered, with a step missing inside or at the end, doubled, or with a step of another's", () => {
    const { history } = last(plain)
    const other = lineage(1)[1]!.history[0]!
    const edit = fc.oneof(
      fc.tuple(fc.nat({ max: 4 }), fc.nat({ max: 4 })).map(([a, b]) => {
        const links = [...history]
        ;[links[a], links[b]] = [links[b]!, links[a]!]
        return a === b ? [] : links
      }),
      fc.integer({ min: 1, max: 4 }).map((at) => history.filter((_, index) => index !== at)),
      fc.nat({ max: 5 }).map((at) => [...history.slice(0, at), history[Math.max(0, at - 1)]!, ...history.slice(at)]),
      fc.nat({ max: 5 }).map((at) => [...history.slice(0, at), other, ...history.slice(at)])
    )
    fc.assert(
      fc.property(edit, (links) => {
        // A swap with itself is no edit; a node without history presents none.
        if (links.length > 0) expect(codeOf(verify(links, last(plain)))).toBe("history-invalid")
      })
    )
  })

  it("does not return to a key it has left", () => {
    const [a, b] = [plain[0]!, plain[1]!]
    const back = {
      from: idOf(b),
      to: idOf(a),
      agreement: presentOf(a).agreementKey,
      swarm: presentOf(a).swarmKey,
      reason: "scheduled" as const,
      tsMs: 9
    }
    const sign = (keys: Keys.LocalKeys) => Base64url.encode(Statement.sign(crypto, keys, Rotation.statement(back)))
    const links = [...b.history, { ...back, oldSignature: sign(b), newSignature: sign(a) }]
    expect(codeOf(verify(links, a))).toBe("history-invalid")
  })

  it("ends in the keys that are in use: identity, agreement and transport key", () => {
    const keys = last(plain)
    const other = presentOf(Keys.generate(crypto, 0))
    for (const field of ["identityKey", "agreementKey", "swarmKey"] as const) {
      const present = { ...presentOf(keys), [field]: other[field] }
      expect(codeOf(KeyHistory.verify(crypto, keys.history, present))).toBe("history-invalid")
    }
  })

  it("steps that only a recovery key vouches for lead on for those who know that key, and for nobody else", () => {
    const { oldSignature: _, ...withoutOld } = recovered[1]!.history[0]!
    const history = Result.getOrThrow(verify([withoutOld], recovered[1]!))
    const key = idOf(recovered[0]!)
    expect(KeyHistory.leads(history, { key, recovery: recovered[0]!.recoveryCommitment })).toBe(true)
    expect(KeyHistory.leads(history, { key })).toBe(false)
    expect(KeyHistory.leads(history, { key, recovery: recovered[1]!.recoveryCommitment })).toBe(false)
  })
})

describe("rolled back", () => {
  it("a true but older chain is retired for whoever has seen more, at every pair of moments", () => {
    for (const [seen, state] of plain.entries()) {
      const first = { current: idOf(plain[0]!), earlier: [], lost: [], recovery: undefined }
      const moved = KeyHistory.relate(first, historyOf(state))
      const accepted = moved.kind === "rotated" ? moved.accepted : first
      expect(accepted.current).toBe(idOf(state))
      for (const [older, before] of plain.entries()) {
        const { kind } = KeyHistory.relate(accepted, historyOf(before))
        expect(kind).toBe(older === seen ? "same" : older < seen ? "retired" : "rotated")
      }
    }
  })
})

describe("a branch that lost", () => {
  it("is not gone through again, neither from a key that was left nor from the one we hold", () => {
    const [first, held, lostBranch] = [plain[0]!, lineage(1)[1]!, lineage(1)[1]!]
    const rotatedFrom = (keys: Keys.LocalKeys, to: Keys.LocalKeys): Link.Link => {
      const present = presentOf(to)
      const step = {
        from: idOf(keys),
        to: idOf(to),
        agreement: present.agreementKey,
        swarm: present.swarmKey,
        reason: "scheduled" as const,
        tsMs: 1
      }
      const sign = (by: Keys.LocalKeys) => Base64url.encode(Statement.sign(crypto, by, Rotation.statement(step)))
      return { ...step, oldSignature: sign(keys), newSignature: sign(to) }
    }
    const next = lineage(0)[0]!
    const accepted = {
      current: idOf(held),
      earlier: [{ key: idOf(first), settled: false }],
      lost: [idOf(lostBranch)],
      recovery: undefined
    }
    for (const from of [first, held]) {
      const through = [rotatedFrom(from, lostBranch), rotatedFrom(lostBranch, next)]
      const history = Result.getOrThrow(verify(through, next))
      expect(KeyHistory.relate(accepted, history).kind).toBe("retired")
      expect(KeyHistory.relate({ ...accepted, lost: [] }, history).kind).toBe(from === first ? "forked" : "rotated")
    }
  })
})

describe("a proof", () => {
  const hash = crypto.sha256(utf8.encode("a handshake"))
  const payloadOf = (keys: Keys.LocalKeys) =>
    JSON.parse(
      new TextDecoder().decode(Proof.write(crypto, keys, Keys.swarmKey(crypto, keys), "initiator", hash, undefined))
    )
  const read = (payload: unknown, keys: Keys.LocalKeys) =>
    Proof.read(crypto, "initiator", hash, keys.agreementKey, utf8.encode(JSON.stringify(payload)))

  it("with the longest history, every step of it with every signature, fits an opening frame and is read", () => {
    const keys = last(long)
    for (const link of keys.history) expect(JSON.stringify(link).length).toBeLessThanOrEqual(Limits.linkBytesMax)
    const payload = Proof.write(crypto, keys, Keys.swarmKey(crypto, keys), "responder", hash, {
      versions: [3],
      version: 3
    })
    // Ephemeral key, sealed static key and tag of a Noise message stand before and after the payload.
    expect(payload.length + 32 + 48 + 16).toBeLessThan(Limits.openingFrameBytesMax)
    const found = Proof.read(crypto, "responder", hash, keys.agreementKey, payload)
    expect(Result.getOrThrow(found).proof.value.history.steps).toHaveLength(Limits.historyLinksMax)
  })

  it("covers history and recovery commitment: nobody on the way can cut, add or exchange them", () => {
    const keys = recovered[2]!
    const payload = payloadOf(keys)
    expect(codeOf(read(payload, keys))).toBe("accepted")
    const { recovery: _, ...without } = payload
    expect(codeOf(read(without, keys))).toBe("proof-invalid")
    expect(codeOf(read({ ...payload, recovery: recovered[1]!.recoveryCommitment }, keys))).toBe("proof-invalid")
    expect(codeOf(read({ ...payload, history: payload.history.slice(1) }, keys))).toBe("proof-invalid")
    expect(codeOf(read({ ...payload, history: [] }, keys))).toBe("proof-invalid")
    const { oldSignature: __, ...stripped } = payload.history[0]
    expect(codeOf(read({ ...payload, history: [stripped, payload.history[1]] }, keys))).toBe("proof-invalid")
    const plainKeys = plain[2]!
    const added = { ...payloadOf(plainKeys), recovery: recovered[1]!.recoveryCommitment }
    expect(codeOf(read(added, plainKeys))).toBe("proof-invalid")
  })

  it("with a history that does not hold is refused although its own signature does", () => {
    const broken = { ...plain[2]!, history: [plain[2]!.history[1]!, plain[2]!.history[0]!] }
    expect(codeOf(read(payloadOf(broken), broken))).toBe("history-invalid")
  })
})

describe("an opening", () => {
  /** Plays a whole opening; gives what the side that dialled makes of the far end. */
  const open = (far: Keys.LocalKeys, expected: Opening.Expected) => {
    const near = Keys.generate(crypto, 0)
    const localOf = (keys: Keys.LocalKeys, remote: Keys.LocalKeys): Opening.Local => ({
      crypto,
      keys,
      swarmKey: Keys.swarmKey(crypto, keys),
      binding: new Uint8Array(0),
      remoteSwarmKey: Keys.swarmKey(crypto, remote),
      entropy: crypto.randomBytes(32)
    })
    const dialled = Result.getOrThrow(Opening.dial(localOf(near, far), expected))
    const [preface, first] = dialled.send
    const prefaced = Result.getOrThrow(Opening.receive(Opening.accept(localOf(far, near)), preface!, 0))
    const answered = Result.getOrThrow(Opening.receive(prefaced.opening!, first!, 0))
    return Opening.receive(dialled.opening!, answered.send[0]!, 0)
  }

  it("that was meant for any earlier key of the far end succeeds, and sends nothing to anybody else", () => {
    for (const state of plain) expect(codeOf(open(last(plain), [{ key: idOf(state) }]))).toBe("accepted")
    expect(codeOf(open(plain[1]!, [{ key: idOf(plain[2]!) }]))).toBe("impostor")
    expect(codeOf(open(last(plain), [{ key: idOf(Keys.generate(crypto, 0)) }]))).toBe("impostor")
  })

  it("does not believe a recovery key that was never committed to", () => {
    const { oldSignature: _, ...withoutOld } = recovered[1]!.history[0]!
    const far = { ...recovered[1]!, history: [withoutOld] }
    const key = idOf(recovered[0]!)
    expect(codeOf(open(far, [{ key }]))).toBe("impostor")
    expect(codeOf(open(far, [{ key, recovery: recovered[0]!.recoveryCommitment }]))).toBe("accepted")
  })
})

/** A friend as a roster holds it; what is not said is of no consequence here. */
const friendOf = (name: string, key: Keys.RemoteIdentityKey, more: Partial<Roster.Friend> = {}): Roster.Friend => {
  const signer = Statement.signerOf(crypto, key)
  return {
    peerId: signer.peerId,
    name,
    standing: "Friend",
    identityKey: key,
    agreementKey: key,
    topic: signer.topic,
    channel: "room:lobby",
    evidence: "same",
    sinceMs: 0,
    cameOf: [],
    alarmed: false,
    ...more
  }
}
const rosterOf = (...friends: ReadonlyArray<Roster.Friend>): Roster.Roster => ({
  ...Roster.empty,
  friends: Table.loaded(friends.map((friend) => [friend.peerId, friend] as const))
})

describe("whom a history speaks for", () => {
  it("nobody, when it would make two peers one", () => {
    const [bob, carol] = [friendOf("bob", idOf(plain[0]!)), friendOf("carol", idOf(plain[1]!))]
    expect(Roster.recognise(rosterOf(bob, carol), historyOf(plain[3]!)).kind).toBe("several")
    // One of them has been a friend, and is no more: it came back under the key that the other record holds.
    const former = { ...bob, standing: "Former" as const }
    expect(Roster.recognise(rosterOf(former, carol), historyOf(plain[3]!))).toMatchObject({
      kind: "one",
      friend: { peerId: carol.peerId },
      relation: { kind: "rotated" }
    })
    expect(Roster.recognise(rosterOf(bob), historyOf(plain[3]!))).toMatchObject({
      kind: "one",
      friend: { name: "bob" }
    })
    // Whoever holds carol's key is carol, and bob is left as he is.
    expect(Roster.recognise(rosterOf(bob, carol), historyOf(plain[1]!))).toMatchObject({
      kind: "one",
      friend: { name: "carol" },
      relation: { kind: "same" }
    })
  })
  it("nobody, when its keys are unknown", () => {
    const bob = friendOf("bob", idOf(Keys.generate(crypto, 0)))
    expect(Roster.recognise(rosterOf(bob), historyOf(plain[3]!))).toEqual({ kind: "nobody" })
  })
})

const dayMs = 86_400_000
const selfOf = (states: ReadonlyArray<Keys.LocalKeys>, leftAtMs: (index: number) => number): State.Self => ({
  name: "us",
  identityKey: idOf(last(states)),
  agreementKey: presentOf(last(states)).agreementKey,
  earlier: states
    .slice(0, -1)
    .map((keys, index) => ({ key: idOf(keys), leftAtMs: leftAtMs(index), reason: "scheduled", byRecoveryKey: false }))
})
const turnAt = (nowMs: number) => ({ nowMs, entropy: new Uint8Array(32).fill(7), sha256: crypto.sha256, pure: crypto })
const strangers = Array.from({ length: 20 }, () => idOf(Keys.generate(crypto, 0)))
const startedAt = (self: State.Self, friends: ReadonlyArray<Roster.Friend>, nowMs: number) => {
  const durable = { ...State.emptyDurable, roster: rosterOf(...friends) }
  return Step.step(State.start(self, durable), { _tag: "Started" }, turnAt(nowMs))
}

describe("being found", () => {
  const states = lineage(12)
  const friends = states.map((keys, index) => friendOf(`f${index}`, strangers[index]!, { knowsKey: idOf(keys) }))

  it("under at most eight keys: the current one and the newest that somebody may know", () => {
    const [, outputs] = startedAt(
      selfOf(states, () => 0),
      friends,
      dayMs
    )
    const announced = outputs.flatMap((output) => (output._tag === "Announce" ? [output.key] : []))
    expect(announced).toHaveLength(Limits.keysAnnouncedMax)
    expect(new Set(announced)).toEqual(new Set(states.slice(-Limits.keysAnnouncedMax).map(idOf)))
  })
  it("under the oldest key that a friend knows and all after it, each for a year and no longer, and none before it", () => {
    const known = states.length - 4
    const few = [friendOf("f", strangers[0]!, { knowsKey: idOf(states[known]!) })]
    const self = selfOf(states, (index) => index * dayMs)
    const [state, outputs] = startedAt(self, few, 5 * dayMs)
    const keys = (tag: "Announce" | "Withdraw", list: typeof outputs) =>
      list.flatMap((output) => (output._tag === tag && "key" in output ? [output.key] : []))
    const last = states.length - 1
    const from = Math.max(known, last + 1 - Limits.keysAnnouncedMax)
    expect(keys("Announce", outputs)).toEqual([self.identityKey, ...states.slice(from, last).map(idOf)])
    // Each goes when its own year is over; a later one may be what a friend with a newer disk knows.
    const end = from * dayMs + Limits.keyAnnounceMs
    const [before, none] = Step.step(state, { _tag: "Tick" }, turnAt(end - 1))
    expect(keys("Withdraw", none)).toEqual([])
    const [, gone] = Step.step(before, { _tag: "Tick" }, turnAt(end))
    expect(keys("Withdraw", gone)).toEqual([idOf(states[from]!)])
  })
  it("under the key that a request still names, which somebody may accept", () => {
    const asked = {
      channel: "room:lobby",
      to: "x",
      tsMs: 0,
      expiresAtMs: 10 * dayMs,
      posted: true,
      key: idOf(states.at(-2)!)
    }
    const roster = { ...Roster.empty, asked: Table.loaded([["k", asked] as const]) }
    const state = State.start(
      selfOf(states, () => 0),
      { ...State.emptyDurable, roster }
    )
    const [, outputs] = Step.step(state, { _tag: "Started" }, turnAt(dayMs))
    expect(outputs.filter((output) => output._tag === "Announce")).toHaveLength(2)
  })
})

describe("looking for friends that have not seen our key", () => {
  const states = lineage(1)
  const self = selfOf(states, () => 0)

  /** Lets a node run for a while with friends that never answer; gives when each dial was wanted. */
  const dialsWithin = (friends: ReadonlyArray<Roster.Friend>, untilMs: number): ReadonlyArray<number> => {
    let [state, outputs] = startedAt(self, friends, 1)
    const dials: Array<number> = []
    let turns = 0
    for (let nowMs = 1; nowMs < untilMs; ) {
      for (const output of outputs) {
        if (output._tag !== "Dial") continue
        dials.push(nowMs)
        ;[state] = Step.step(state, { _tag: "DialEnded", peerId: output.peerId }, turnAt(nowMs + 1))
      }
      nowMs = Math.max(nowMs + 1, Step.nextWakeMs(state, nowMs + 1))
      ;[state, outputs] = Step.step(state, { _tag: "Tick" }, turnAt(nowMs))
      turns++
    }
    // Minutes of a day plus a few hundred turns for the dials: waiting is no busy loop.
    expect(turns).toBeLessThan(untilMs / 60_000 + 500)
    return dials
  }

  it("begins at once, slows down, and costs a friend that is away no more than some forty dials a day", () => {
    const dials = dialsWithin([friendOf("away", strangers[0]!, { knowsKey: idOf(states[0]!) })], dayMs)
    expect(dials[0]).toBe(1)
    expect(dials.length).toBeGreaterThan(24)
    expect(dials.length).toBeLessThan(24 * 2 + 16)
  })
  it("dials a bounded number at one time", () => {
    const many = Array.from({ length: 3 * Limits.newsDialsMax }, (_, index) => {
      const key = `${String(index).padStart(4, "0")}${strangers[0]!.slice(4)}` as Keys.RemoteIdentityKey
      const friend = friendOf(`f${index}`, strangers[0]!, { knowsKey: idOf(states[0]!) })
      return { ...friend, identityKey: key, peerId: `${index}` as PeerId.PeerId }
    })
    let [state, outputs] = startedAt(self, many, 1)
    for (let round = 2; round < 10; round++) {
      const more = Step.step(state, { _tag: "Tick" }, turnAt(round * 1_000))
      state = more[0]
      outputs = [...outputs, ...more[1]]
    }
    expect(outputs.filter((output) => output._tag === "Dial")).toHaveLength(Limits.newsDialsMax)
    expect(HashMap.size(state.passing.contacts)).toBe(Limits.newsDialsMax)
  })
  it("begins anew as soon as a friend is gone who had not seen it yet", () => {
    const friend = friendOf("leaves", strangers[0]!, { knowsKey: idOf(states[0]!) })
    const session: State.Session = {
      connection: "link",
      initiator: false,
      swarmKey: strangers[1]! as string as Keys.RemoteSwarmKey,
      openedMs: 0,
      greeted: true,
      underWay: new Set(),
      underWayBytes: 0,
      held: undefined
    }
    const [started] = startedAt(self, [friend], 1)
    const open = State.withPassing(State.withSession(started, friend.peerId, session), {
      connections: HashMap.set(started.passing.connections, "link", friend.peerId)
    })
    const [ended] = Step.step(open, { _tag: "DialEnded", peerId: friend.peerId }, turnAt(2))
    let nowMs = Limits.newsCheckMs / 2
    const [looked] = Step.step(ended, { _tag: "Tick" }, turnAt(1_000))
    let [state, outputs] = Step.step(looked, { _tag: "Closed", connection: "link", rejection: null }, turnAt(nowMs))
    const goneMs = nowMs
    for (let turns = 0; turns < 10 && !outputs.some(({ _tag }) => _tag === "Dial"); turns++) {
      nowMs = Step.nextWakeMs(state, nowMs)
      ;[state, outputs] = Step.step(state, { _tag: "Tick" }, turnAt(nowMs))
    }
    expect(nowMs - goneMs).toBeLessThanOrEqual(4 * Limits.dialPauseFirstMs)
  })
  it("ends after a year, and never begins for friends that know the key", () => {
    const knows = friendOf("knows", strangers[0]!, { knowsKey: self.identityKey })
    expect(dialsWithin([knows], dayMs)).toEqual([])
    const [, outputs] = startedAt(
      self,
      [friendOf("away", strangers[0]!, { knowsKey: idOf(states[0]!) })],
      Limits.keyAnnounceMs
    )
    expect(outputs.filter((output) => output._tag === "Dial")).toEqual([])
  })
})

describe("messages that wait for the operator", () => {
  it("wake nobody: a friend in doubt is neither dialled nor looked at again and again", () => {
    const friend = friendOf("bob", strangers[0]!, { doubt: { state: "Forked", key: strangers[1]! } })
    let [state] = startedAt(
      selfOf(lineage(0), () => 0),
      [friend],
      1
    )
    const entropy = crypto.randomBytes(32)
    const lanes = Table.set(state.durable.outbox.lanes, friend.peerId, {
      peerId: friend.peerId,
      stream: "0".repeat(32),
      next: 1,
      order: 1
    })
    state = State.withDurable(state, { outbox: { ...state.durable.outbox, lanes } })
    const command = { _tag: "Message", name: "bob", keyPrefix: "", text: "hello" } as const
    const [queued, outputs] = Step.step(state, { _tag: "Operator", ref: "1", command }, { ...turnAt(2), entropy })
    expect(outputs.map((output) => output._tag)).toEqual(["Reply"])
    const [failed] = Step.step(queued, { _tag: "DialEnded", peerId: friend.peerId }, turnAt(3))
    const laterMs = 3 + Limits.dialPauseMaxMs
    expect(Step.step(failed, { _tag: "Tick" }, turnAt(laterMs))[1]).toEqual([])
    expect(Step.nextWakeMs(failed, laterMs)).toBeGreaterThanOrEqual(laterMs + 1_000)
  })
})

describe("the table of a peer's key", () => {
  it("leaves a fork only by the recovery key or the operator, and lets nothing pass in between", () => {
    const out = Object.entries(PeerKey.transitions.Forked).filter(([, to]) => to !== "Forked")
    expect(out).toEqual([
      ["recovers", "Known"],
      ["confirms", "Known"]
    ])
    const states = Object.keys(PeerKey.transitions) as ReadonlyArray<PeerKey.State>
    expect(states.filter(PeerKey.isOpen)).toEqual(["Known"])
    for (const state of states) {
      expect(PeerKey.next(state, "contradicts")).toBe("Forked")
      expect(PeerKey.next(state, "recovers")).toBe("Known")
      expect(PeerKey.isOpen(PeerKey.next(state, "claims")!)).toBe(false)
    }
    expect(PeerKey.diagram()).toContain("Known --> Forked: contradicts")
  })
})
