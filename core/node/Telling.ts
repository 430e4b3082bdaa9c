/**
 * How much of what others cause is told: within each minute so much of each friend, room and kind, the rest as a number.
 * It never holds back an outcome of our own, nor lets what one has caused decide what is told of another.
 * The queue of events drops its oldest: who could fill it at will could hide an alarm behind a thousand small news.
 */
import { HashMap, Option } from "effect"
import * as Name from "../identity/Name.ts"
import type { PeerId } from "../identity/PeerId.ts"
import * as Limits from "../Limits.ts"
import * as Table from "../Table.ts"
import type { Event } from "./Event.ts"
import type { Input, Turn } from "./Input.ts"
import type { Output } from "./Output.ts"
import * as State from "./State.ts"

type NotShown = Extract<Event, { readonly _tag: "NotShown" }>
type Subject = Omit<NotShown, "_tag" | "count">

/**
 * Which budget each event draws from. `free` is what is bounded where it comes from: by our operator, by the budgets of
 * lines, texts and injects, or by what we have sent ourselves.
 */
const budgets: { readonly [Tag in Event["_tag"]]: "free" | "news" | "alarms" | "lines" | "links" } = {
  RequestReceived: "free",
  LinePosted: "free",
  LineNotPosted: "free",
  LineRefused: "lines",
  FriendshipMade: "free",
  FriendshipEnded: "free",
  GrantChanged: "news",
  DiskOlder: "alarms",
  TwoMachines: "alarms",
  Alarm: "alarms",
  AlarmEnded: "alarms",
  TrustChanged: "alarms",
  SasOffered: "news",
  SasShown: "alarms",
  SasAwaited: "news",
  SasEnded: "alarms",
  KeyRotated: "alarms",
  Connected: "news",
  Disconnected: "news",
  LinkRefused: "links",
  PeerRefused: "news",
  Banned: "alarms",
  Delivered: "free",
  Refused: "free",
  Received: "free",
  JobStarted: "free",
  InjectHeld: "free",
  CallHeld: "free",
  JobEnded: "free",
  Answered: "free",
  InviteRedeemed: "free",
  ErrandAnswered: "free",
  ErrandRefused: "free",
  NotShown: "free",
  IntentDone: "free",
  Discovered: "news",
  MemberLeft: "news",
  ProfileConflict: "alarms",
  ConnectAsked: "news",
  IntroductionReceived: "news",
  IntroductionEnded: "free",
  StorageFailed: "free"
}

/** What an event is counted under, and how many of these a minute has room for. */
interface Count {
  readonly key: string
  readonly most: number
  readonly subject: Subject
}

const strangers: Subject = { what: "news", peerId: null, name: "" }

/** Everything an event is counted under; it is told only if each has room. What is not told is counted under the first. */
const countsOf = (state: State.State, event: Event): ReadonlyArray<Count> => {
  const what = budgets[event._tag]
  if (what === "free") return []
  if (event._tag === "LineRefused") {
    const { author, channel, claimed } = event
    const subject = { what: "lines", peerId: null, name: channel } as const
    const by = author === null ? `claims ${Name.fold(claimed)}` : `is ${Name.fold(author)}`
    return [
      { key: `lines\n${channel}`, most: Limits.refusedLinesPerMinute, subject },
      { key: `lines\n${channel}\n${by}`, most: Limits.refusedLinesOfOnePerMinute, subject }
    ]
  }
  if (event._tag === "LinkRefused") {
    const name = event.names.join(", ")
    return [{ key: `links\n${name}`, most: Limits.newsPerMinute, subject: { what: "links", peerId: null, name } }]
  }
  if (!("peerId" in event) || event.peerId === null) return []
  const { name, peerId } = event
  // Anybody can make keys: who is no friend shares one budget with all who are not.
  if (!Table.has(state.durable.roster.friends, peerId)) {
    return [{ key: "strangers", most: Limits.newsPerMinute, subject: strangers }]
  }
  const subject = { what: what === "alarms" ? "alarms" : "news", peerId: peerId as PeerId, name } as const
  return [
    { key: `${what}\n${peerId}`, most: what === "alarms" ? Limits.alarmsPerMinute : Limits.newsPerMinute, subject }
  ]
}

type Minutes = State.Passing["minutes"]

const isOver = ({ sinceMs }: State.Minute, nowMs: number): boolean =>
  // A clock that went back must not make a minute last an hour.
  nowMs < sinceMs || nowMs >= sinceMs + Limits.tellingWindowMs

/** What is told of a minute that is over: how much was not. */
const summary = ({ hidden, subject }: State.Minute): ReadonlyArray<Output> =>
  hidden === 0 ? [] : [{ _tag: "Tell", event: { _tag: "NotShown", ...subject, count: hidden } }]

/** An event within its budgets, or one more that is only counted; and the summary of a minute that it finds over. */
const count = (state: State.State, minutes: Minutes, told: Output & { readonly _tag: "Tell" }, turn: Turn) => {
  const counts = countsOf(state, told.event)
  const outputs: Array<Output> = []
  let next = minutes
  const minuteOf = ({ key, subject }: Count): State.Minute => {
    const before = Option.getOrUndefined(HashMap.get(next, key))
    if (before !== undefined && !isOver(before, turn.nowMs)) return before
    if (before !== undefined) outputs.push(...summary(before))
    return { sinceMs: turn.nowMs, told: 0, hidden: 0, subject }
  }
  const current = counts.map((one) => ({ ...one, minute: minuteOf(one) }))
  const first = current[0]
  if (first !== undefined && current.some(({ minute, most }) => minute.told >= most)) {
    next = HashMap.set(next, first.key, { ...first.minute, hidden: first.minute.hidden + 1 })
    return { minutes: next, outputs }
  }
  for (const { key, minute } of current) next = HashMap.set(next, key, { ...minute, told: minute.told + 1 })
  return { minutes: next, outputs: [...outputs, told] }
}

/** What a turn wants, with no more told of anybody than a minute has room for. What our operator asks for is told. */
export const bound = ([state, outputs]: State.Stepped, input: Input, turn: Turn): State.Stepped => {
  if (input._tag === "Operator" || !outputs.some((output) => output._tag === "Tell")) return [state, outputs]
  let { minutes } = state.passing
  const kept: Array<Output> = []
  for (const output of outputs) {
    if (output._tag !== "Tell") {
      kept.push(output)
      continue
    }
    const counted = count(state, minutes, output, turn)
    minutes = counted.minutes
    kept.push(...counted.outputs)
  }
  return [minutes === state.passing.minutes ? state : State.withPassing(state, { minutes }), kept]
}

/** Minutes that are over are forgotten, and what was not told in them is told as a number. */
export const sumUp = (state: State.State, turn: Turn): State.Stepped => {
  if (HashMap.isEmpty(state.passing.minutes)) return [state, []]
  const over = [...state.passing.minutes].filter(([, minute]) => isOver(minute, turn.nowMs)).sort()
  if (over.length === 0) return [state, []]
  const minutes = over.reduce((left, [key]) => HashMap.remove(left, key), state.passing.minutes)
  return [State.withPassing(state, { minutes }), over.flatMap(([, minute]) => summary(minute))]
}

/** When the first summary is due; never if there is none. */
export const nextMs = (state: State.State): number => {
  let next = Number.POSITIVE_INFINITY
  for (const { hidden, sinceMs } of HashMap.values(state.passing.minutes)) {
    if (hidden > 0) next = Math.min(next, sinceMs + Limits.tellingWindowMs)
  }
  return next
}
