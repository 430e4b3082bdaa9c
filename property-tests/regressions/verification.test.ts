/**
 * What a mark is worth in a whole node: what keeps it, what takes it away, and what only verified friends may do.
 * It never marks anything itself; operators do, by the commands that people type.
 * A mark that outlives the key it was made for would be worse than none: each way to lose one has its test.
 */
import { beforeEach, describe, expect, it } from "vitest"
import * as Trust from "../../core/friend/Trust.ts"
import { Describe, type Input, Limits } from "../../core/index.ts"
import * as Table from "../../core/Table.ts"
import { rotated } from "../arbitraries/party.ts"
import { crypto, ids, noonMs, type Person, person, signedLine } from "../arbitraries/state.ts"
import { failedWith, Pair } from "../models/pair.ts"

const about = { name: "bob", keyPrefix: "" }
const verify = (same = true): Input.Command => ({ _tag: "Verify", ...about, same })

let pair: Pair
let bob: Person
const alice = () => pair.one
const trust = (): Trust.State => Trust.of(alice().friend)
const view = () => Describe.describe(crypto, alice().state, alice().nowMs).friends[0]!
beforeEach(() => {
  bob = person("bob")
  pair = new Pair(person("alice"), bob)
  pair.link()
})

describe("a friend whose fingerprint was compared", () => {
  beforeEach(() => {
    expect(failedWith(alice().operator(verify()))).toBe("ok")
    expect(trust()).toBe("verified")
  })
  it("is verified, is shown so, and is so after a restart", () => {
    expect(alice().last("TrustChanged")).toMatchObject({ name: "bob", from: "unverified", to: "verified" })
    expect(view()).toMatchObject({ trust: "verified", trustSinceMs: alice().nowMs })
    alice().restart()
    expect(trust()).toBe("verified")
    expect(view().trust).toBe("verified")
  })
  it("stays so under a key that the compared one vouches for, and under the next one", () => {
    let now = bob
    for (let rotation = 1; rotation <= 3; rotation++) {
      now = rotated(now, "scheduled")
      alice().open(now, `new ${rotation}`, false)
      expect(alice().friend.identityKey).toBe(now.self.identityKey)
      expect(trust()).toBe("verified")
    }
  })
  it("is changed by a rotation for compromise, also by one of several, and compared again verified", () => {
    const now = rotated(rotated(bob, "compromise"), "scheduled")
    alice().open(now, "new", false)
    expect(alice().friend.identityKey).toBe(now.self.identityKey)
    expect(trust()).toBe("changed")
    expect(alice().last("TrustChanged")).toMatchObject({ to: "changed", why: "compromises" })
    expect(failedWith(alice().operator(verify()))).toBe("ok")
    expect(trust()).toBe("verified")
    expect(alice().friend.trust?.key).toBe(now.self.identityKey)
  })
  it("is changed by a line under another key, in the same turn as the alarm, and unverified once that is settled", () => {
    const line = signedLine(person("bob"), "alice", noonMs)
    alice().take({ _tag: "Line", channel: "lobby", author: null, line })
    expect(alice().last("Alarm")?.rejection.code).toBe("key-change")
    expect(trust()).toBe("changed")
    expect(failedWith(alice().operator({ _tag: "Confirm", ...about }))).toBe("ok")
    expect(trust()).toBe("unverified")
  })
  it("is changed by a second successor of its key, and a comparison settles the alarm and verifies", () => {
    alice().open(rotated(bob, "scheduled"), "one", false)
    alice().open(rotated(bob, "scheduled"), "other", false)
    expect(alice().last("Alarm")?.rejection.code).toBe("key-fork")
    expect(trust()).toBe("changed")
    expect(failedWith(alice().operator(verify()))).toBe("ok")
    expect([trust(), view().alarm]).toEqual(["verified", null])
    expect(alice().last("AlarmEnded")?.by).toBe("operator")
    // Nobody is told of a state in between.
    const told = alice().events.filter((event) => event._tag === "TrustChanged")
    expect(told.map(({ to }) => to)).toEqual(["verified", "changed", "verified"])
  })
  it("is revoked by the operator, once, and when the friendship ends, whoever ends it", () => {
    expect(failedWith(alice().operator({ _tag: "Unverify", ...about }))).toBe("ok")
    expect(trust()).toBe("revoked")
    expect(failedWith(alice().operator({ _tag: "Unverify", ...about }))).toBe("nothing-to-take-back")
    alice().operator(verify())
    alice().operator({ _tag: "Unfriend", ...about })
    expect(trust()).toBe("revoked")
    // Befriended again, it is a friend and not verified.
    alice().take({ _tag: "Line", channel: "lobby", author: null, line: signedLine(bob, "alice", noonMs) })
    expect(Describe.describe(crypto, alice().state, alice().nowMs).requests[0]?.trust).toBe("revoked")
    alice().operator({ _tag: "Accept", ...about })
    expect([alice().friend.standing, trust()]).toEqual(["Friend", "revoked"])
  })
  it("is revoked when the friend ends the friendship", () => {
    pair.other.operator({ _tag: "Unfriend", name: "alice", keyPrefix: "" })
    pair.carry()
    expect([alice().friend.standing, trust()]).toEqual(["Former", "revoked"])
  })
  it("keeps it when the friend asks again because it has lost its records", () => {
    alice().take({ _tag: "Line", channel: "lobby", author: null, line: signedLine(bob, "alice", noonMs) })
    expect([alice().friend.standing, trust()]).toEqual(["Friend", "verified"])
  })
})

