/**
 * Bugs in what people make sure of, planted on purpose: marks that stay, demands that are not looked at, nonces too early.
 * None of them is anywhere near the shipped core.
 * They need operators who compare, so each says which runs show it.
 */
import { HashMap, Redacted } from "effect"
import { Base64url, type Output } from "../../core/index.ts"
import * as Table from "../../core/Table.ts"
import * as Options from "./Options.ts"
import { after, durably, type Planted, received, type Step, tells } from "./Plants.ts"

const comparing = (seed: number): Options.Options => ({ ...Options.ofSeed(seed), verifies: true })

/** Bugs that only runs with comparing operators show. */
export const plantsOfTrust: ReadonlyArray<Planted> = [
  {
    name: "mark-outlives-its-key",
    says: "a verified mark survives a key change that nobody vouches for",
    foundBy: "marked",
    options: comparing,
    make: () =>
      after(([state, outputs], _input, old) => {
        if (!outputs.some((one) => tells(one, "TrustChanged"))) return [state, outputs]
        const kept = Table.values(old.durable.roster.friends).filter(({ trust }) => trust?.state === "verified")
        const friends = kept.reduce((table, { peerId, trust }) => {
          const now = Table.get(table, peerId)
          const isDoubted = now?.doubt !== undefined && now.standing === "Friend"
          return isDoubted && trust !== undefined ? Table.set(table, peerId, { ...now, trust }) : table
        }, state.durable.roster.friends)
        return [durably(state, { roster: { ...state.durable.roster, friends } }), outputs]
      })
  },
  {
    name: "inject-from-anybody",
    says: "a question of an unverified friend runs although its owner demands verified ones",
    foundBy: "demanded",
    options: comparing,
    make: () => ({
      step: (step) =>
        ((state, input, turn) => {
          if (!received(input, "Inject")) return step(state, input, turn)
          const { requirements } = state.durable
          const [next, outputs] = step(durably(state, { requirements: Table.empty() }), input, turn)
          return [durably(next, { requirements }), outputs]
        }) as Step
    })
  },
  {
    name: "reveals-what-it-commits-to",
    says: "the nonce of a comparison is sent together with the commitment to it",
    foundBy: "bound",
    options: comparing,
    make: () =>
      after(([state, outputs]) => [
        state,
        outputs.map((one): Output.Output => {
          if (one._tag !== "Transmit") return one
          const nonces = one.messages.flatMap((said) => {
            if (!("message" in said) || said.message.kind !== "SasCommit") return []
            const { id } = said.message
            const check = [...HashMap.values(state.passing.checks)].find((each) => each.id === id)
            if (check?.nonce === undefined) return []
            const nonce = Base64url.encode(Redacted.value(check.nonce))
            return [{ message: { kind: "SasReveal" as const, id, nonce } }]
          })
          return { ...one, messages: [...one.messages, ...nonces] }
        })
      ])
  }
]
