/**
 * Mistakes in invites, planted on purpose: what is wrong, what must be said of it, and the change to a node.
 * None of them is anywhere near the shipped core; a checker that finds none of them cannot fail.
 */
import { Redacted, Result } from "effect"
import type * as Invite from "../../core/friend/Invite.ts"
import { type Input, InviteLink, type Output, State, type Step } from "../../core/index.ts"
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

/** Claims what is for another key, too, as a program of the claimer's own might: the issuer alone can say no. */
const eagerly = (step: typeof Step.step, state: State.State, input: Input.Input, turn: Input.Turn): Stepped => {
  if (input._tag !== "Operator" || input.command._tag !== "ClaimInvite") return step(state, input, turn)
  const link = InviteLink.parse(turn.pure, Redacted.value(input.command.link))
  if (Result.isFailure(link) || link.success.meant.kind !== "named") return step(state, input, turn)
  const named = { key: link.success.meant.key, leftAtMs: 0, reason: "scheduled", byRecoveryKey: false } as const
  const self = { ...state.self, earlier: [...state.self.earlier, named] }
  const [next, outputs] = step({ ...state, self }, input, turn)
  return [{ ...next, self: state.self }, outputs]
}

/** Claimers that do not look whom a link is for. Nothing may come of it. */
export const eager: Plant = { step: (step) => (state, input, turn) => eagerly(step, state, input, turn) }

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
    /is not for/,
    {
      step: (step) => (state, input, turn) =>
        eagerly(
          step,
          withEach(state, ({ named: _, ...invite }) => invite),
          input,
          turn
        )
    }
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