describe("a comparison that came to a difference", () => {
  it("raises an alarm, stops messages and inject, and no key ends that: only the operator does", () => {
    alice().operator(verify())
    expect(failedWith(alice().operator(verify(false)))).toBe("ok")
    expect(alice().last("Alarm")?.rejection.code).toBe("sas-mismatch")
    expect([trust(), view().alarm]).toEqual(["changed", "sas-mismatch"])
    const said = alice().said.length
    alice().operator({ _tag: "Message", ...about, text: "waits" })
    expect(alice().said.length).toBe(said)
    const asked = { kind: "Inject" as const, stream: ids[0]!, number: 1, id: ids[1]!, text: "run", timeLimitMs: 1_000 }
    alice().hear(bob, pair.connection, asked)
    expect(alice().outputs.some((output) => output._tag === "Run")).toBe(false)
    alice().open(rotated(bob, "scheduled"), "rotated", false)
    expect(view().alarm).toBe("sas-mismatch")
    alice().restart()
    expect(view().alarm).toBe("sas-mismatch")
    expect(failedWith(alice().operator({ _tag: "Confirm", ...about }))).toBe("ok")
    expect([trust(), view().alarm]).toEqual(["unverified", null])
  })
  it("of the interactive kind does so at both ends, and of strings that agree it verifies at both", () => {
    const compare = () => {
      alice().operator({ _tag: "Compare", ...about })
      pair.carry()
      expect(pair.other.last("SasOffered")).toMatchObject({ name: "alice" })
      pair.other.operator({ _tag: "Compare", name: "alice", keyPrefix: "" })
      pair.carry()
      const shown = pair.both.map((end) => end.last("SasShown"))
      expect(shown[0]?.words).toBe(shown[1]?.words)
    }
    compare()
    for (const [end, name] of [
      [pair.one, "bob"],
      [pair.other, "alice"]
    ] as const)
      end.operator({ _tag: "Compared", name, keyPrefix: "", same: true })
    pair.carry()
    expect(pair.both.map(({ friend }) => Trust.of(friend))).toEqual(["verified", "verified"])
    compare()
    pair.other.operator({ _tag: "Compared", name: "alice", keyPrefix: "", same: false })
    pair.carry()
    expect(pair.both.map((end) => end.last("Alarm")?.rejection.code)).toEqual(["sas-mismatch", "sas-mismatch"])
    expect(pair.both.map(({ friend }) => Trust.of(friend))).toEqual(["changed", "changed"])
  })
  it("that an older program does not know is over in time, with a code", () => {
    alice().operator({ _tag: "Compare", ...about })
    // The other end ignores what it does not know, and nothing comes back.
    alice().said.length = 0
    alice().nowMs += Limits.sasMs
    alice().take({ _tag: "Tick" })
    expect(alice().last("SasEnded")?.code).toBe("sas-unanswered")
    expect(view().comparison).toBeNull()
  })
  it("needs an open session, and no more than four an hour", () => {
    for (let count = 0; count < Limits.sasPerHour; count++) {
      expect(failedWith(alice().operator({ _tag: "Compare", ...about }))).toBe("ok")
      pair.carry()
      pair.cut()
      expect(alice().last("SasEnded")?.code).toBe("sas-ended")
      expect(failedWith(alice().operator({ _tag: "Compare", ...about }))).toBe("not-connected")
      pair.link()
    }
    expect(failedWith(alice().operator({ _tag: "Compare", ...about }))).toBe("sas-rate")
  })
})

