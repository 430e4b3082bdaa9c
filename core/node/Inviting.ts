/**
 * Invites on both ends: made, shown once, taken back and redeemed here; claimed by us there.
 * It never tells why a claim is refused: wrong, used, expired, revoked or meant for another are one word at one time.
 * The use, the friendship and the grant are one commit, and what the claimer hears is sent after it: a repeat finds it done.
 */
import { Redacted, Result } from "effect"
import type { Capability } from "../admission/Capability.ts"
import * as Grants from "../admission/Grants.ts"
import * as RateLimit from "../admission/RateLimit.ts"
import * as Base64url from "../bytes/Base64url.ts"
import { concat } from "../bytes/Bytes.ts"
import * as Transcript from "../bytes/Transcript.ts"
import type * as Errand from "../friend/Errand.ts"
import * as Invite from "../friend/Invite.ts"
import { keyBytes, type RemoteIdentityKey } from "../identity/Keys.ts"
import * as Name from "../identity/Name.ts"
import * as PeerId from "../identity/PeerId.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import * as Table from "../Table.ts"
import * as InviteLink from "../wire/InviteLink.ts"
import type { Claim, ClaimAnswer } from "../wire/Message.ts"
import * as Acquainting from "./Acquainting.ts"
import * as Decisions from "./Decisions.ts"
import * as Errands from "./Errands.ts"
import * as Guests from "./Guests.ts"
import type { Command, Turn } from "./Input.ts"
import type { Output } from "./Output.ts"
import * as Sending from "./Sending.ts"
import * as State from "./State.ts"

type Outcome = Result.Result<State.Stepped, Rejection.Rejection>
type Create = Extract<Command, { _tag: "CreateInvite" }>

/** What stands where a line's friend has its channel. */
const channel = "(invite)"

/** Makes an invite; the link exists in the answer only. Refused with `invite-invalid` or `invites-full`. */
export const create = (
  state: State.State,
  command: Create,
  turn: Turn
): Result.Result<
  { readonly stepped: State.Stepped; readonly link: Redacted.Redacted<string> },
  Rejection.Rejection
> => {
  const { inject = false, lastsMs = Limits.inviteAgeMs, named, uses = 1 } = command
  const whole = Number.isSafeInteger(uses) && uses >= 1 && uses <= Limits.inviteUsesMax
  const timely = Number.isSafeInteger(lastsMs) && lastsMs >= 1 && lastsMs <= Limits.inviteAgeMaxMs
  if (!whole || !timely) return Result.fail(Rejection.make("invite-invalid"))
  if (named !== undefined && !isKey(named, turn)) return Result.fail(Rejection.make("key-invalid", "identity key"))
  const room = Invite.makeRoom(state.durable.invites)
  if (room === undefined) return Result.fail(Rejection.make("invites-full"))
  const id = Sending.messageId(turn)
  const secret = Redacted.make(turn.entropy.slice(16, 32), { label: "invite secret" })
  const link: InviteLink.InviteLink = {
    id,
    issuer: state.self.identityKey,
    meant: named === undefined ? { kind: "holder", secret } : { kind: "named", key: named as RemoteIdentityKey },
    expiresAtMs: turn.nowMs + lastsMs
  }
  const capabilities: ReadonlyArray<Capability> = inject ? ["message", "inject"] : ["message"]
  const invite: Invite.Invite = {
    id,
    state: "Open",
    issuer: link.issuer,
    proofKey: Invite.proofKey(turn.pure, link),
    ...(named === undefined ? {} : { named }),
    capabilities,
    // A key has one holder: there is nobody to use it again.
    usesMax: named === undefined ? uses : 1,
    madeAtMs: turn.nowMs,
    expiresAtMs: link.expiresAtMs,
    redemptions: [],
    barred: []
  }
  const made = State.withDurable(state, { invites: Table.set(room, id, invite) })
  return Result.succeed({ stepped: [made, []], link: InviteLink.print(turn, link) })
}

