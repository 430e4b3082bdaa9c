/**
 * What must be true of a story of two friends when it is over, whatever the weather was: one sentence for each breach.
 * It never asks how; it compares what was written with what was shown, told, answered and learnt.
 * The ledger is not believed where a disk can be asked: what a node knows at the end is what a new start would find.
 */
import * as Grants from "../../core/admission/Grants.ts"
import { type PeerId, State } from "../../core/index.ts"
import * as Table from "../../core/Table.ts"
import { loadDisk } from "../models/Disk.ts"
import type { House } from "../simulation/House.ts"
import * as Presence from "../simulation/Presence.ts"
import { answerTo, enoughForNewsMs, enoughMs, type Results } from "./DutyCycle.ts"
import type { Outcome, Written } from "./Ledger.ts"

/** When both were up. */
export const meetings = ({ endMs, houses, ledger }: Results): ReadonlyArray<Presence.Interval> => {
  const [one = [], other = []] = houses.map(({ name }) => ledger.presence.get(name))
  return Presence.within(Presence.common(one, other), { fromMs: 0, toMs: endMs })
}

/** One text, who was to see it, and when it was shown there. */
export interface Followed extends Written {
  readonly outcomes: ReadonlyArray<Outcome>
  readonly shownAtMs: ReadonlyArray<number>
}

/** Every text that was written, in order, with what became of it. */
export const follow = ({ houses, ledger }: Results): ReadonlyArray<Followed> => {
  const shown = new Map(houses.map(({ log, name }) => [name, Map.groupBy(log.values(), ({ text }) => text)] as const))
  return [...ledger.written.values()].map((written) => {
    const friend = houses.find(({ name }) => name !== written.from)?.name ?? ""
    return {
      ...written,
      outcomes: written.id === undefined ? [] : (ledger.outcomes.get(written.id) ?? []),
      shownAtMs: (shown.get(friend)?.get(written.text) ?? []).map(({ shownAtMs }) => shownAtMs)
    }
  })
}

const brief = (text: string): string => (text.length > 40 ? `${text.slice(0, 40)}…` : text)

/** Whether a process of a house crashed between two of its lives. */
const crashed = ({ ledger }: Results, house: string, from: number, to: number): boolean =>
  (ledger.endings.get(house) ?? []).slice(from - 1, to - 1).includes("crash")

/** Exactly one outcome. That a text arrived may be told again after a crash, which forgets what was only forgotten. */
const ends = (results: Results, one: Followed): ReadonlyArray<string> => {
  const [first, ...again] = one.outcomes
  const what = brief(one.text)
  if (one.id === undefined) {
    return one.refused === undefined ? [] : [`${what} was refused at once: ${one.refused}`]
  }
  if (first === undefined) return [`${what} has no outcome`]
  return again.flatMap(({ code, life, tag }) => {
    const isEcho = tag === "Delivered" && first.tag === "Delivered" && crashed(results, one.from, first.life, life)
    return isEcho ? [] : [`${what} has two outcomes: ${first.tag} ${first.code}, then ${tag} ${code}`]
  })
}

/** The longest single meeting from when a text was written until it was shown, or would have expired. */
const chanceOf = (met: ReadonlyArray<Presence.Interval>, fromMs: number, toMs: number): number =>
  Presence.longestMs(Presence.within(met, { fromMs, toMs }))

const aMessage = (results: Results, met: ReadonlyArray<Presence.Interval>, one: Followed): ReadonlyArray<string> => {
  const what = brief(one.text)
  const first = one.outcomes[0]
  const hadMs = chanceOf(met, one.atMs, one.shownAtMs[0] ?? first?.atMs ?? results.endMs)
  const late = hadMs > enoughMs ? [`${what} waited through ${Math.round(hadMs / 60_000)} minutes of a meeting`] : []
  if (one.id === undefined) return one.shownAtMs.length === 0 ? [] : [`${what} was never stored, and was shown`]
  // That nobody came for a week is no fault; whether anybody did, `late` says.
  if (first?.code === "expired" && one.shownAtMs.length === 0) return late
  const delivered = first?.tag === "Delivered" ? [] : [`${what} was not delivered: ${first?.code ?? "no word"}`]
  const times = one.shownAtMs.length
  return [...late, ...delivered, ...(times === 1 ? [] : [`${what} was shown ${times} times`])]
}

const aQuestion = ({ houses, ledger }: Results, one: Followed): ReadonlyArray<string> => {
  const what = brief(one.text)
  const [asker, friend] = houses[0].name === one.from ? houses : [houses[1], houses[0]]
  const calls = ledger.calls.get(`${friend.name}: ${one.text}`) ?? 0
  const answers = [...asker.log.values()].filter(({ text }) => text.startsWith(answerTo(one.text)))
  const first = one.outcomes[0]
  const answered = first?.tag === "Answered"
  const wanted = answered ? 1 : 0
  return [
    ...(calls > 1 ? [`${what} was given to the responder ${calls} times`] : []),
    ...(one.shownAtMs.length > 1 ? [`${what} was shown ${one.shownAtMs.length} times`] : []),
    ...(one.id === undefined && calls + one.shownAtMs.length > 0 ? [`${what} was never stored, and arrived`] : []),
    ...(answers.length === wanted ? [] : [`the answer to ${what} was shown ${answers.length} times`]),
    ...(answered && calls !== 1 ? [`${what} was answered without a call of the responder`] : []),
    ...(answered && first.text !== answers[0]?.text ? [`the answer to ${what} is told and shown differently`] : [])
  ]
}

