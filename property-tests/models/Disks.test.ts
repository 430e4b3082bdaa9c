/**
 * Disks that are older than they were: one of two friends is put back to an earlier day, and both go on.
 * It never says what the nodes should notice; it notes what was written after the restore, and looks at what was shown.
 * A restore is honest, so nobody may be punished for one; what lies between backup and restore may be shown twice or lost.
 */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Input } from "../../core/index.ts"
import * as Table from "../../core/Table.ts"
import { alice, bob } from "../arbitraries/state.ts"
import { type House, houseOf, Town } from "./Town.ts"

const makeFriends = () => {
  const town = new Town([alice, bob])
  const [one, other] = [houseOf(town, alice), houseOf(town, bob)]
  town.command(one, { _tag: "Friend", channel: "lobby", to: "bob" })
  town.hear(other, town.room[0]!)
  town.command(other, { _tag: "Accept", name: "alice", keyPrefix: "" })
  town.hear(one, town.room[1]!)
  town.command(other, { _tag: "Grant", name: "alice", keyPrefix: "", capability: "inject" })
  town.heal()
  return { town, one, other }
}

const nameOfOther = (house: House): string => (house.person === alice ? "bob" : "alice")
const say = (house: House, text: string): Input.Command => ({
  _tag: "Message",
  name: nameOfOther(house),
  keyPrefix: "",
  text
})
const asks = (text: string): Input.Command => ({ _tag: "Inject", name: "bob", keyPrefix: "", text, waitMs: 200_000 })
const textsAt = (house: House) => [...house.shown.values()].map(({ text }) => text)
/** What a node holds against its friend. Honest restores give no cause for any. */
const held = (house: House) =>
  house.events.filter((event) => event._tag === "PeerRefused" || event._tag === "Banned" || event._tag === "Alarm")
const outcomes = (house: House, id: string) =>
  house.events.flatMap((event) =>
    (event._tag === "Delivered" || event._tag === "Refused" || event._tag === "Answered") && event.id === id
      ? event._tag
      : []
  )

type What = "message" | "inject" | "deliver" | "dial" | "run ends" | "cut"
const step = fc.tuple(
  fc.constantFrom<What>("message", "message", "inject", "deliver", "deliver", "deliver", "dial", "run ends", "cut"),
  fc.nat(3)
)
const steps = fc.array(step, { maxLength: 30, size: "max" })

interface Sent {
  readonly from: House
  readonly id: string
  readonly text: string
}

/** Carries one step out; gives the text that was written by it, if any. */
const take = (town: Town, [what, who]: readonly [What, number], name: string): ReadonlyArray<Sent> => {
  const house = town.houses[who % 2]!
  const link = town.links[who >> 1]
  if (what === "message" || what === "inject") {
    // Only alice asks, and no more than may run at one time: a refusal for another reason would say nothing here.
    const mayAsk = what === "inject" && house.person === alice && Table.size(house.state.durable.calls) < 2
    const text = `${mayAsk ? "inject" : "message"} ${name}`
    const reply = town.command(house, mayAsk ? asks(text) : say(house, text))
    return reply?.ok === true ? [{ from: house, id: reply.id, text }] : []
  }
  if (what === "deliver" && link !== undefined) town.deliver(link, who % 2 === 0 ? "initiator" : "responder")
  if (what === "dial") town.endDial(house, true)
  if (what === "run ends") town.endRun(house, true)
  if (what === "cut" && link !== undefined) town.cut(link)
  return []
}

describe("two friends, one of whose disks is put back", () => {
  it("what is written after the restore is shown once and told as delivered, and nobody is punished", () => {
    const noticed = new Set<string>()
    fc.assert(
      fc.property(
        steps,
        steps,
        steps,
        fc.nat(1),
        fc.boolean(),
        fc.boolean(),
        (before, between, after, who, healed, settledFirst) => {
          const { town } = makeFriends()
          const house = town.houses[who]!
          for (const [index, one] of before.entries()) take(town, one, `before ${index}`)
          if (settledFirst) town.heal()
          const backup = town.backup(house)
          for (const [index, one] of between.entries()) take(town, one, `between ${index}`)
          if (healed) town.heal()
          town.restore(house, backup)
          const written = after.flatMap((one, index) => take(town, one, `after ${index}`))
          town.heal()
          // Whatever was left open, both can still talk.
          const last = town.houses.map((from) => take(town, ["message", town.houses.indexOf(from)], "last")[0]!)
          town.heal()
          for (const { from, id, text } of [...written, ...last]) {
            const other = town.houses.find((one) => one !== from)!
            const shown = textsAt(other).filter((one) => one === text).length
            expect([text, shown]).toEqual([text, 1])
            expect(outcomes(from, id), text).toContain(text.startsWith("message") ? "Delivered" : "Answered")
          }
          for (const one of town.houses) {
            expect(held(one)).toEqual([])
            for (const event of one.events) {
              if (event._tag !== "DiskOlder") continue
              noticed.add(event.whose)
              // Whoever says so, it is said of the one that was put back.
              expect(event.whose).toBe(one === house ? "ours" : "theirs")
            }
          }
        }
      ),
      { numRuns: 250 }
    )
    expect([...noticed].sort()).toEqual(["ours", "theirs"])
  })
})

