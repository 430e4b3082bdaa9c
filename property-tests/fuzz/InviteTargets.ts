/**
 * Readers of what invites bring in: the link that a person pastes, and the claim that a stranger sends.
 * A claim is read by a whole node with an open invite, on the session of somebody who is no friend.
 * Keys, entropy and the invite are fixed, so that an input means the same in every run.
 */
import { Redacted, Result } from "effect"
import * as Invite from "../../core/friend/Invite.ts"
import { Base64url, Codec, InviteLink } from "../../core/index.ts"
import { holds, Member, Party } from "../arbitraries/party.ts"
import { crypto, person } from "../arbitraries/state.ts"
import type { Chance } from "../simulation/Chance.ts"
import { demand, refused, type Target, value } from "./Target.ts"

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text))
const [alice, bob] = [person("alice"), person("bob")]

const someLink = (luck: Chance): InviteLink.InviteLink => ({
  issuer: alice.self.identityKey,
  id: luck.pick(["0", "7", "f"]).repeat(32),
  meant: luck.pick([
    { kind: "named", key: bob.self.identityKey } as const,
    { kind: "holder", secret: Redacted.make(new Uint8Array(16).fill(7)) } as const
  ]),
  expiresAtMs: luck.pick([0, 1, 1_800_000_000_000, Number.MAX_SAFE_INTEGER])
})
const printed = (link: InviteLink.InviteLink): string => Redacted.value(InviteLink.print(crypto, link))

const link: Target = {
  name: "link",
  says: "what somebody pastes who was given an invite",
  samples: (luck) => bytes(printed(someLink(luck))),
  words: ["wop3://", "wop1://", "AQA", "AQE", "=", "+", "/", "-_", " ", "\n"],
  read: (input) => {
    const text = Buffer.from(input).toString()
    const read = InviteLink.parse(crypto, text)
    if (Result.isFailure(read)) return refused(read.failure.code)
    const again = printed(read.success)
    demand(again === text.trim(), "a link has two spellings")
    demand(!JSON.stringify(read.success).includes("BwcHBwcHBwcHBwcHBwcHBw"), "a secret prints")
    return value(again)
  }
}

/** A node with an invite for whoever holds its link, and a stranger at its door. */
const visited = () => {
  const party = new Party()
  const host = new Member(alice)
  const made = party.invite(host)
  const stranger = new Member(bob, true)
  const connection = party.meet(stranger, host)
  const hash = Base64url.encode(crypto.sha256(bytes(`handshake of ${connection}`)))
  const key = Invite.proofKey(crypto, Result.getOrThrow(InviteLink.parse(crypto, made.link)))
  return {
    party,
    host,
    stranger,
    connection,
    id: made.id,
    proof: Base64url.encode(Invite.proof(crypto, key, hash, "claim"))
  }
}
const right = visited()

const claim: Target = {
  name: "claim",
  says: "what a stranger says to a node with an open invite",
  samples: (luck) => {
    const proof = luck.pick([right.proof, "A".repeat(43)])
    const id = luck.pick([right.id, "0".repeat(32)])
    return bytes(JSON.stringify({ kind: "Claim", id, proof, name: luck.pick(["bob", "", "a b", "x".repeat(300)]) }))
  },
  words: ["Claim", "ClaimAnswer", '"id":', '"proof":', '"name":', right.id, right.proof, "redeemed", '"outcome":'],
  read: (input) => {
    const decoded = Codec.decode(input)
    if (Result.isFailure(decoded)) return refused(decoded.failure.code)
    const { connection, host, party, stranger } = visited()
    const heard: Array<unknown> = []
    party.overhear = ({ from, message }) => {
      if (from === host) heard.push(message.kind === "Greeting" ? message.kind : message)
    }
    party.deliver(stranger, connection, input)
    party.wait(5_000, host)
    const message = decoded.success
    const isRight = message.kind === "Claim" && message.id === right.id && message.proof === right.proof
    const isFriend = holds(host, stranger) !== undefined
    demand(isRight || !isFriend, "somebody became a friend without the secret")
    demand(isFriend || host.state.durable.roster.friends.touched === undefined, "a stranger reached the friends")
    return value({ heard, isFriend })
  }
}

export const inviteTargets: ReadonlyArray<Target> = [link, claim]