describe("what is for verified friends only", () => {
  let number = 0
  const inject = () => {
    number += 1
    const id = String(number % 10).repeat(32)
    return { kind: "Inject" as const, stream: ids[0]!, number, id, text: "run", timeLimitMs: 60_000 }
  }
  const demand = (capability: "message" | "inject", trusted: "verified" | "nothing" = "verified") =>
    alice().operator({ _tag: "Require", capability, trust: trusted })
  const heard = (message: Parameters<Pair["one"]["hear"]>[2]) => {
    const outputs = alice().hear(bob, pair.connection, message)
    const rejected = outputs.flatMap((output) =>
      output._tag === "Transmit"
        ? output.messages.flatMap((one) =>
            "message" in one && one.message.kind === "Reject" ? [one.message.code] : []
          )
        : []
    )
    return rejected[0] ?? (outputs.some((output) => output._tag === "Run") ? "runs" : "taken")
  }
  beforeEach(() => {
    number = 0
  })
  it("is refused to others by a code they are told, whatever is granted, after a restart too", () => {
    expect(heard(inject())).toBe("runs")
    demand("inject")
    expect(heard(inject())).toBe("not-verified")
    expect(heard({ kind: "Log", stream: ids[0]!, number: ++number, text: "x" })).toBe("taken")
    alice().restart()
    pair.link()
    expect(heard(inject())).toBe("not-verified")
    alice().operator(verify())
    expect(heard(inject())).toBe("runs")
    demand("message")
    alice().operator({ _tag: "Unverify", ...about })
    expect(heard({ kind: "Log", stream: ids[0]!, number: ++number, text: "x" })).toBe("not-verified")
    demand("message", "nothing")
    demand("inject", "nothing")
    expect(heard(inject())).toBe("runs")
  })
  it("ends at once what runs, and takes back what was answered, when the demand comes or the mark goes", () => {
    const unverify = () => alice().operator({ _tag: "Unverify", ...about })
    for (const [have, lose] of [
      [() => undefined, () => demand("inject")],
      [() => alice().operator(verify()), unverify]
    ] as const) {
      have()
      const asked = inject()
      expect(heard(asked)).toBe("runs")
      lose()
      const job = Table.values(alice().state.durable.jobs).find(({ id }) => id === asked.id)
      expect(job).toMatchObject({ state: "finished", code: "not-verified" })
      expect(alice().outputs.some((output) => output._tag === "Stop" && output.job.endsWith(asked.id))).toBe(true)
    }
  })
  it("is not run by the owner's approval either, and a question can wait while its friend is unverified", () => {
    alice().operator({ _tag: "Hold", ...about, when: "unverified" })
    const asked = inject()
    expect(heard(asked)).toBe("taken")
    expect(alice().last("InjectHeld")).toMatchObject({ reason: "unverified", id: asked.id })
    demand("inject")
    // A demand ends what waits as well.
    expect(failedWith(alice().operator({ _tag: "Approve", id: asked.id }))).toBe("unknown-question")
    demand("inject", "nothing")
    alice().operator(verify())
    expect(heard(inject())).toBe("runs")
  })
})

describe("the nonce of a comparison", () => {
  it("is in nothing that a node shows of itself before it is sent", () => {
    alice().operator({ _tag: "Compare", ...about })
    const shown = JSON.stringify([
      Describe.describe(crypto, alice().state, alice().nowMs),
      [...alice().state.passing.checks],
      alice().outputs,
      alice().events
    ])
    pair.carry()
    pair.other.operator({ _tag: "Compare", name: "alice", keyPrefix: "" })
    const reveals = [pair.other.said.find(({ kind }) => kind === "SasReveal")]
    pair.deliver(pair.other)
    reveals.push(pair.one.said.find(({ kind }) => kind === "SasReveal"))
    for (const reveal of reveals) {
      const { nonce } = JSON.parse(new TextDecoder().decode(reveal!.body))
      expect(nonce).toMatch(/^[A-Za-z0-9_-]{43}$/)
      expect(shown).not.toContain(nonce)
    }
  })
})
