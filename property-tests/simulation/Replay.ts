/**
 * The story of a bug report, played by the shipped core with fresh keys: the same wishes of the same peers at the same times.
 * It never invents what the report leaves out: weather, clocks, disks and what was said; a calm network and plain letters stand in.
 * What the gate decides then is held against what it decided before: where they differ, the fault, or what led to it, is near.
 */
import { type Decisions, type Input, Rejection } from "../../core/index.ts"
import type { Moment, Report } from "../../plugin/report/Report.ts"
import { noonMs } from "../models/Disk.ts"
import * as Chance from "./Chance.ts"
import { Clock } from "./Clock.ts"
import { confinement } from "./Confinement.ts"
import { House, type World } from "./House.ts"
import { calm, Network } from "./Network.ts"

/** A decision as the report and the replay both know it. */
export interface Verdict {
  readonly who: string
  readonly what: string
  readonly outcome: string
}

export interface Replayed {
  /** Decisions of the report that the replay can come to, and how many of them it came to. */
  readonly told: number
  readonly alike: number
  /** What the report has and the replay has not, and the other way round, by how often. */
  readonly missing: ReadonlyArray<Verdict & { readonly times: number }>
  readonly added: ReadonlyArray<Verdict & { readonly times: number }>
  /** Kinds of moments that cannot be played. */
  readonly skipped: ReadonlyArray<string>
}

/** Longer silences are cut to this: nothing but time passes in them, and a report may span weeks. */
const silenceMaxMs = 3_600_000
/** The network of the simulator takes its time to find and open a link; a machine of one's own need not. */
const settleMs = 60_000
/** Before the story those who are friends in it already become friends. */
const preludeMs = 1_800_000
const reporter = "reporter"
/** What the gate decides by itself whenever peers meet: compared by whether it happened, not by how often. */
const isBetween = (what: string): boolean => what === "session"
const isDecision = ({ what }: Moment): boolean => /^(line|session|connect|claim|message|run|hold)\b/.test(what)
/** Decisions that the played wishes lead to. Ends, receipts and answers follow by themselves. */
const isComparable = (what: string): boolean =>
  /^(line request|line accept|session|message Log|message Inject|message Unfriend|run|hold)$/.test(what)

const letters = (bytes: number | undefined, order: number): string =>
  `${order} `.padEnd(Math.max(1, (bytes ?? 40) - 30), "x")

/** What must have come to rest before the next moment means the same: the owner's word, a line in a room, a start, an end. */
const settles = (what: string): boolean =>
  /^(begun|ended|line|claim|connect)/.test(what) || (what.startsWith("owner") && !/^owner (Message|Inject)/.test(what))

/** The times of moments: long silences cut, and time to settle around what changes who may do what. */
const timesOf = (story: ReadonlyArray<Moment>): ReadonlyArray<number> => {
  let [at, before, isUnsettled] = [0, 0, false]
  return story.map(({ afterMs, what }) => {
    const gap = Math.min(Math.max(0, afterMs - before), silenceMaxMs)
    at += isUnsettled || settles(what) ? Math.max(gap, settleMs) : gap
    before = afterMs
    isUnsettled = settles(what)
    return at
  })
}

/** What a peer of the story does, or undefined where it cannot be played. */
const wishOf = (what: string, text: string): Input.Command | "follows" | undefined => {
  const toUs = { name: reporter, keyPrefix: "" }
  switch (what) {
    case "line request":
      return { _tag: "Friend", channel: "lobby", to: reporter }
    case "line accept":
      return { _tag: "Accept", ...toUs }
    case "message Log":
      return { _tag: "Message", ...toUs, text }
    case "message Inject":
      return { _tag: "Inject", ...toUs, text, waitMs: 300_000 }
    case "message Unfriend":
      return { _tag: "Unfriend", ...toUs }
    case "session":
    case "run":
    case "hold":
    case "message Done":
    case "message Held":
    case "message GrantChanged":
    case "message Cancel":
      return "follows"
    default:
      return undefined
  }
}

