/**
 * What of the former plugin's files is taken over, and what is not and why: one pure function.
 * It never takes a grant of more than `message`, nor believes that anybody was verified, nor keeps what proves nothing.
 * A friend taken over is as unverified as one from a room without accounts: only the key that the files hold stands for it.
 */
import { Redacted, Result } from "effect"
import * as Grants from "../../core/admission/Grants.ts"
import { Base64url, Keys, Name, PeerId, Rejection } from "../../core/index.ts"
import * as Records from "../../core/node/Records.ts"
import type * as State from "../../core/node/State.ts"
import * as Table from "../../core/Table.ts"
import type { CryptoShape } from "../../ports/Crypto.ts"
import type { Change } from "../../ports/RecordStore.ts"
import type { Former } from "./FormerFiles.ts"

/** Something that was not taken, and why. */
export interface Left {
  readonly what: string
  readonly why: string
}

export interface Taken {
  readonly name: string
  readonly identityKey: string
}

export interface Plan {
  readonly keys: Keys.LocalKeys
  readonly friends: ReadonlyArray<Taken>
  readonly left: ReadonlyArray<Left>
  /** Records to add to those that are there. */
  readonly changes: ReadonlyArray<Change>
}

const prefixes = {
  ed25519Public: "302a300506032b6570032100",
  x25519Public: "302a300506032b656e032100",
  ed25519Private: "302e020100300506032b657004220420",
  x25519Private: "302e020100300506032b656e04220420"
} as const

/** The 32 bytes of a key in standard base64 of DER; undefined unless it is exactly that, one spelling only. */
const rawOf = (text: string, kind: keyof typeof prefixes): Uint8Array | undefined => {
  const der = Buffer.from(text, "base64")
  const prefix = Buffer.from(prefixes[kind], "hex")
  const isWhole = der.length === prefix.length + 32 && der.subarray(0, prefix.length).equals(prefix)
  return isWhole && der.toString("base64") === text ? Uint8Array.from(der.subarray(prefix.length)) : undefined
}

const same = (a: Uint8Array | undefined, b: Uint8Array): boolean => a !== undefined && Buffer.from(a).equals(b)

/** Our keys out of the former identity; undefined if its halves do not belong together. */
export const keysOf = (crypto: CryptoShape, former: NonNullable<Former["identity"]>): Keys.LocalKeys | undefined => {
  const { created, encryptPriv, encryptPub, privateKey, publicKey } = Redacted.value(former)
  const [seed, scalar] = [rawOf(privateKey, "ed25519Private"), rawOf(encryptPriv, "x25519Private")]
  if (seed === undefined || scalar === undefined || !Number.isSafeInteger(Math.trunc(created))) return undefined
  const document = {
    version: 3,
    identitySeed: Base64url.encode(seed),
    agreementScalar: Base64url.encode(scalar),
    createdAtMs: Math.trunc(created),
    history: []
  }
  const keys = Keys.fromDocument(crypto, Redacted.make(JSON.stringify(document), { label: "identity document" }))
  if (keys === undefined) return undefined
  const belong =
    same(rawOf(publicKey, "ed25519Public"), keys.identityKey) &&
    same(rawOf(encryptPub, "x25519Public"), keys.agreementKey)
  return belong ? keys : undefined
}

interface Candidate {
  readonly name: string
  readonly publicKey: string
  readonly encryptPub: string
  readonly sinceMs: number
  readonly channel: string
  readonly caps: ReadonlyArray<string>
}

/** Who is a friend: those of the list, and peers with a grant that was not revoked. */
const candidates = ({ friends, grants, peers }: Former, left: Array<Left>): ReadonlyArray<Candidate> => {
  const listed = friends.map(({ addedAt = 0, caps = [], channel, encryptPub, name, publicKey }) => ({
    ...{ name, publicKey, encryptPub, sinceMs: Math.trunc(addedAt), channel: channel ?? "", caps }
  }))
  const known = new Set(listed.map(({ publicKey }) => publicKey))
  const revoked = new Set(grants.filter((grant) => Boolean(grant.revoked)).map(({ peerKey }) => peerKey))
  const granted = grants.flatMap((grant) => {
    const { caps = [], created = 0, peerKey, sessions = [] } = grant
    const peer = peers.find(({ publicKey }) => publicKey === peerKey)
    const name = grant.peerName ?? peer?.name ?? `peer-${peerKey.slice(16, 22).replaceAll(/[^A-Za-z0-9]/g, "x")}`
    if (grant.revoked) {
      left.push({ what: `the grant of ${name}`, why: "it was revoked" })
      return []
    }
    if (sessions.length > 0)
      left.push({
        what: `${name}'s conversations ${sessions.join(", ")}`,
        why: "a friend has one conversation of its own here"
      })
    if (known.has(peerKey) || revoked.has(peerKey)) return []
    known.add(peerKey)
    const encryptPub = grant.peerEncryptPub ?? peer?.encryptPub ?? ""
    return [{ name, publicKey: peerKey, encryptPub, sinceMs: Math.trunc(created), channel: "", caps }]
  })
  for (const { name, publicKey } of peers) {
    if (!known.has(publicKey))
      left.push({ what: `the peer ${name ?? publicKey.slice(16, 24)}`, why: "nothing was granted to it" })
  }
  return [...listed.filter(({ publicKey }) => !revoked.has(publicKey)), ...granted]
}

