/**
 * What must be true after every turn, whatever has happened: authority, memory, bounds and secrets.
 * It never waits for better weather; each of these holds in the middle of everything.
 */
import * as Jobs from "../../core/delivery/Jobs.ts"
import { Describe, type Event, Limits, type State } from "../../core/index.ts"
import * as Table from "../../core/Table.ts"
import { durableOf, loadDisk } from "../models/Disk.ts"
import type { Checker, Turned } from "./Checker.ts"
import { isTampered } from "./Options.ts"
import { mark } from "./Truth.ts"

const nameOf = ({ durable }: State.State, peerId: string): string =>
  Table.get(durable.roster.friends, peerId)?.name ?? "nobody"

const performed = ({ taken }: Turned) => taken.outputs.slice(0, taken.performed)

const events = (turned: Turned): ReadonlyArray<Event.Event> =>
  turned.taken.stored === "never"
    ? []
    : turned.taken.outputs.flatMap((output) => (output._tag === "Tell" ? [output.event] : []))

const granted: Checker = {
  name: "granted",
  says: "no responder is called without a live inject grant at that turn",
  turn: (turned, { truth }) =>
    performed(turned).flatMap((output) => {
      if (output._tag !== "Run") return []
      const [peerId = ""] = output.job.split("/")
      const may = turned.grantedBefore.has(peerId) || truth.of(turned.house.name).granted.has(peerId)
      const friend = nameOf(turned.taken.after, peerId)
      return may ? [] : [`${turned.house.name} ran a question of ${friend}, who has no grant`]
    })
}

const admitted: Checker = {
  name: "admitted",
  says: "after a friendship has ended nothing of the former friend is admitted",
  turn: (turned, { truth }) =>
    events(turned).flatMap((event) => {
      if (event._tag !== "Received" && event._tag !== "JobStarted") return []
      const may = turned.friendsBefore.has(event.peerId) || truth.of(turned.house.name).friends.has(event.peerId)
      return may ? [] : [`${turned.house.name} admitted ${event._tag} of ${event.name}, who is no friend`]
    })
}

const truly: Checker = {
  name: "truly",
  says: "nobody becomes a friend under a name but the holder of that name's key",
  turn: ({ house, taken }, { truth }) =>
    taken.stored === "never" || taken.after.durable.roster.friends === taken.before.durable.roster.friends
      ? []
      : Table.values(taken.after.durable.roster.friends).flatMap(({ identityKey, name }) =>
          truth.keys.get(name)?.has(identityKey) === true
            ? []
            : [`${house.name} holds ${identityKey.slice(0, 8)} for ${name}, who never had that key`]
        )
}

const once: Checker = {
  name: "once",
  says: "a responder is called at most once for a question, whatever crashes",
  turn: (turned, { truth }) => {
    const runs = performed(turned).flatMap((output) => (output._tag === "Run" ? [output.text] : []))
    return runs.flatMap((text, index) => {
      const calls =
        (truth.calls.get(`${turned.house.name}\n${text}`) ?? 0) +
        runs.slice(0, index + 1).filter((one) => one === text).length
      const from = truth.texts.get(text)?.from ?? ""
      const forgotten = truth.hasForgotten(turned.house.name) || truth.hasForgotten(from)
      return calls <= 1 || forgotten ? [] : [`${turned.house.name} was called ${calls} times for "${text}"`]
    })
  }
}

/** The rule that holds for a peer before a turn, as its owner made it. */
const ruled = (state: State.State, peerId: string): boolean => {
  const rule = Table.get(state.durable.holdRules, peerId)
  return rule?.when === "always" || (rule?.when === "first" && !rule.approved)
}