const isKey = (key: string, { pure }: Turn): boolean => {
  const bytes = Base64url.decodeExact(key, 32)
  return bytes !== undefined && pure.ed25519ValidKey(bytes)
}

/** The operator takes an invite back, by its id or the beginning of it. */
export const revoke = (state: State.State, id: string): Outcome => {
  const found = Table.values(state.durable.invites).filter((invite) => invite.id.startsWith(id))
  const invite = found[0]
  if (id === "" || invite === undefined || found.length !== 1) return Result.fail(Rejection.make("unknown-invite", id))
  return Result.succeed([
    State.withDurable(state, { invites: Table.set(state.durable.invites, invite.id, Invite.revoke(invite)) }),
    []
  ])
}

/** Invites whose time is over end. */
export const tick = (state: State.State, turn: Turn): State.Stepped => {
  const invites = Invite.expire(state.durable.invites, turn.nowMs)
  return [invites === state.durable.invites ? state : State.withDurable(state, { invites }), []]
}

/** The id of the invite that a link is for; undefined for what is no link. */
export const idOf = (text: Redacted.Redacted<string>, turn: Turn): string | undefined =>
  Result.getOrUndefined(InviteLink.parse(turn.pure, Redacted.value(text)))?.id

/** We want to redeem an invite of somebody else's: its issuer is looked for until it has answered. */
export const claim = (state: State.State, text: Redacted.Redacted<string>, turn: Turn): Outcome => {
  const parsed = InviteLink.parse(turn.pure, Redacted.value(text))
  if (Result.isFailure(parsed)) return Result.fail(parsed.failure)
  const link = parsed.success
  const { id, issuer, meant } = link
  if (State.isOwnKey(state.self, issuer)) return Result.fail(Rejection.make("own-invite"))
  if (meant.kind === "named" && !State.isOwnKey(state.self, meant.key)) {
    return Result.fail(Rejection.make("invite-for-another"))
  }
  // The clocks of the two may differ by as much as signed times may.
  const expiresAtMs = Math.min(link.expiresAtMs + Limits.freshnessMs, turn.nowMs + Limits.inviteAgeMaxMs)
  if (expiresAtMs <= turn.nowMs) return Result.fail(Rejection.make("invite-over"))
  if (Table.has(state.durable.errands, id)) return Result.fail(Rejection.make("invite-claiming"))
  const bytes = keyBytes(issuer)
  return Errands.add(
    state,
    {
      kind: "claim",
      id,
      key: issuer,
      peerId: PeerId.of(turn, issuer),
      topic: Base64url.encode(PeerId.topicOf(turn, bytes)),
      madeAtMs: turn.nowMs,
      expiresAtMs,
      proofKey: Invite.proofKey(turn.pure, link)
    },
    turn
  )
}

/** Whom a claim comes from and what it is about, as the gate asks for it. */
const factsOf = (state: State.State, opened: State.Opened, message: Claim, turn: Turn) => {
  const invite = Table.get(state.durable.invites, message.id)
  const { peerId, record } = Acquainting.recordOf(state, opened)
  // Computed for an id that nobody gave, too: how long a no takes says nothing of it.
  const key = invite?.proofKey ?? Redacted.make(message.id)
  const expected = Invite.proof(turn.pure, key, opened.handshakeHash, "claim")
  const shown = Base64url.decodeExact(message.proof, 32) ?? new Uint8Array(32)
  const isProven = turn.pure.equal(expected, shown)
  const isMeant = invite !== undefined && Invite.isMeantFor(invite, opened.peer.value.history)
  const isBarred = invite?.barred.includes(peerId) === true || record?.doubt !== undefined || record?.alarmed === true
  const before = invite === undefined ? undefined : Invite.redemptionOf(invite, peerId)
  const lasts = before !== undefined && record?.standing === "Friend" && record.cameOf.includes(before.of)
  const question = {
    kind: "claim" as const,
    isProven: isProven && invite !== undefined,
    isMeant,
    isBarred,
    state: invite === undefined ? ("Revoked" as const) : Invite.stateAt(invite, turn.nowMs),
    redeemed: before === undefined ? ("never" as const) : lasts ? ("friend" as const) : ("over" as const)
  }
  return { invite, peerId, before, question }
}

