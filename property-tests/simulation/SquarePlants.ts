/**
 * Bugs planted on the square: each is a small change to what a node is made of, and says which checker must find it.
 * None of them is anywhere near the shipped core; a square without a plant is the shipped core, unchanged.
 */
import { HashMap } from "effect"
import type { Input, Output, State } from "../../core/index.ts"
import type * as Members from "../../core/node/Members.ts"
import * as Table from "../../core/Table.ts"
import type { Plant } from "./House.ts"
import type { Breach } from "./SquareCheckers.ts"

type Stepped = readonly [State.State, ReadonlyArray<Output.Output>]
type Step = NonNullable<ReturnType<NonNullable<Plant["step"]>>>

export interface SquarePlant {
  readonly name: string
  readonly says: string
  readonly foundBy: Breach["checker"]
  readonly plant: Plant
}

const after = (change: (stepped: Stepped, input: Input.Input, before: State.State) => Stepped): Plant => ({
  step: (step) => ((state, input, turn) => change(step(state, input, turn), input, state)) as Step
})

const kindOf = (input: Input.Input): string => (input._tag === "Received" ? input.message.value.kind : "")

const eachPresence = (
  state: State.State,
  change: (presence: NonNullable<ReturnType<typeof Members.presence>>) => typeof presence
): State.State => ({ ...state, passing: { ...state.passing, topics: HashMap.map(state.passing.topics, change) } })

export const squarePlants: ReadonlyArray<SquarePlant> = [
  {
    name: "acceptance-is-enough",
    says: "whoever says that a request was accepted is a friend, asked or not",
    foundBy: "ungranted",
    plant: after(([state, outputs], input) => {
      if (input._tag !== "Received" || kindOf(input) !== "ConnectResponse") return [state, outputs]
      const { key, peerId, topic } = input.message.signer
      const friend = {
        peerId,
        name: "anybody",
        standing: "Friend" as const,
        identityKey: key,
        agreementKey: key,
        topic,
        channel: "topic",
        evidence: "unproven" as const,
        sinceMs: 0,
        cameOf: [],
        alarmed: false
      }
      const friends = Table.set(state.durable.roster.friends, peerId, friend)
      return [{ ...state, durable: { ...state.durable, roster: { ...state.durable.roster, friends } } }, outputs]
    })
  },
  {
    name: "stays-announced",
    says: "leaving a topic takes no announcement back",
    foundBy: "gone",
    plant: after(([state, outputs]) => [state, outputs.filter(({ _tag }) => _tag !== "WithdrawTopic")])
  },
  {
    name: "leaves-in-silence",
    says: "nobody is told that we have left, nor when they ask",
    foundBy: "gone",
    plant: after(([state, outputs]) => [
      state,
      outputs.filter(
        (one) =>
          one._tag !== "Transmit" ||
          !one.messages.some(
            (message) => "message" in message && ["TopicLeft", "Reject"].includes(message.message.kind)
          )
      )
    ])
  },
  {
    name: "forgets-versions",
    says: "what came last is shown, whatever its version",
    foundBy: "rolled back",
    plant: {
      step: (step) =>
        ((state, input, turn) => {
          if (kindOf(input) !== "Profiles") return step(state, input, turn)
          const forgetful = eachPresence(state, (presence) => ({
            ...presence,
            directory: {
              marks: HashMap.empty(),
              settled: HashMap.map(presence.directory.settled, (one) => ({
                ...one,
                profile: { ...one.profile, version: 0 }
              })),
              newcomers: HashMap.empty()
            }
          }))
          return step(forgetful, input, turn)
        }) as Step
    }
  },
  {
    name: "keeps-everybody",
    says: "every profile is kept once more, under a key of its own",
    foundBy: "bounded",
    plant: after(([state, outputs], input, before) => {
      if (kindOf(input) !== "Profiles") return [state, outputs]
      const more = eachPresence(state, (presence) => {
        const { settled } = presence.directory
        const [first] = HashMap.values(settled)
        if (first === undefined) return presence
        const extra = Array.from({ length: 60 }, (_, index) => [`${HashMap.size(settled)} ${index}`, first] as const)
        const grown = HashMap.union(settled, HashMap.fromIterable(extra))
        return { ...presence, directory: { ...presence.directory, settled: grown } }
      })
      return before === state ? [state, outputs] : [more, outputs]
    })
  },
  {
    name: "verifies-nothing",
    says: "a signature is taken for good unseen",
    foundBy: "forged",
    plant: {
      step: (step) =>
        ((state, input, turn) =>
          step(state, input, {
            ...turn,
            entropy: turn.entropy,
            pure: { ...turn.pure, ed25519Verify: () => true }
          })) as Step
    }
  },
  {
    name: "hearsay-stays",
    says: "who was heard of before is not met by a hello that names its own profile",
    foundBy: "found",
    plant: after(([state, outputs], input, before) => {
      if (kindOf(input) !== "TopicHello") return [state, outputs]
      const topics = HashMap.map(state.passing.topics, (presence, hash) => {
        const known = HashMap.get(before.passing.topics, hash)
        return known._tag === "Some" ? { ...presence, directory: known.value.directory } : presence
      })
      return [{ ...state, passing: { ...state.passing, topics } }, outputs]
    })
  },
  {
    name: "never-looks",
    says: "a topic is announced and nobody is looked for",
    foundBy: "found",
    plant: after(([state, outputs]) => [state, outputs.filter(({ _tag }) => _tag !== "LookUp")])
  },
  {
    name: "names-the-key",
    says: "a secret topic is shown with its key",
    foundBy: "discreet",
    plant: after(([state, outputs]) => {
      const topics = Table.pairs(state.durable.topics)
        .filter(([, one]) => one.key !== null && !one.name.includes("#"))
        .reduce(
          (table, [key, one]) => Table.set(table, key, { ...one, name: `chess#AQIDBAUGBwgJCgsMDQ4PEA` }),
          state.durable.topics
        )
      return [topics === state.durable.topics ? state : { ...state, durable: { ...state.durable, topics } }, outputs]
    })
  },
  {
    name: "dials-without-pace",
    says: "everybody that is known is dialled at every tick",
    foundBy: "sparing",
    plant: after(([state, outputs], input) => {
      if (input._tag !== "Tick" && input._tag !== "Received") return [state, outputs]
      const dial = outputs.find(({ _tag }) => _tag === "Transmit")
      const swarmKey = [...HashMap.values(state.passing.topics)].flatMap(({ own }) => own?.swarmKey ?? [])[0]
      if (dial === undefined || swarmKey === undefined) return [state, outputs]
      return [state, [...outputs, ...Array.from({ length: 100 }, () => ({ _tag: "DialMember" as const, swarmKey }))]]
    })
  }
]
