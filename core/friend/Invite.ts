/**
 * Invites we have made: how often each may be redeemed, by whom, until when, what it gives, and how it ends.
 * It never holds the secret of a link, only the key derived from it; so a link is shown once and can never be shown again.
 * An invite is a grant its operator made in advance: a claim redeems it and can make it neither longer, wider nor again.
 */
import { Redacted, Schema } from "effect"
import type { CryptoShape } from "../../ports/Crypto.ts"
import { Capability } from "../admission/Capability.ts"
import * as Base64url from "../bytes/Base64url.ts"
import { fromHex, utf8 } from "../bytes/Bytes.ts"
import * as Transcript from "../bytes/Transcript.ts"
import * as KeyHistory from "../identity/KeyHistory.ts"
import { keyBytes, type RemoteIdentityKey } from "../identity/Keys.ts"
import type { PeerId } from "../identity/PeerId.ts"
import * as Limits from "../Limits.ts"
import * as Table from "../Table.ts"
import type { InviteLink } from "../wire/InviteLink.ts"

export type State = "Open" | "Used" | "Expired" | "Revoked"

/** `redeem` leaves uses, `redeemLast` none. `revoke`: the operator, or a key of ours that was compromised. */
export type Event = "redeem" | "redeemLast" | "expire" | "revoke"

/** state → event → next state. Nothing leads back to Open. */
export const transitions: Readonly<Record<State, Readonly<Partial<Record<Event, State>>>>> = {
  Open: { redeem: "Open", redeemLast: "Used", expire: "Expired", revoke: "Revoked" },
  Used: { revoke: "Revoked" },
  Expired: { revoke: "Revoked" },
  Revoked: {}
}

/** The next state, or undefined where the table has no row: the event has no place here. */
export const next = (state: State, event: Event): State | undefined => transitions[state][event]

/** The table as a Mermaid state diagram. */
export const diagram = (): string => {
  const rows = Object.entries(transitions).flatMap(([from, row]) =>
    Object.entries(row).map(([event, to]) => `  ${from} --> ${to}: ${event}`)
  )
  return ["stateDiagram-v2", "  [*] --> Open", ...rows].join("\n")
}

const text = Schema.String

/** One use: by whom, and what names the friendship that came of it. */
const Redemption = Schema.Struct({ peerId: text, atMs: Schema.Int, of: text })

export const Invite = Schema.Struct({
  id: text,
  state: Schema.Literals(["Open", "Used", "Expired", "Revoked"]),
  /** The identity key of ours that the link names. */
  issuer: text,
  proofKey: Schema.RedactedFromValue(text, { label: "invite" }),
  /** Whose key it is for; absent: for whoever holds the link. */
  named: Schema.optionalKey(text),
  capabilities: Schema.Array(Capability),
  usesMax: Schema.Int,
  madeAtMs: Schema.Int,
  expiresAtMs: Schema.Int,
  redemptions: Schema.Array(Redemption),
  /** Peers the operator has sent away, or taken something from, since it was made: for them it would be a way back. */
  barred: Schema.Array(text)
})
export type Invite = typeof Invite.Type
export type Invites = Table.Table<Invite>

/** What proofs need of the Crypto port. */
export type Macs = Pick<CryptoShape, "hkdfSha256" | "hmacSha256">

/** The key that both ends derive from a link and never send. For a named invite it is no secret, the named key is. */
export const proofKey = (macs: Macs, { id, issuer, meant }: InviteLink): Redacted.Redacted<string> => {
  const material = meant.kind === "holder" ? Redacted.value(meant.secret) : keyBytes(meant.key)
  const where = Transcript.encode("wop/3 invite", [fromHex(id), keyBytes(issuer)])
  const key = macs.hkdfSha256(material, utf8("wop/3"), where, 32)
  if (key === undefined) throw new Error("HKDF refused 32 bytes")
  return Redacted.make(Base64url.encode(key), { label: "invite" })
}

/** What one end of a session shows the other: that it holds the key, in this session and in its own role. */
export const proof = (
  macs: Macs,
  key: Redacted.Redacted<string>,
  handshakeHash: string,
  role: "claim" | "issuer"
): Uint8Array =>
  macs.hmacSha256(
    Base64url.decode(Redacted.value(key)) ?? new Uint8Array(0),
    Transcript.encode("wop/3 invite proof", [Base64url.decode(handshakeHash) ?? new Uint8Array(0), role])
  )

/** How an invite stands now, whether or not a tick has noticed that its time is over. */
export const stateAt = (invite: Invite, nowMs: number): State =>
  invite.state === "Open" && invite.expiresAtMs <= nowMs ? "Expired" : invite.state

/** Whether it is meant for the holder of a proven history. */
export const isMeantFor = (invite: Invite, history: KeyHistory.History): boolean =>
  invite.named === undefined || KeyHistory.leads(history, { key: invite.named as RemoteIdentityKey })

/** The use that a peer has made of it. */
export const redemptionOf = (invite: Invite, peerId: PeerId): Invite["redemptions"][number] | undefined =>
  invite.redemptions.find((one) => one.peerId === peerId)

/** One use more, the last of which ends it. */
export const redeem = (invite: Invite, redemption: Invite["redemptions"][number]): Invite => {
  const redemptions = [...invite.redemptions, redemption]
  const state = next(invite.state, redemptions.length >= invite.usesMax ? "redeemLast" : "redeem")
  if (state === undefined) throw new Error("an invite was redeemed that is not open")
  return { ...invite, state, redemptions }
}

const withState = (invite: Invite, event: Event): Invite => {
  const state = next(invite.state, event)
  return state === undefined ? invite : { ...invite, state }
}

/** The operator takes it back. What it has given stays: that is ended with the friend. */
export const revoke = (invite: Invite): Invite => withState(invite, "revoke")

const replaceAll = (invites: Invites, change: (invite: Invite) => Invite | undefined): Invites => {
  let changed = invites
  for (const invite of Table.values(invites)) {
    const after = change(invite)
    if (after === invite) continue
    changed = after === undefined ? Table.remove(changed, invite.id) : Table.set(changed, invite.id, after)
  }
  return changed
}

/** A key of ours was compromised: whoever has it may have the links that name it. */
export const revokeAll = (invites: Invites): Invites =>
  replaceAll(invites, (invite) => (invite.state === "Open" ? revoke(invite) : invite))

/** From now on no invite that is open leads this peer back to what the operator took from it. */
export const barFrom = (invites: Invites, peerId: PeerId): Invites =>
  replaceAll(invites, (invite) => {
    if (invite.state === "Revoked" || invite.barred.includes(peerId)) return invite
    // Too many to remember: rather none may use it than one of them.
    if (invite.barred.length >= Limits.inviteBarredMax) return revoke(invite)
    return { ...invite, barred: [...invite.barred, peerId] }
  })

/** Invites whose time is over end; a while later they are forgotten. */
export const expire = (invites: Invites, nowMs: number): Invites =>
  replaceAll(invites, (invite) => {
    if (invite.expiresAtMs + Limits.inviteKeptMs <= nowMs) return undefined
    return invite.expiresAtMs <= nowMs ? withState(invite, "expire") : invite
  })

/** Room for one more: the oldest that is not open goes for it. Undefined where all are open. */
export const makeRoom = (invites: Invites): Invites | undefined => {
  if (Table.size(invites) < Limits.invitesMax) return invites
  const over = Table.values(invites)
    .filter(({ state }) => state !== "Open")
    .sort((a, b) => a.madeAtMs - b.madeAtMs)[0]
  return over === undefined ? undefined : Table.remove(invites, over.id)
}