/** Draws a claim from the budget of its identity and from the one of all; who is refused draws nothing. */
const draw = (state: State.State, key: RemoteIdentityKey, nowMs: number) => {
  const claims = state.passing.claims
  const own = RateLimit.draw(claims.identities[key] ?? {}, "claim", nowMs)
  if (own.waitMs > 0) return { state, waitMs: own.waitMs }
  const all = RateLimit.draw(claims.all, "claims", nowMs)
  if (all.waitMs > 0) return { state, waitMs: all.waitMs }
  // A budget that is full again says nothing; no more of them can be begun in a minute than all may draw.
  const recent = Object.entries(claims.identities).filter(([, { claim = [] }]) =>
    claim.some(({ atMs }) => Math.abs(nowMs - atMs) < 60_000)
  )
  const identities = { ...Object.fromEntries(recent), [key]: own.budgets }
  return { state: State.withPassing(state, { claims: { all: all.budgets, identities } }), waitMs: 0 }
}

/** Somebody wants to redeem an invite of ours. */
export const onClaim = (before: State.State, opened: State.Opened, message: Claim, turn: Turn): State.Stepped => {
  const { signer } = opened.peer
  const drawn = draw(before, signer.key, turn.nowMs)
  const name = Name.parse(message.name)
  const { before: redemption, invite, peerId, question } = factsOf(drawn.state, opened, message, turn)
  const asked = { ...question, waitMs: drawn.waitMs, isNamed: Result.isSuccess(name) }
  const { state, verdict } = Decisions.decide(drawn.state, { key: signer.key, peerId }, "claim", asked)
  const refused = (current: State.State, rejection: Rejection.Rejection) =>
    refuse(current, opened, message, rejection, turn)
  if (!verdict.admitted) return refused(state, verdict.rejection)
  if (invite !== undefined && redemption !== undefined) {
    return [state, [answer(state, opened, peerId, invite, redemption.of, turn)]]
  }
  if (invite === undefined || Result.isFailure(name)) throw new Error("the gate admitted what is not there")
  const of = friendshipOf(invite, signer.key, turn)
  const used = Invite.redeem(invite, { peerId, atMs: turn.nowMs, of })
  const counted = State.withDurable(state, { invites: Table.set(state.durable.invites, invite.id, used) })
  const terms = { opened, name: name.success, channel, of, allows: invite.capabilities }
  const agreed = Acquainting.agree(counted, terms, turn)
  if (Result.isFailure(agreed)) return refused(state, Rejection.make("invite-refused", agreed.failure.code))
  const [next, outputs] = agreed.success
  const usesLeft = used.usesMax - used.redemptions.length
  const told = { _tag: "InviteRedeemed" as const, peerId, name: name.success, id: invite.id, usesLeft }
  // The answer before the greeting: with it the far end knows that we are friends.
  return [next, [answer(next, opened, peerId, invite, of, turn), ...outputs, { _tag: "Tell", event: told }]]
}

/** A name for a friendship that both sides keep, as long as the signature of a line. */
const friendshipOf = (invite: Invite.Invite, key: RemoteIdentityKey, turn: Turn): string => {
  const half = (index: number) =>
    turn.sha256(Transcript.encode("wop/3 friendship", [invite.id, keyBytes(key), turn.nowMs, index]))
  return Base64url.encode(concat(half(0), half(1)))
}