const waits: Checker = {
  name: "waits",
  says: "a question that waits for its owner runs by that owner's word alone, and ends in time",
  turn: ({ house, taken }, { nowMs }) => {
    const { after, before, inputs, outputs, stored } = taken
    if (stored === "never") return []
    const words = inputs.flatMap((input) =>
      input._tag === "Operator" && input.command._tag === "Approve" ? [input.command.id] : []
    )
    const changed = inputs.some((input) => input._tag === "Operator" && input.command._tag === "Hold")
    const ran = outputs.flatMap((output) => {
      if (output._tag !== "Run") return []
      const [peerId = "", id = ""] = output.job.split("/")
      const isHeld = Table.get(before.durable.jobs, output.job)?.state === "held"
      const mayRun = words.includes(id) || (!isHeld && (changed || !ruled(before, peerId)))
      return mayRun ? [] : [`${house.name} ran "${output.text}" without its owner's word`]
    })
    // What the owner turned down in this turn, or could have, is over with it.
    const kept = inputs.flatMap((input) => {
      if (input._tag !== "Operator" || input.command._tag !== "Refuse") return []
      const { id } = input.command
      const isKept = Jobs.held(after.durable.jobs).some((job) => job.id === id)
      return isKept ? [`${house.name} still holds ${id.slice(0, 8)}, which its owner refused`] : []
    })
    // A tick comes every minute where something is held; clocks that go wrong are given an hour.
    const forgotten = Jobs.held(after.durable.jobs).filter(
      ({ question }) => question === undefined || question.expiresAtMs + 3_600_000 < nowMs()
    )
    return [...ran, ...kept, ...forgotten.map(({ id }) => `${house.name} still holds ${id.slice(0, 8)}`)]
  },
  end: ({ houses }) =>
    houses.flatMap((house) =>
      Jobs.held(loadDisk(house.disk).jobs).map(
        ({ id }) => `${house.name} holds ${id.slice(0, 8)} after everything was decided`
      )
    )
}

/** Text that does not depend on the order in which fields were added. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, one: unknown) =>
    one !== null && typeof one === "object" && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1)))
      : one
  )

/** What is stored must be what is in memory, each table of it. Only when something was stored: else nothing has moved. */
const stored: Checker = {
  name: "stored",
  says: "load(commit(s)) = s: a start would find what the running node knows",
  turn: ({ house, taken, thorough }) => {
    if (!thorough || taken.stored !== "now") return []
    const disk = canonical(durableOf({ durable: loadDisk(house.disk) } as State.State))
    return disk === canonical(durableOf(taken.after)) ? [] : [`the disk of ${house.name} is not its memory`]
  }
}

const bounds = ({ durable, passing }: State.State): ReadonlyArray<readonly [string, number, number]> => [
  ["asked", Table.size(durable.roster.asked), Limits.askedMax],
  ["askedBy", Table.size(durable.roster.askedBy), Limits.askedByMax],
  ["friends", Table.size(durable.roster.friends), Limits.friendsMax],
  ["rules", Table.size(durable.roster.rules), Limits.autoAcceptRulesMax],
  ["replay", Table.size(durable.replay), Limits.replayEntriesMax],
  ["refusals", Table.size(durable.refusals), Limits.refusalsRememberedMax],
  ["unshown", Table.size(durable.unshown), Limits.unshownMax + Limits.batchMax],
  ["outbox bytes", durable.outbox.size, Limits.outboxTotalBytesMax],
  ["streams", Table.size(durable.inbox.streams), Limits.streamsPerPeer * (1 + Table.size(durable.roster.friends))],
  [
    "outcomes",
    Table.size(durable.inbox.outcomes),
    (Limits.inboxOutcomesMax + Limits.inboxAheadMax) * Math.max(1, Table.size(durable.inbox.streams))
  ],
  [
    "jobs",
    Table.size(durable.jobs),
    (Limits.jobsRememberedMax + Limits.answersWaitingMax) * (1 + Table.size(durable.roster.friends))
  ],
  ["held", Jobs.held(durable.jobs).length, Limits.heldMax],
  ["holdRules", Table.size(durable.holdRules), Table.size(durable.roster.friends)],
  ["intents", Table.size(durable.intents), Limits.intentsRememberedMax],
  ["spents", Table.size(durable.spents), Table.size(durable.roster.friends)],
  ["announced", passing.announced.size, Limits.keysAnnouncedMax],
  ["errands", Table.size(durable.errands), Limits.errandsMax],
  ["invites", Table.size(durable.invites), Limits.invitesMax]
]