/** What the owner does, or undefined where it cannot be played. */
const orderOf = (what: string, name: string, text: string): Input.Command | undefined => {
  const [, tag = "", word = ""] = what.split(" ")
  const about = { name, keyPrefix: "" }
  const capability = word === "inject" ? "inject" : "message"
  if (tag === "Friend") return { _tag: "Friend", channel: "lobby", to: name }
  if (tag === "Message") return { _tag: "Message", ...about, text }
  if (tag === "Inject") return { _tag: "Inject", ...about, text, waitMs: 300_000 }
  if (tag === "Grant" || tag === "Revoke") return { _tag: tag, ...about, capability }
  if (tag === "Accept" || tag === "Deny" || tag === "Unfriend" || tag === "Confirm") return { _tag: tag, ...about }
  if (tag === "Verify") return { _tag: tag, ...about, same: word === "yes" }
  if (tag === "Require") return { _tag: tag, capability, trust: "verified" }
  if (tag !== "Hold") return undefined
  const whens = ["always", "first", "over-budget", "unverified", "never"] as const
  const when = whens.find((one) => one === word)
  return when === undefined ? undefined : { _tag: "Hold", ...about, when }
}

/** Who is a friend before the story begins, and whether with inject. */
const friendsBefore = (story: ReadonlyArray<Moment>): ReadonlyMap<string, boolean> => {
  const first = new Map<string, Moment>()
  const asks = new Map<string, boolean>()
  const granted = new Set<string>()
  for (const moment of story) {
    const { outcome, what, who } = moment
    if (who === "") continue
    if (what === "owner Grant inject") granted.add(who)
    if (isDecision(moment) && !first.has(who)) first.set(who, moment)
    if (what === "message Inject" && !asks.has(who)) asks.set(who, outcome === "admitted" && !granted.has(who))
  }
  const isFriend = ({ outcome, what }: Moment) => !/^(line|claim|connect)/.test(what) && outcome !== "not-a-friend"
  return new Map([...first].filter(([, one]) => isFriend(one)).map(([who]) => [who, asks.get(who) === true]))
}

class Stage {
  readonly clock = new Clock(noonMs)
  readonly verdicts: Array<Verdict> = []
  readonly ours: House
  readonly #houses = new Map<string, House>()
  readonly #world: World
  readonly #seed: string
  /** Whether the story has begun: what happens before is nobody's. */
  isOn = false

  constructor(seed: number) {
    this.#seed = `replay ${seed}`
    const chance = Chance.of(this.#seed)
    this.#world = {
      plant: {
        step: (step) => (state, input, turn) => {
          const stepped = step(state, input, turn)
          if (state.self.name === reporter && this.isOn) this.#note(stepped[0].passing.decided)
          return stepped
        }
      },
      clock: this.clock,
      network: new Network(this.clock, chance.stream("network"), calm),
      post: (from, channel, text) => {
        for (const house of this.#houses.values()) {
          if (house !== from) this.clock.after(50, () => house.hear(channel, from.name, text))
        }
      },
      run: () => ({
        afterMs: 500,
        result: { ok: true, answer: { output: new Uint8Array([120]), confinement } }
      }),
      watch: () => {},
      ended: () => {}
    }
    this.ours = this.house(reporter)
  }