const friendOf = (crypto: CryptoShape, one: Candidate, ownKey: string, left: Array<Left>) => {
  const [identity, agreement] = [rawOf(one.publicKey, "ed25519Public"), rawOf(one.encryptPub, "x25519Public")]
  const name = Name.parse(one.name.trim().replaceAll(/[\s|]+/gu, "-"))
  const key = identity === undefined ? undefined : Keys.remoteIdentityKey(crypto, Base64url.encode(identity))
  if (key === undefined || Result.isFailure(key) || agreement === undefined) {
    left.push({ what: `the friend ${one.name}`, why: "its keys are not valid" })
    return undefined
  }
  if (Result.isFailure(name)) {
    left.push({ what: `the friend ${one.name}`, why: Rejection.sentence(name.failure) })
    return undefined
  }
  const more = one.caps.filter((cap) => cap !== "message")
  if (more.length > 0)
    left.push({
      what: `${name.success}'s ${more.join(", ")}`,
      why: `only message is taken over; to allow it: /grant @${name.success} inject`
    })
  return {
    peerId: PeerId.of(crypto, key.success),
    name: name.success,
    standing: "Friend" as const,
    identityKey: key.success,
    agreementKey: Base64url.encode(agreement),
    topic: Base64url.encode(PeerId.topicOf(crypto, Keys.keyBytes(key.success))),
    channel: `former plugin${one.channel === "" ? "" : ` (${one.channel})`}`,
    evidence: "unproven" as const,
    sinceMs: one.sinceMs,
    cameOf: [],
    alarmed: false,
    knowsKey: ownKey
  }
}

/**
 * What taking over comes to, for a folder whose records are `durable`: who is known there already stays as they are.
 * Undefined if the identity is none, or its halves do not belong together.
 */
export const make = (crypto: CryptoShape, former: Former, durable: State.Durable, nowMs: number): Plan | undefined => {
  const keys = former.identity === undefined ? undefined : keysOf(crypto, former.identity)
  if (keys === undefined || former.identity === undefined) return undefined
  const left: Array<Left> = []
  const ownKey = Base64url.encode(keys.identityKey)
  if (Redacted.value(former.identity).rotatedFrom) {
    left.push({
      what: "the key that was left before",
      why: "its rotation proved nothing; friends who know only that one must befriend you anew"
    })
  }
  let { friends } = durable.roster
  let { grants } = durable
  const taken: Array<Taken> = []
  for (const one of candidates(former, left)) {
    const friend = friendOf(crypto, one, ownKey, left)
    if (friend === undefined || Table.has(friends, friend.peerId) || friend.identityKey === ownKey) continue
    friends = Table.set(friends, friend.peerId, friend)
    grants = Grants.allow(grants, friend.peerId, Grants.own, "message", nowMs)
    taken.push({ name: friend.name, identityKey: friend.identityKey })
  }
  if (former.pending > 0)
    left.push({ what: `${former.pending} open requests`, why: "a request is worth five minutes; ask again" })
  if (former.autoAccept > 0)
    left.push({
      what: `${former.autoAccept} auto-accept patterns`,
      why: "they match names, which anybody can claim; see /auto-accept"
    })
  if (former.peers.some(({ keyHistory }) => keyHistory != null))
    left.push({ what: "histories of peers' keys", why: "no step of them was proven" })
  for (const name of new Set(former.unread)) left.push({ what: `an entry of ${name}`, why: "it does not parse" })
  const owner = Table.has(durable.owner, "identity") ? durable.owner : Table.set(durable.owner, "identity", ownKey)
  const next: State.Durable = { ...durable, owner, grants, roster: { ...durable.roster, friends } }
  return { keys, friends: taken, left, changes: Records.diff(next) }
}
