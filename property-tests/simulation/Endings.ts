/**
 * What must be true once the world has healed: everybody knows what became of everything, and both sides agree.
 * It never excuses a node that was not asked to forget: only what a disk forgot, and friends who lied, are left out.
 * Each breach is one sentence with the names and the text in it, so that the log can be searched for them.
 */
import * as Outbox from "../../core/delivery/Outbox.ts"
import * as Roster from "../../core/friend/Roster.ts"
import { Limits, type PeerId, type State } from "../../core/index.ts"
import * as Table from "../../core/Table.ts"
import { loadDisk } from "../models/Disk.ts"
import type { Checker, Scene } from "./Checker.ts"
import type { House, ShownEntry } from "./House.ts"
import { mark, type Text } from "./Truth.ts"

const durableOf = (house: House): State.Durable => house.process?.state.durable ?? loadDisk(house.disk)

const friendsOf = (house: House) => Table.values(durableOf(house).roster.friends)

/** Friends of one name: more than one where somebody came back under a key that could not be followed. */
export const recordsOf = (house: House, name: string): ReadonlyArray<Roster.Friend> =>
  (friendsOf(house) as ReadonlyArray<Roster.Friend>).filter((one) => one.name === name && one.standing === "Friend")

/** Friends and former friends of whom there is one of the name, and of those who are there twice the one of today. */
const present = (scene: Scene, house: House) =>
  friendsOf(house).filter(
    ({ identityKey, name }) =>
      friendsOf(house).filter((one) => one.name === name).length === 1 ||
      scene.houseOf(name)?.identityKey === identityKey
  )

/** Whether what two houses have between them can be held against them. */
const isSound = ({ truth }: Scene, ...names: ReadonlyArray<string>): boolean =>
  names.every((name) => !truth.turned.has(name) && !truth.hasForgotten(name))

const isHonest = ({ truth }: Scene, ...names: ReadonlyArray<string>): boolean =>
  names.every((name) => !truth.turned.has(name))

/** Entries of a house's conversations with the text of ours in each, and whose conversation it is. */
const conversations = (house: House): ReadonlyArray<{ readonly entry: ShownEntry; readonly friend: string }> => {
  const names = new Map(friendsOf(house).map(({ name, peerId }) => [peerId as string, name]))
  return [...house.log.values()].map((entry) => ({ entry, friend: names.get(entry.conversation) ?? entry.from }))
}

const own: Checker = {
  name: "own",
  says: "a conversation holds only what its friend said to us, and answers to what we asked that friend",
  end: (scene) =>
    scene.houses.flatMap((house) =>
      conversations(house).flatMap(({ entry, friend }) => {
        const text = scene.truth.texts.get(entry.text.slice(Math.max(0, entry.text.indexOf(mark))))
        const isAnswer = !entry.text.startsWith(mark)
        const [from, to] = isAnswer ? [text?.to, text?.from] : [text?.from, text?.to]
        if (scene.truth.turned.has(friend) && text === undefined) return []
        return from === friend && to === house.name
          ? []
          : [`${house.name} has "${entry.text}" in its talk with ${friend}`]
      })
    )
}

const inOrder: Checker = {
  name: "in order",
  says: "a friend's texts are shown once, in the order in which they were written",
  end: (scene) =>
    scene.houses.flatMap((house) => {
      const last = new Map<string, number>()
      return conversations(house).flatMap(({ entry, friend }) => {
        const text = scene.truth.texts.get(entry.text)
        if (text?.kind !== "message" || !isSound(scene, house.name, friend)) return []
        const before = last.get(friend) ?? 0
        last.set(friend, Math.max(before, text.order))
        return text.order > before ? [] : [`${house.name} was shown "${text.text}" again, or after a later one`]
      })
    })
}

/** Texts that a node took on, between houses whose memory can be relied on. */
const accepted = (scene: Scene): ReadonlyArray<Text> =>
  [...scene.truth.texts.values()].filter(({ from, id }) => id !== undefined && isSound(scene, from))

const answered: Checker = {
  name: "answered for",
  says: "every text that was taken on has an outcome, and its sender was told",
  end: (scene) =>
    accepted(scene).flatMap(({ from, outcomes, text, to }) => {
      if (outcomes.length > 0 || !isHonest(scene, to)) return []
      return [`${from} never learnt what became of "${text}"`]
    })
}

const delivered: Checker = {
  name: "delivered",
  says: "what was told as delivered is in the friend's conversation",
  end: (scene) =>
    accepted(scene).flatMap((text) => {
      if (text.kind !== "message" || !isSound(scene, text.to)) return []
      if (!text.outcomes.some(({ tag }) => tag === "Delivered")) return []
      const shown = [...(scene.houseOf(text.to)?.log.values() ?? [])].some((entry) => entry.text === text.text)
      return shown ? [] : [`${text.to} was never shown "${text.text}", which ${text.from} holds for delivered`]
    })
}

const undecided: Checker = {
  name: "one outcome",
  says: "no text is both delivered and refused",
  end: (scene) =>
    accepted(scene).flatMap(({ from, outcomes, text }) =>
      outcomes.some(({ tag }) => tag !== "Refused") && outcomes.some(({ tag }) => tag === "Refused")
        ? [`${from} was told two things of "${text}": ${outcomes.map(({ code, tag }) => `${tag} ${code}`).join(", ")}`]
        : []
    )
}

