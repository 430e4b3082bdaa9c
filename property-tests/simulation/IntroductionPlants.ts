/**
 * Mistakes in introductions, planted on purpose: what is wrong, what must be said of it, and the change to a node.
 * None of them is anywhere near the shipped core; a checker that finds none of them cannot fail.
 */
import * as Grants from "../../core/admission/Grants.ts"
import * as Introduction from "../../core/friend/Introduction.ts"
import * as Authentic from "../../core/identity/Authentic.ts"
import { type Input, type Output, State, type Step } from "../../core/index.ts"
import * as Table from "../../core/Table.ts"
import type { Plant } from "./House.ts"
import { playIntroductions } from "./Introductions.ts"

type Stepped = readonly [State.State, ReadonlyArray<Output.Output>]
type Turn = Parameters<typeof Step.step>[2]
const after = (change: (stepped: Stepped, input: Input.Input, before: State.State, turn: Turn) => Stepped): Plant => ({
  step: (step) => (state, input, turn) => change(step(state, input, turn), input, state, turn)
})
const heard = (input: Input.Input, kind: string): boolean =>
  input._tag === "Received" && input.message.value.kind === kind

/** Says yes in the operator's place, after an input of a kind, to whoever waits. */
const eager = (kind: string): Plant => ({
  step: (step) => (state, input, turn) => {
    const stepped = step(state, input, turn)
    const waiting = Table.values(stepped[0].durable.introductions).filter((one) => one.state === "Open")
    const asked = Table.values(stepped[0].durable.roster.askedBy).filter((one) => one.introducedBy !== undefined)
    const key = kind === "Introduce" ? waiting[0]?.key : asked[0]?.identityKey
    const name = kind === "Introduce" ? waiting[0]?.name : asked[0]?.name
    if (!heard(input, kind) || key === undefined || name === undefined) return stepped
    const command = { _tag: "Accept" as const, name, keyPrefix: key }
    const [next, outputs] = step(stepped[0], { _tag: "Operator", ref: "nobody", command }, turn)
    return [next, [...stepped[1], ...outputs.filter(({ _tag }) => _tag !== "Reply")]]
  }
})

const withFriends = (
  state: State.State,
  change: (friend: State.Durable["roster"]["friends"] extends Table.Table<infer F> ? F : never) => object
): State.State => {
  const { friends } = state.durable.roster
  const introduced = Table.values(friends).filter((friend) => friend.introducedBy !== undefined)
  return State.withRoster(state, {
    friends: introduced.reduce(
      (all, friend) => Table.set(all, friend.peerId, { ...friend, ...change(friend) }),
      friends
    )
  })
}
const made = (outputs: ReadonlyArray<Output.Output>): boolean =>
  outputs.some((output) => output._tag === "Tell" && output.event._tag === "FriendshipMade")

/** Each with the words in which it must be found. */
export const plants: ReadonlyArray<readonly [string, RegExp, Plant]> = [
  ["an introduction is accepted as it comes", /never said yes/, eager("Introduce")],
  ["the other's yes suffices", /never said yes/, eager("ConnectRequest")],
  [
    "what an introducer said outlives it",
    /does not count any more/,
    after(([state, outputs], _, old) => {
      const isGone = (peerId: string) => Table.get(state.durable.roster.friends, peerId)?.standing !== "Friend"
      const gone = Table.values(old.durable.introductions).filter(
        ({ by, state: is }) => is === "Open" && isGone(by.peerId)
      )
      const introductions = gone.reduce(
        (all, one) => Table.set(all, Introduction.keyOf(one.by.peerId, one.key), one),
        state.durable.introductions
      )
      const asked = Table.pairs(old.durable.roster.askedBy).filter(
        ([, { introducedBy }]) => introducedBy !== undefined && isGone(introducedBy.peerId)
      )
      const askedBy = made(outputs)
        ? state.durable.roster.askedBy
        : asked.reduce((all, [key, one]) => Table.set(all, key, one), state.durable.roster.askedBy)
      return [State.withRoster(State.withDurable(state, { introductions }), { askedBy }), outputs]
    })
  ],
  [
    "a stolen key introduces on",
    /does not count any more/,
    {
      step: (step) => (state, input, turn) => {
        const self = {
          ...state.self,
          earlier: state.self.earlier.map((one) => ({ ...one, reason: "scheduled" as const }))
        }
        if (input._tag !== "Opened") {
          const [next, outputs] = step({ ...state, self }, input, turn)
          return [{ ...next, self: state.self }, outputs]
        }
        const peer = Authentic.map(input.peer, (proof) => ({
          ...proof,
          history: {
            ...proof.history,
            steps: proof.history.steps.map((one) => ({ ...one, reason: "scheduled" as const }))
          }
        }))
        const [next, outputs] = step({ ...state, self }, { ...input, peer }, turn)
        return [{ ...next, self: state.self }, outputs]
      }
    }
  ],
  [
    "an introduction gives inject",
    /an introduction gave/,
    after(([state, outputs], _, __, turn) => {
      const found = outputs.flatMap((output) =>
        output._tag === "Tell" && output.event._tag === "FriendshipMade" ? [output.event.peerId] : []
      )
      const grants = found.reduce(
        (all, peerId) => Grants.allow(all, peerId, Grants.own, "inject", turn.nowMs),
        state.durable.grants
      )
      return [State.withDurable(state, { grants }), outputs]
    })
  ],
  [
    "an introduction verifies",
    /has verified somebody/,
    after(([state, outputs], _, __, { nowMs }) => [
      made(outputs)
        ? withFriends(state, ({ identityKey }) => ({
            trust: { state: "verified", key: identityKey, by: "compares", atMs: nowMs }
          }))
        : state,
      outputs
    ])
  ],
  [
    "the friendship is not kept",
    /both said yes and are no friends/,
    after(([state, outputs], input, old) =>
      heard(input, "ConnectResponse")
        ? [State.withRoster(state, { friends: old.durable.roster.friends }), outputs]
        : [state, outputs]
    )
  ],
  [
    "a yes does not survive a restart",
    /both said yes and are no friends/,
    {
      step: (step) => (state, input, turn) => {
        const none = Table.removeWhere(state.durable.errands, ({ kind }) => kind === "introduced")
        return step(input._tag === "Started" ? State.withDurable(state, { errands: none }) : state, input, turn)
      }
    }
  ],
  [
    "whoever was turned away never asks again",
    /both said yes and are no friends/,
    {
      step: (step) => (state, input, turn) => {
        const [next, outputs] = step(state, input, turn)
        const isOver = input._tag === "Received" && input.message.value.kind === "Reject"
        const none = Table.removeWhere(next.durable.errands, ({ kind }) => kind === "introduced")
        return [isOver ? State.withDurable(next, { errands: none }) : next, outputs]
      }
    }
  ]
]

/** Whether one of these seeds shows the mistake. */
export const isFound = (plant: Plant, says: RegExp, seeds: ReadonlyArray<number>): boolean =>
  seeds.some((seed) => playIntroductions(seed, plant).violations.some((what) => says.test(what)))