describe("two friends whose disks are as new as ever", () => {
  const weeks = fc.tuple(fc.constantFrom<What | "a week">("a week", "cut", "message", "inject"), fc.nat(3))
  it("never say of one that it is older, whatever is cut off, crashes, is given up or waits for weeks", () => {
    let unresolved = 0
    fc.assert(
      fc.property(fc.array(fc.oneof(step, weeks), { maxLength: 40, size: "max" }), fc.nat(1), (story, who) => {
        const { town } = makeFriends()
        for (const [index, [what, number]] of story.entries()) {
          if (what === "a week") town.pass(8 * 86_400_000)
          else take(town, [what, number], `${index}`)
          if (index % 9 === 8) town.crash(town.houses[who]!)
        }
        town.heal()
        for (const house of town.houses) take(town, ["message", town.houses.indexOf(house)], "last")
        town.heal()
        for (const house of town.houses) {
          expect(olderOf(house)).toEqual([])
          unresolved += house.events.filter(
            (event) => event._tag === "Refused" && event.rejection.code === "unresolved"
          ).length
        }
      }),
      { numRuns: 250 }
    )
    expect(unresolved).toBeGreaterThan(0)
  })
  it("nor of two texts that were cut off and given up unanswered while the friend was away for weeks", () => {
    const { one, other, town } = makeFriends()
    take(town, ["message", 0], "arrives")
    town.heal()
    for (const text of ["first", "second"]) take(town, ["message", 0], text)
    for (const link of [...town.links]) town.cut(link)
    for (let week = 0; week < 3; week++) town.pass(8 * 86_400_000)
    const [after] = take(town, ["message", 0], "after")
    town.heal()
    expect(one.events.flatMap((event) => (event._tag === "Refused" ? event.rejection.code : []))).toEqual([
      "unresolved",
      "unresolved"
    ])
    expect(outcomes(one, after!.id)).toEqual(["Delivered"])
    expect([...olderOf(one), ...olderOf(other)]).toEqual([])
  })
})

/** Everything that is under way arrives, without time passing: what is put off stays put off. */
const carry = (town: Town): void => {
  for (let moved = true; moved; ) {
    moved = town.houses.map((house) => town.endDial(house, true)).includes(true)
    for (const link of [...town.links]) {
      while (town.links.includes(link) && (town.deliver(link, "responder") || town.deliver(link, "initiator"))) {
        moved = true
      }
    }
  }
}
const olderOf = (house: House) => house.events.flatMap((event) => (event._tag === "DiskOlder" ? event.whose : []))

describe("stories of older disks", () => {
  it("a number that overtook texts put off is not used again: our disk is known to be older by it", () => {
    const { one, other, town } = makeFriends()
    for (let index = 1; index <= 30; index++) town.command(one, say(one, `text ${index}`))
    carry(town)
    expect(textsAt(other)).toHaveLength(30)
    const backup = town.backup(one)
    // The thirty-first is put off by bob's limit; a question of another kind passes it.
    town.command(one, say(one, "lost with the disk"))
    town.command(one, asks("the question"))
    town.pass(300)
    carry(town)
    expect(textsAt(other)).toContain("the question")
    town.restore(one, backup)
    const sent = ["first", "second", "third"].flatMap((text, index) => take(town, ["message", 0], `${text} ${index}`))
    town.heal()
    expect(sent).toHaveLength(3)
    expect(textsAt(other).slice(-3)).toEqual(sent.map(({ text }) => text))
    for (const { from, id } of sent) expect(outcomes(from, id)).toEqual(["Delivered"])
    expect(olderOf(one)).toContain("ours")
    expect(held(other)).toEqual([])
  })
  it("the friend's: it closes the numbers it has forgotten and goes on, however many they are", () => {
    for (const count of [1, 2, 1_500]) {
      const { one, other, town } = makeFriends()
      const backup = town.backup(other)
      for (let index = 1; index <= count; index++) {
        town.command(one, say(one, `text ${index}`))
        if (index % 25 === 0) town.heal()
        if (index % 25 === 0) town.pass(300_000)
      }
      town.heal()
      expect(textsAt(other)).toHaveLength(count)
      town.restore(other, backup)
      const [sent] = take(town, ["message", 0], "after")
      town.heal()
      expect(textsAt(other).filter((text) => text === sent!.text)).toHaveLength(1)
      expect(outcomes(one, sent!.id)).toEqual(["Delivered"])
      expect(held(one)).toEqual([])
      expect(held(other)).toEqual([])
      expect([olderOf(one), olderOf(other)]).toEqual([["theirs"], ["ours"]])
      // Said once: the next session finds the marks where they belong.
      for (const link of [...town.links]) town.cut(link)
      take(town, ["message", 0], "later")
      town.heal()
      expect([olderOf(one), olderOf(other)]).toEqual([["theirs"], ["ours"]])
    }
  })
  it("a friend without any memory who asks again still takes what was sent to it long ago, and goes on", () => {
    const { one, other, town } = makeFriends()
    const empty = town.backup(other)
    for (let index = 1; index <= 1_050; index++) {
      town.command(one, say(one, `text ${index}`))
      if (index % 25 === 0) town.heal()
      if (index % 25 === 0) town.pass(300_000)
    }
    town.heal()
    // Sent, and cut off before it arrived; then bob loses his records and asks as if for the first time.
    const [cutOff] = take(town, ["message", 0], "cut off")
    for (const link of [...town.links]) town.cut(link)
    town.restore(other, empty)
    town.command(other, { _tag: "Friend", channel: "attic", to: "alice" })
    town.hear(one, town.room.at(-1)!)
    town.hear(other, town.room.at(-1)!)
    const [after] = take(town, ["message", 0], "after")
    town.heal()
    expect(textsAt(other).slice(-2)).toEqual([cutOff!.text, after!.text])
    for (const { id } of [cutOff!, after!]) expect(outcomes(one, id)).toEqual(["Delivered"])
  })
})