const answer = (
  state: State.State,
  opened: State.Opened,
  peerId: PeerId.PeerId,
  { id, proofKey }: Invite.Invite,
  of: string,
  turn: Turn
): Output => {
  const message: ClaimAnswer = {
    kind: "ClaimAnswer",
    id,
    outcome: "redeemed",
    proof: Base64url.encode(Invite.proof(turn.pure, proofKey, opened.handshakeHash, "issuer")),
    name: state.self.name,
    of,
    capabilities: [...Grants.held(state.durable.grants, peerId, Grants.own, turn.nowMs)].sort()
  }
  return { _tag: "Transmit", connection: opened.connection, messages: [{ message }] }
}

/** One word for everything that is wrong, always as long after the claim. Our operator hears which it was. */
const refuse = (
  state: State.State,
  opened: State.Opened,
  { id }: Claim,
  rejection: Rejection.Rejection,
  turn: Turn
): State.Stepped => {
  const { code, retryAfterMs } = rejection
  const message: ClaimAnswer = {
    kind: "ClaimAnswer",
    id,
    outcome: "refused",
    code,
    ...(retryAfterMs > 0 ? { retryAfterMs } : {})
  }
  const { peerId } = Acquainting.recordOf(state, opened)
  const name = Table.get(state.durable.roster.friends, peerId)?.name ?? `stranger ${PeerId.short(peerId)}`
  return [
    Guests.sayLater(state, opened.connection, message, turn.nowMs + Limits.claimRefusalMs),
    [{ _tag: "Tell", event: { _tag: "PeerRefused", peerId, name, kind: "Claim", rejection } }]
  ]
}

type ClaimErrand = Extract<Errand.Errand, { kind: "claim" }>

/** The issuer has answered a claim of ours. An answer to nothing that we asked is ignored. */
export const onAnswer = (state: State.State, opened: State.Opened, message: ClaimAnswer, turn: Turn): State.Stepped => {
  const errand = Guests.errandsOf(state, opened).find(
    (one): one is ClaimErrand => one.kind === "claim" && one.id === message.id
  )
  if (errand === undefined) return [state, []]
  return message.outcome === "refused"
    ? onRefused(state, opened, errand, message, turn)
    : onRedeemed(state, opened, errand, message, turn)
}

const onRefused = (
  state: State.State,
  { connection }: State.Opened,
  errand: Errand.Errand,
  { code = "invite-refused", retryAfterMs = 0 }: ClaimAnswer,
  turn: Turn
): State.Stepped =>
  State.chain(
    state,
    (current) =>
      Rejection.isCode(code) && Rejection.isTransient(code)
        ? Sending.pause(current, errand.peerId, retryAfterMs, turn)
        : Errands.end(current, errand, Rejection.make("invite-refused", "said by the peer")),
    (current) => Guests.hangUp(current, connection, null)
  )

const onRedeemed = (
  state: State.State,
  opened: State.Opened,
  errand: ClaimErrand,
  message: ClaimAnswer,
  turn: Turn
): State.Stepped => {
  const expected = Invite.proof(turn.pure, errand.proofKey, opened.handshakeHash, "issuer")
  const shown = Base64url.decodeExact(message.proof ?? "", 32) ?? new Uint8Array(32)
  const name = Name.parse(message.name ?? "")
  const { capabilities = [], of } = message
  const isWhole = turn.pure.equal(expected, shown) && Result.isSuccess(name) && of !== undefined
  const agreed = isWhole
    ? Acquainting.agree(
        state,
        {
          opened,
          name: name.success,
          channel,
          of,
          allows: ["message"],
          allowsUs: [...capabilities].sort(),
          anchor: errand.key
        },
        turn
      )
    : Result.fail(Rejection.make("invite-unproven"))
  return State.chain(
    state,
    (current) => (Result.isSuccess(agreed) ? agreed.success : Guests.hangUp(current, opened.connection, null)),
    (current) => Errands.end(current, errand, Result.isSuccess(agreed) ? null : agreed.failure)
  )
}
