/**
 * What must be true of marks, demands and comparisons at every turn, whatever has happened.
 * It never reads the code's table of marks: it follows what operators said and which alarms were told.
 * One way only: a node that trusts less than it could is careful, one that trusts more is wrong.
 */
import { HashMap } from "effect"
import * as Trust from "../../core/friend/Trust.ts"
import type { Input, Message, Output } from "../../core/index.ts"
import * as Table from "../../core/Table.ts"
import type { Checker } from "./Checker.ts"

const marked: Checker = {
  name: "marked",
  says: "nobody is verified whom no operator has compared, or whose key was doubted, stolen or taken back since",
  turn: ({ house, taken }, { truth }) => {
    const { friends } = taken.after.durable.roster
    if (taken.stored === "never" || friends === taken.before.durable.roster.friends) return []
    const { verified } = truth.of(house.name)
    return Table.values(friends).flatMap((friend) =>
      !Trust.isVerified(friend) || verified.has(friend.peerId)
        ? []
        : [`${house.name} holds ${friend.name} for verified, and its operator does not`]
    )
  }
}

const demanded: Checker = {
  name: "demanded",
  says: "no responder is called for an unverified friend while the owner demands verified ones",
  turn: (turned, { truth }) =>
    turned.taken.outputs.slice(0, turned.taken.performed).flatMap((output) => {
      if (output._tag !== "Run") return []
      const [peerId = ""] = output.job.split("/")
      const now = truth.of(turned.house.name)
      // Within one turn an order that was given later may have come first.
      const isDemanded = now.demands.size > 0 && turned.demandsBefore.size > 0
      const may = !isDemanded || now.verified.has(peerId) || turned.verifiedBefore.has(peerId)
      return may ? [] : [`${turned.house.name} ran a question of ${peerId.slice(0, 8)}, who is not verified`]
    })
}

type Reveal = Extract<Message.Message, { readonly kind: "SasReveal" }>

const revealsIn = (outputs: ReadonlyArray<Output.Output>): ReadonlyArray<Reveal> =>
  outputs.flatMap((output) =>
    output._tag === "Transmit"
      ? output.messages.flatMap((one) => ("message" in one && one.message.kind === "SasReveal" ? [one.message] : []))
      : []
  )

const heard = (inputs: ReadonlyArray<Input.Input>, kind: string, id: string): boolean =>
  inputs.some(
    (input) =>
      input._tag === "Received" &&
      input.message.value.kind === kind &&
      "id" in input.message.value &&
      input.message.value.id === id
  )

const bound: Checker = {
  name: "bound",
  says: "no nonce leaves before the other side is bound by its own, nor without an operator who takes part",
  turn: ({ house, taken }) =>
    revealsIn(taken.outputs).flatMap(({ id }) => {
      const { before, inputs } = taken
      // Theirs has come, and ours was committed to before; or theirs is committed to, and our operator joins in.
      if (heard(inputs, "SasReveal", id)) return []
      const joins = inputs.some((input) => input._tag === "Operator" && input.command._tag === "Compare")
      const checks = [...HashMap.values(before.passing.checks)]
      const invited = checks.some((check) => check.stage === "invited" && check.id === id)
      const began = checks.some((check) => check.stage === "committed")
      const isBound = invited || heard(inputs, "SasCommit", id)
      return isBound && (joins || began) ? [] : [`${house.name} let a nonce go before anybody was bound`]
    })
}

/** Everything about what people make sure of. */
export const trusted: ReadonlyArray<Checker> = [marked, demanded, bound]
