/**
 * What our operator has made sure of, where it is kept and what follows from it: marks on friends, and the owner's demands.
 * It never compares anything and never takes a peer's word for a comparison; whoever calls it has our operator's.
 * What a demand forbids is looked for after every turn, so that no path to a lost mark can forget what still runs.
 */

import type { Capability } from "../admission/Capability.ts"
import * as Requirement from "../admission/Requirement.ts"
import type * as Jobs from "../delivery/Jobs.ts"
import type { Friend } from "../friend/Roster.ts"
import * as Trust from "../friend/Trust.ts"
import type { PeerId } from "../identity/PeerId.ts"
import * as Table from "../Table.ts"
import type { GrantChanged } from "../wire/Message.ts"
import type { Turn } from "./Input.ts"
import * as State from "./State.ts"

/** Whether a peer is verified, or need not be for this. */
export const suffices = ({ durable }: State.State, peerId: PeerId, wanted: Capability): boolean => {
  if (!Requirement.isDemanded(durable.requirements, wanted)) return true
  const friend = Table.get(durable.roster.friends, peerId)
  return friend !== undefined && Trust.isVerified(friend)
}

/** What a friend allows us is news for the operator and nothing else: it is the friend's gate that decides. */
export const allowedBy = (state: State.State, friend: Friend, changed: GrantChanged): State.Stepped => {
  const capabilities = [...changed.capabilities].sort()
  const { name, peerId } = friend
  const friends = Table.set(state.durable.roster.friends, peerId, { ...friend, allowsUs: capabilities })
  const event = { _tag: "GrantChanged" as const, peerId, name, capabilities }
  return [State.withRoster(state, { friends }), [{ _tag: "Tell", event }]]
}

/** Something has happened that bears on what was made sure of; told only where it changes that. */
export const change = (state: State.State, peerId: PeerId, why: Trust.Event, turn: Turn): State.Stepped => {
  const friend = Table.get(state.durable.roster.friends, peerId)
  if (friend === undefined) return [state, []]
  const marked = Trust.after(friend, why, turn.nowMs)
  if (marked === friend) return [state, []]
  const [from, to] = [Trust.of(friend), Trust.of(marked)]
  const friends = Table.set(state.durable.roster.friends, peerId, marked)
  const event = { _tag: "TrustChanged" as const, peerId, name: friend.name, from, to, why }
  return [State.withRoster(state, { friends }), from === to ? [] : [{ _tag: "Tell", event }]]
}

/**
 * The peers who have something that runs, waits or was answered, and may not have it any more: a mark or a demand has
 * changed. Nobody while nothing has, which is nearly always.
 */
export const fallen = (before: State.State, { durable, ...rest }: State.State): ReadonlyArray<PeerId> => {
  const { jobs, requirements, roster } = durable
  if (Table.size(requirements) === 0) return []
  const { durable: old } = before
  if (old.requirements === requirements && old.roster.friends === roster.friends) return []
  const open = Table.values(jobs).filter(isOpen)
  const peers = [...new Set(open.map(({ peerId }) => peerId))]
  return peers.filter((peerId) => !suffices({ durable, ...rest }, peerId, "inject"))
}

const isOpen = ({ answer, state }: Jobs.Job): boolean =>
  state === "running" || state === "held" || (state === "finished" && answer !== undefined)