  house(name: string): House {
    const known = this.#houses.get(name)
    if (known !== undefined) return known
    const made = new House(this.#world, name, this.#seed, Chance.of(`${this.#seed} ${name}`))
    this.#houses.set(name, made)
    made.start()
    return made
  }

  #note(decided: ReadonlyArray<Decisions.Decided>): void {
    for (const { asked, code, key } of decided) {
      const who = [...this.#houses.values()].find(({ identityKey }) => identityKey === key)?.name ?? ""
      this.verdicts.push({ who, what: asked, outcome: code ?? "admitted" })
    }
  }
}

const befriend = (stage: Stage, who: string, withInject: boolean): void => {
  const peer = stage.house(who)
  stage.clock.after(1_000, () => peer.command("prelude", { _tag: "Friend", channel: "lobby", to: reporter }))
  stage.clock.after(60_000, () => stage.ours.command("prelude", { _tag: "Accept", name: who, keyPrefix: "" }))
  if (!withInject) return
  stage.clock.after(120_000, () =>
    stage.ours.command("prelude", { _tag: "Grant", name: who, keyPrefix: "", capability: "inject" })
  )
}

/** An acceptance of theirs answers a request of our owner's, which the log has without a name. */
const resolved = (story: ReadonlyArray<Moment>): ReadonlyArray<Moment> => {
  const accepting = story.filter(({ what }) => what === "line accept").map(({ who }) => who)
  return story.map((moment) =>
    moment.what === "owner Friend" && moment.who === "" ? { ...moment, who: accepting.shift() ?? "" } : moment
  )
}

const play = (stage: Stage, moment: Moment, order: number): "played" | "skipped" => {
  const { outcome, what, who } = moment
  const text = letters(moment.bytes, order)
  if (what === "begun" || what === "ended") {
    if (what === "ended") stage.ours.stop()
    else if (!stage.ours.isUp) stage.ours.start()
    return "played"
  }
  if (what.startsWith("owner ")) {
    const command = who === "" && what !== "owner Require" ? undefined : orderOf(what, who, text)
    if (command === undefined) return "skipped"
    stage.house(who)
    stage.ours.command(`owner ${order}`, command)
    return "played"
  }
  const wish = who === "" ? undefined : wishOf(what, text)
  if (wish === undefined) return "skipped"
  if (what === "run") {
    const isUnready = Rejection.isCode(outcome) && /^(sandbox-|no-model)/.test(outcome)
    const status = isUnready ? { ready: false, code: outcome as "no-model", reason: "" } : { ready: true, reason: "" }
    stage.ours.process?.offer({ _tag: "SandboxStatus", ...status })
  } else if (wish !== "follows") {
    for (let left = moment.times ?? 1; left > 0; left--) stage.house(who).command(`${who} ${order} ${left}`, wish)
  }
  return "played"
}

const tally = (verdicts: ReadonlyArray<Verdict & { readonly times?: number | undefined }>): Map<string, number> => {
  const counts = new Map<string, number>()
  for (const { outcome, times = 1, what, who } of verdicts) {
    // Strangers in a crowd are counted in the log, and nobody's.
    if (!isComparable(what) || who === "") continue
    const key = JSON.stringify({ who, what, outcome })
    counts.set(key, isBetween(what) ? 1 : (counts.get(key) ?? 0) + times)
  }
  return counts
}

const beyond = (these: ReadonlyMap<string, number>, those: ReadonlyMap<string, number>) =>
  [...these].flatMap(([key, times]) => {
    const more = times - (those.get(key) ?? 0)
    return more > 0 ? [{ ...(JSON.parse(key) as Verdict), times: more }] : []
  })

/** Plays a report's story on keys of a seed. */
export const replay = (report: Report, seed: number): Replayed => {
  const story = resolved(report.story)
  const stage = new Stage(seed)
  for (const [who, withInject] of friendsBefore(story)) befriend(stage, who, withInject)
  stage.clock.runUntil(noonMs + preludeMs)
  stage.isOn = true
  const skipped = new Set<string>()
  const times = timesOf(story)
  for (const [order, moment] of story.entries()) {
    // Whoever was to answer is ready before it is asked.
    const soonerMs = moment.what === "run" ? 60_000 : 0
    stage.clock.after(Math.max(0, times[order]! - soonerMs), () => {
      if (play(stage, moment, order) === "skipped") skipped.add(moment.what)
    })
  }
  stage.clock.runUntil(noonMs + preludeMs + (times.at(-1) ?? 0) + 600_000)
  const [before, now] = [tally(story), tally(stage.verdicts)]
  const told = [...before.values()].reduce((sum, one) => sum + one, 0)
  const missing = beyond(before, now)
  const alike = told - missing.reduce((sum, one) => sum + one.times, 0)
  return { told, alike, missing, added: beyond(now, before), skipped: [...skipped].sort() }
}
