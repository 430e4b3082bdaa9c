/**
 * A topic of a thousand honest members: what being in it costs one of them, and when members find each other.
 * A few are whole nodes and are measured; the others behave as members do, and dial as often as members dial.
 * Lookups tell of twenty announcers, as a DHT node does: the rest has to come from what members tell each other.
 */
import { HashMap } from "effect"
import { expect, it } from "vitest"
import { Directory, Limits } from "../../core/index.ts"
import { Neighbour } from "./Crowd.ts"
import { Gathering, minute } from "./Gathering.ts"
import type { House } from "./House.ts"
import { topics } from "./SquareTopics.ts"

const membersMax = 1_000
const houseNames = ["n1", "n2", "n3", "n4", "n5", "late"] as const

/** What one house did in a minute, and how much it keeps. */
interface Cost {
  messages: number
  sentBytes: number
  dials: number
  links: number
}
const nothing = (): Cost => ({ messages: 0, sentBytes: 0, dials: 0, links: 0 })

const bytesOf = (value: unknown): number =>
  Buffer.byteLength(
    JSON.stringify(value, (_, one) => (HashMap.isHashMap(one) ? [...one] : one instanceof Uint8Array ? [...one] : one))
  )

it("a thousand honest members cost bounded memory and messages, and find each other", () => {
  const costs = new Map<string, Cost>(houseNames.map((name) => [name, nothing()]))
  /** When a house first had met another one. */
  const metMs = new Map<string, number>()
  const place = new Gathering("a thousand", topics[0]!, (house, { after, before, inputs, outputs }) => {
    const cost = costs.get(house.name)!
    cost.links += inputs.filter(({ _tag }) => _tag === "Opened").length
    for (const output of outputs) {
      if (output._tag === "DialMember") cost.dials++
      if (output._tag === "Transmit") {
        cost.messages += output.messages.length
        cost.sentBytes += bytesOf(output.messages)
      }
    }
    if (after.passing.topics === before.passing.topics || !house.isUp) return
    for (const other of houses) {
      const pair = `${house.name} ${other.name}`
      if (other !== house && !metMs.has(pair) && place.hasMet(house, other)) metMs.set(pair, place.clock.nowMs)
    }
  })
  const houses = houseNames.map((name) => place.house(name))
  place.network.answersMax = 20
  const { clock } = place
  const late = houses.at(-1)!
  const around = place.around(houses[0]!)
  const crowd = Array.from({ length: membersMax - houses.length }, () => new Neighbour(around))

  /** Every member dials each of the others once within this time, as one that dials sixty a minute does. */
  const roundMs = (membersMax / Limits.topicMeetingsPerMinute) * minute
  const visited = (house: House) => {
    for (const member of crowd) {
      clock.after(around.chance.whole(0, roundMs), () => {
        if (house.process !== undefined) member.visit(house.process.swarmKey)
      })
    }
  }
  for (const house of houses) {
    if (house !== late) place.join(house)
    visited(house)
  }
  const startedMs = clock.nowMs

  /** What all that is kept of a topic may come to: places times the largest profile, and keys with a time each. */
  const keyBytes = 128
  const profileBytes = 2 * Limits.profileCharactersMax
  const keptBytesMax =
    (Limits.topicSettledMax + Limits.topicNewcomersMax + Limits.topicFarewellsMax + 1) * profileBytes +
    (Limits.topicMarksMax + Limits.topicFoundMax + Limits.topicTriedMax + Limits.topicDialsMax) * keyBytes
  // A meeting is a hello and one message of profiles each way; who is dialled says as much as who dials.
  // A budget that was full fills once more within a minute.
  const dialsMax = 2 * Limits.topicMeetingsPerMinute
  const linksMax = 2 * dialsMax
  const told: Array<string> = []
  const [busy, quiet] = [nothing(), nothing()]
  for (let minutes = 1; minutes <= 45; minutes++) {
    if (minutes === 11) place.join(late)
    clock.runUntil(clock.nowMs + minute)
    for (const house of houses.filter((one) => one.isUp)) {
      const cost = costs.get(house.name)!
      const kept = bytesOf(place.presence(house))
      expect(cost.dials, "dials a minute").toBeLessThanOrEqual(dialsMax)
      expect(cost.links, "links a minute").toBeLessThanOrEqual(linksMax)
      expect(cost.messages, "messages a minute").toBeLessThanOrEqual(3 * linksMax)
      expect(kept, "bytes kept").toBeLessThanOrEqual(keptBytesMax)
      const { directory, found, tried } = place.presence(house)
      expect(HashMap.size(directory.settled)).toBeLessThanOrEqual(Limits.topicSettledMax)
      expect(HashMap.size(directory.newcomers)).toBeLessThanOrEqual(Limits.topicNewcomersMax)
      expect(HashMap.size(directory.marks)).toBeLessThanOrEqual(Limits.topicMarksMax)
      expect(found.length).toBeLessThanOrEqual(Limits.topicFoundMax)
      expect(HashMap.size(tried)).toBeLessThanOrEqual(Limits.topicTriedMax)
      expect(HashMap.size(house.process!.state.passing.guests)).toBeLessThanOrEqual(2 * Limits.guestsMax)
      expect(HashMap.size(house.process!.state.passing.exchanges)).toBeLessThanOrEqual(2 * Limits.guestsMax)
      if (house.name === "n1") {
        told.push(
          `minute ${minutes}: ${cost.links} links, ${cost.messages} messages, ${cost.sentBytes} bytes; keeps ${kept} bytes`
        )
      }
      const sum = minutes <= 20 ? busy : minutes > 35 ? quiet : undefined
      if (sum !== undefined && house !== late) {
        for (const part of ["messages", "sentBytes", "dials", "links"] as const) sum[part] += cost[part]
      }
      costs.set(house.name, nothing())
    }
  }
  process.stderr.write(`${told.filter((_, index) => index % 4 === 0).join("\n")}\n`)
  const a = (sum: Cost, over: number) => Math.round(sum.messages / over)
  process.stderr.write(`a member says ${a(busy, 100)} messages a minute at first, ${a(quiet, 50)} once all have met\n`)
  // Once everybody has been met, being there costs next to nothing: a round a minute, a look every five.
  expect(a(quiet, 50)).toBeLessThan(12)

  const waits = houses.flatMap((house) =>
    houses.flatMap((other) => {
      if (other === house) return []
      const sinceMs = house === late || other === late ? startedMs + 10 * minute : startedMs
      const atMs = metMs.get(`${house.name} ${other.name}`)
      expect(atMs, `${house.name} meets ${other.name}`).toBeDefined()
      return [(atMs! - sinceMs) / minute]
    })
  )
  const longest = Math.max(...waits)
  process.stderr.write(`of ${waits.length} the last met another after ${longest.toFixed(1)} minutes\n`)
  // Sixty meetings a minute on each side: all of a thousand within one round, and whoever told of them sooner.
  expect(longest * minute).toBeLessThan(roundMs + 3 * minute)
}, 2_400_000)