const bounded: Checker = {
  name: "bounded",
  says: "every collection stays under its limit",
  turn: ({ house, taken }) =>
    taken.before === taken.after
      ? []
      : bounds(taken.after).flatMap(([what, size, most]) =>
          size <= most ? [] : [`${house.name} keeps ${size} ${what}, more than ${most}`]
        )
}

/** The fields of events that carry a peer's words, which is what they are for. */
const worded: ReadonlySet<Event.Event["_tag"]> = new Set(["Received", "Answered"])

const discreet: Checker = {
  name: "discreet",
  says: "no text is in any event but the one that brings it, and no text or secret in what a node shows of itself",
  turn: (turned, scene) => {
    const { house, taken, thorough } = turned
    const told = events(turned).flatMap((event) =>
      !worded.has(event._tag) && JSON.stringify(event).includes(mark)
        ? [`${house.name}: ${event._tag} holds a text`]
        : []
    )
    if (!thorough) return told
    const shown = JSON.stringify(Describe.describe(house.engine, taken.after, scene.nowMs()))
    const secret = house.secrets().find((one) => shown.includes(one))
    return [
      ...told,
      ...(shown.includes(mark) ? [`${house.name} shows a text in its description`] : []),
      ...(secret === undefined ? [] : [`${house.name} shows a secret of its own in its description`])
    ]
  }
}

const justBans: Checker = {
  name: "just bans",
  says: "who speaks honestly is never banned, however much of it waits or comes twice",
  turn: (turned, { options, truth }) =>
    events(turned).flatMap((event) =>
      // Where bytes are changed on the path an honest friend seems to break rules; transports keep that from us.
      event._tag !== "Banned" || truth.turned.has(event.name) || isTampered(options)
        ? []
        : [`${turned.house.name} banned ${event.name}: ${event.rejection.code}`]
    )
}

/** Dials of one peer within an hour: one a minute, a few more after each text and start, and as much again. */
const dialsMax = 250

const sparing: Checker = {
  name: "sparing",
  says: "nobody is dialled without end who does not answer, turns us away, or ends what was opened",
  turn: (turned, { nowMs, truth }) =>
    performed(turned).flatMap((output) => {
      if (output._tag !== "Dial") return []
      const count = truth.dial(turned.house.name, output.peerId, nowMs())
      const friend = nameOf(turned.taken.after, output.peerId)
      return count === dialsMax ? [`${turned.house.name} dialled ${friend} ${count} times within an hour`] : []
    })
}

const deadlines: Checker = {
  name: "deadlines",
  says: "no call is without an end beyond its deadline, at a node that is up",
  turn: ({ house, thorough }, { nowMs, options, truth }) =>
    // On a full disk no end can be stored, and what is not stored is not told; a clock that went back ends things late.
    !thorough || options.troubles.some((one) => one === "full disk" || one === "jump" || one === "freeze")
      ? []
      : truth.openCalls(house.name).flatMap(({ atMs, text, waitMs }) => {
          const late = nowMs() > Math.max(atMs + waitMs, house.upSinceMs) + 180_000
          return late && !truth.forgotSince(house.name, atMs) ? [`${house.name} still waits for "${text}"`] : []
        })
}

/** Everything that holds at every turn. */
export const safety: ReadonlyArray<Checker> = [
  granted,
  admitted,
  truly,
  once,
  waits,
  stored,
  bounded,
  discreet,
  justBans,
  sparing,
  deadlines
]