/** Messages are shown in the order in which they were written. */
const inOrder = (house: House, followed: ReadonlyArray<Followed>): ReadonlyArray<string> => {
  const places = new Map(followed.map(({ kind, text }, index) => [text, kind === "message" ? index : -1]))
  const shown = [...house.log.values()].flatMap(({ text }) => {
    const place = places.get(text) ?? -1
    return place < 0 ? [] : [{ place, text }]
  })
  return shown.flatMap(({ place, text }, index) => {
    const before = shown[index - 1]
    return before === undefined || before.place < place
      ? []
      : [`${house.name} was shown ${brief(text)} after ${brief(before.text)}`]
  })
}

/** What a house was shown that nobody wrote. */
const invented = (house: House, followed: ReadonlyArray<Followed>): ReadonlyArray<string> => {
  const texts = new Set(followed.map(({ text }) => text))
  const asked = followed.filter(({ from, kind }) => from === house.name && kind === "inject")
  return [...house.log.values()].flatMap(({ text }) =>
    texts.has(text) || asked.some((one) => text.startsWith(answerTo(one.text)))
      ? []
      : [`${house.name} was shown what nobody wrote: ${brief(text)}`]
  )
}

/** Every rotation was learnt, and soon enough once there was a meeting. */
const rotations = (results: Results, met: ReadonlyArray<Presence.Interval>): ReadonlyArray<string> =>
  results.ledger.rotations.flatMap(({ atMs, by, learntAtMs, to }) => {
    const what = `key ${to.slice(0, 8)} of ${by}`
    if (learntAtMs === undefined) return [`${what} was never learnt`]
    const hadMs = chanceOf(met, atMs, learntAtMs)
    return hadMs > enoughForNewsMs ? [`${what} waited through ${Math.round(hadMs / 60_000)} minutes of a meeting`] : []
  })

const isConnected = ({ process }: House, peerId: PeerId.PeerId): boolean =>
  process !== undefined && State.session(process.state, peerId) !== undefined

/** At the end each knows the other as it is now, allows what it allowed, and has nothing left to do. */
const atEnd = (house: House, other: House, nowMs: number): ReadonlyArray<string> => {
  const durable = loadDisk(house.disk)
  const friends = Table.values(durable.roster.friends)
  const friend = friends[0]
  if (friend === undefined || friends.length !== 1) return [`${house.name} has ${friends.length} friends`]
  const conversations = new Set([...house.log.values()].map(({ conversation, label }) => `${conversation} ${label}`))
  const facts: Readonly<Record<string, boolean>> = {
    "is connected": isConnected(house, friend.peerId),
    "has a friend of that name": friend.name === other.name && friend.standing === "Friend",
    "knows the friend's key": friend.identityKey === other.identityKey,
    "doubts nothing": friend.doubt === undefined && !friend.alarmed,
    "knows that the friend knows its key": (friend.knowsKey ?? "") === house.identityKey,
    "announces its key alone": house.process?.state.passing.announced.size === 1,
    "allows what it allowed": Grants.held(durable.grants, friend.peerId, Grants.own, nowMs).join() === "message,inject",
    "is allowed what it was": friend.allowsUs?.join() === "inject,message",
    "has one conversation": conversations.size === 1,
    "has nothing left to send": Table.size(durable.outbox.entries) === 0,
    "waits for no answer": Table.size(durable.calls) === 0,
    "runs nothing": Table.values(durable.jobs).every(({ state }) => state !== "running"),
    "has shown all it has": Table.size(durable.unshown) === 0
  }
  return Object.entries(facts).flatMap(([fact, holds]) =>
    holds ? [] : [`at the end it is not so that ${house.name} ${fact}`]
  )
}

/** Everything that is wrong with a story. Empty: nothing. */
export const violations = (results: Results): ReadonlyArray<string> => {
  const { endMs, houses, ledger } = results
  const met = meetings(results)
  const followed = follow(results)
  return [
    ...followed.flatMap((one) => [
      ...ends(results, one),
      ...(one.kind === "message" ? aMessage(results, met, one) : aQuestion(results, one))
    ]),
    ...houses.flatMap((house) => [...inOrder(house, followed), ...invented(house, followed)]),
    ...rotations(results, met),
    ...atEnd(houses[0], houses[1], endMs),
    ...atEnd(houses[1], houses[0], endMs),
    ...(results.helloed ? [] : ["who starts on a calm day does not find its friend"]),
    ...ledger.alarms.map((alarm) => `an alarm at ${alarm}`)
  ]
}