it("what one of many says anew reaches everybody who holds the older profile, also those who are not told at once", () => {
  const place = new Gathering("news", topics[0]!)
  const { clock } = place
  const houses = Array.from({ length: 4 * Limits.topicToldMax }, (_, index) => place.house(`n${index}`))
  for (const house of houses) place.join(house)
  clock.runUntil(clock.nowMs + 3 * minute)
  const [speaker] = houses as [House]
  const says = (house: House) =>
    Directory.member(place.presence(house).directory, speaker.identityKey)?.profile.content?.description
  expect(houses.filter((house) => house !== speaker && says(house) === undefined)).toEqual([])
  speaker.command("operator", { _tag: "SetProfile", content: { name: "n0", description: "new words", tags: [] } })
  const saidMs = clock.nowMs
  const behind = () => houses.filter((house) => house !== speaker && says(house) !== "new words").length
  const waiting: Array<number> = []
  while (behind() > 0 && clock.nowMs - saidMs < 60 * minute) {
    clock.runUntil(clock.nowMs + minute)
    waiting.push(behind())
  }
  process.stderr.write(`of ${houses.length - 1}, after each minute so many had not heard: ${waiting.join(", ")}\n`)
  expect(waiting[0]).toBeLessThanOrEqual(houses.length - 1 - Limits.topicToldMax)
  expect(clock.nowMs - saidMs).toBeLessThanOrEqual(10 * minute)
}, 900_000)