const drained: Checker = {
  name: "drained",
  says: "nothing waits any more for anybody who is there",
  end: (scene) =>
    scene.houses.flatMap((house) =>
      present(scene, house).flatMap(({ name, peerId, ...friend }) => {
        const waiting = Outbox.entriesFor(durableOf(house).outbox, peerId as PeerId.PeerId)
        if (waiting.length === 0 || !isHonest(scene, name, house.name) || scene.houseOf(name) === undefined) return []
        const kinds = [...new Set(waiting.map(({ kind }) => kind))].join(", ")
        const session = house.process?.state.passing.sessions
        const link = session !== undefined && [...session].some(([peer]) => peer === peerId) ? "linked" : "not linked"
        const key = Roster.keyState({ name, peerId, ...friend } as Roster.Friend)
        return [`${house.name} keeps ${waiting.length} (${kinds}) for ${name}: ${friend.standing}, key ${key}, ${link}`]
      })
    )
}

const standingOf = (house: House, other: string) =>
  friendsOf(house).find(({ name, standing }) => name === other && standing === "Friend")

const agreed: Checker = {
  name: "agreed",
  says: "both sides of a friendship agree that it is one, or over",
  end: (scene) =>
    scene.houses.flatMap((one) =>
      scene.houses.flatMap((other) => {
        if (one === other || !isSound(scene, one.name, other.name)) return []
        if (standingOf(one, other.name) === undefined || standingOf(other, one.name) !== undefined) return []
        return [`${one.name} takes ${other.name} for a friend, and ${other.name} does not`]
      })
    )
}

const converged: Checker = {
  name: "converged",
  says: "every friend holds the key that a node has now",
  end: (scene) =>
    scene.houses.flatMap((house) =>
      present(scene, house).flatMap((friend) => {
        const other = scene.houseOf(friend.name)
        if (friend.standing !== "Friend" || other === undefined || !isSound(scene, house.name, friend.name)) return []
        if (friend.identityKey === other.identityKey) return []
        return [`${house.name} holds an old key of ${friend.name} (${Roster.keyState(friend as Roster.Friend)})`]
      })
    )
}

const noticed: Checker = {
  name: "noticed",
  says: "a disk that went back is noticed, by its node or by a friend, wherever something was forgotten",
  end: (scene) =>
    scene.truth.rollbacks.flatMap(({ atMs, forgot, house }) =>
      forgot.flatMap((friend) => {
        const ended = scene.truth.told.some(
          ({ event }) => event._tag === "FriendshipEnded" && [house, friend].includes(event.name)
        )
        // Whose both disks went back may have forgotten the same: then there is nobody to notice.
        if (ended || scene.truth.hasForgotten(friend) || !isHonest(scene, house, friend)) return []
        const told = scene.truth.told.some(
          (one) =>
            one.event._tag === "DiskOlder" &&
            one.atMs >= atMs - Limits.olderAgainMs &&
            ((one.house === house && one.event.name === friend) || (one.house === friend && one.event.name === house))
        )
        return told ? [] : [`the disk of ${house} went back, ${friend} had seen more, and nobody said so`]
      })
    )
}

const peace: Checker = {
  name: "peace",
  says: "no doubt about an honest friend's key is left once both have talked",
  end: (scene) =>
    scene.houses.flatMap((house) =>
      present(scene, house).flatMap((friend) => {
        const state = Roster.keyState(friend as Roster.Friend)
        if (friend.standing !== "Friend" || state === "Known" || !isSound(scene, house.name, friend.name)) return []
        return [`${house.name} still doubts ${friend.name}: ${state}`]
      })
    )
}

/** Everything that holds at the end. */
export const endings: ReadonlyArray<Checker> = [
  own,
  inOrder,
  answered,
  delivered,
  undecided,
  drained,
  agreed,
  converged,
  noticed,
  peace
]

/** Whom a house forgets something about when its disk goes back: friends that have seen more of it than it will know. */
export const forgotten = (
  house: House,
  backup: ReadonlyMap<string, string>,
  houses: ReadonlyArray<House>
): ReadonlyArray<string> => {
  const before = loadDisk(backup)
  const now = loadDisk(house.disk)
  return houses.flatMap((other) => {
    const known = Table.values(before.roster.friends).find(({ name }) => name === other.name)
    const seenAs = other === house ? undefined : friendsOf(other).find(({ name }) => name === house.name)
    if (known?.standing !== "Friend" || seenAs?.standing !== "Friend") return []
    const lane = Table.get(before.outbox.lanes, known.peerId)
    const stream = lane && Table.get(durableOf(other).inbox.streams, `${seenAs.peerId}/${lane.stream}`)
    const seen = stream === undefined ? 0 : Math.max(stream.mark, ...stream.sparse)
    // It has also forgotten what it had confirmed, if the friend does not keep it any more.
    const theirs = Table.get(durableOf(other).outbox.lanes, seenAs.peerId)
    const key = `${known.peerId}/${theirs?.stream}`
    const marks = [before, now].map((one) => Table.get(one.inbox.streams, key)?.mark ?? 0)
    const isSettled = !Outbox.entriesFor(durableOf(other).outbox, seenAs.peerId as PeerId.PeerId).some(
      ({ place }) => place !== undefined && place.number <= marks[1]!
    )
    const lost = (lane !== undefined && seen >= lane.next) || (marks[0]! < marks[1]! && isSettled)
    return lost ? [other.name] : []
  })
}
