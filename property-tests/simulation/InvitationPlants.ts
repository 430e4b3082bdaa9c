/**
 * Mistakes in invites, planted on purpose: what is wrong, what must be said of it, and the change to a node.
 * None of them is anywhere near the shipped core; a checker that finds none of them cannot fail.
 */
import type * as Invite from "../../core/friend/Invite.ts"
import { type Input, type Output, State } from "../../core/index.ts"
import * as Table from "../../core/Table.ts"
import type { Plant } from "./House.ts"
import { playInvitations } from "./Invitations.ts"

type Stepped = readonly [State.State, ReadonlyArray<Output.Output>]
const after = (change: (stepped: Stepped, input: Input.Input, before: State.State) => Stepped): Plant => ({
  step: (step) => (state, input, turn) => change(step(state, input, turn), input, state)
})
const before = (change: (state: State.State, input: Input.Input, nowMs: number) => State.State): Plant => ({
  step: (step) => (state, input, turn) => step(change(state, input, turn.nowMs), input, turn)
})
const withEach = (state: State.State, change: (invite: Invite.Invite) => Invite.Invite): State.State =>
  Table.size(state.durable.invites) === 0
    ? state
    : State.withDurable(state, {
        invites: Table.values(state.durable.invites).reduce(
          (all, one) => Table.set(all, one.id, change(one)),
          state.durable.invites
        )
      })
const claims = (input: Input.Input): boolean => input._tag === "Received" && input.message.value.kind === "Claim"

/** Each with the words in which it must be found. */
export const plants: ReadonlyArray<readonly [string, RegExp, Plant]> = [
  [
    "the counter is not kept",
    /was used \d+ times/,
    after(([state, outputs], input, old) =>
      claims(input) ? [State.withDurable(state, { invites: old.durable.invites }), outputs] : [state, outputs]
    )
  ],
  [
    "taking back changes nothing",
    /after it was taken back/,
    after(([state, outputs], input, old) =>
      input._tag === "Operator" && input.command._tag === "RevokeInvite"
        ? [State.withDurable(state, { invites: old.durable.invites }), outputs]
        : [state, outputs]
    )
  ],
  [
    "a compromised key keeps its invites",
    /its key was compromised/,
    after(([state, outputs], input, old) =>
      input._tag === "Started"
        ? [State.withDurable(state, { invites: old.durable.invites }), outputs]
        : [state, outputs]
    )
  ],
  [
    "an invite never ends",
    /after its end/,
    before((state, _, nowMs) =>
      withEach(state, (invite) =>
        invite.state === "Open" ? { ...invite, expiresAtMs: Math.max(invite.expiresAtMs, nowMs + 60_000) } : invite
      )
    )
  ],
  [
    "who it is for is not asked",
    /is not for|never given it/,
    before((state) => withEach(state, ({ named: _, ...invite }) => invite))
  ],
  [
    "every invite gives inject",
    /more than it says/,
    before((state, input) =>
      claims(input) ? withEach(state, (invite) => ({ ...invite, capabilities: ["message", "inject"] })) : state
    )
  ],
  [
    "the friendship is not kept",
    /told that .* is a friend/,
    after(([state, outputs], input, old) =>
      claims(input) ? [State.withRoster(state, { friends: old.durable.roster.friends }), outputs] : [state, outputs]
    )
  ],
  [
    "a claim does not survive a restart",
    /never answered/,
    before((state, input) =>
      input._tag === "Started"
        ? State.withDurable(state, { errands: Table.removeWhere(state.durable.errands, () => true) })
        : state
    )
  ]
]

/** Whether one of these seeds shows the mistake. */
export const isFound = (plant: Plant, says: RegExp, seeds: ReadonlyArray<number>): boolean =>
  seeds.some((seed) => playInvitations(seed, plant).violations.some((what) => says.test(what)))
