/**
 * The link by which somebody may become a friend without a chat channel: text ↔ link (PROTOCOL.md §14).
 * It never says whether an invite still counts, only its issuer knows; and it prints its secret to nobody but who asks for
 * the link itself.
 * It is handed on by people, so it carries a check of its own: a slip of the hand is told from an invite that is over.
 *
 * `wop3://` ‖ base64url(version u8 ‖ for u8 ‖ issuer 32 ‖ id 16 ‖ expiry u64 ‖ secret 16 or named key 32 ‖ check 4)
 */
import { Redacted, Result } from "effect"
import type { CryptoShape } from "../../ports/Crypto.ts"
import * as Base64url from "../bytes/Base64url.ts"
import { concat, fromHex, hex, readU64, same, u64 } from "../bytes/Bytes.ts"
import * as Transcript from "../bytes/Transcript.ts"
import * as Keys from "../identity/Keys.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"

/** What reading and printing need of the Crypto port. */
export type Hashes = Pick<CryptoShape, "sha256" | "ed25519ValidKey">

/** Who may redeem an invite: whoever holds the secret, or the holder of a key. */
export type Meant =
  | { readonly kind: "holder"; readonly secret: Redacted.Redacted<Uint8Array> }
  | { readonly kind: "named"; readonly key: Keys.RemoteIdentityKey }

export interface InviteLink {
  readonly issuer: Keys.RemoteIdentityKey
  /** 128 random bits as 32 hexadecimal digits. */
  readonly id: string
  readonly meant: Meant
  readonly expiresAtMs: number
}

export const scheme = "wop3://"
const version = 1
const checkBytes = 4
const secretBytes = 16
/** Version, for whom, issuer, id, expiry: what stands before the secret or the named key. */
const headBytes = 1 + 1 + 32 + 16 + 8

const check = (hashes: Pick<Hashes, "sha256">, body: Uint8Array): Uint8Array =>
  hashes.sha256(Transcript.encode("wop/3 invite link", [body])).subarray(0, checkBytes)

/** The link as text. It is a secret for as long as the invite is open. */
export const print = (hashes: Pick<Hashes, "sha256">, link: InviteLink): Redacted.Redacted<string> => {
  const { meant } = link
  const rest = meant.kind === "holder" ? Redacted.value(meant.secret) : Keys.keyBytes(meant.key)
  const body = concat(
    new Uint8Array([version, meant.kind === "holder" ? 0 : 1]),
    Keys.keyBytes(link.issuer),
    fromHex(link.id),
    u64(link.expiresAtMs),
    rest
  )
  return Redacted.make(scheme + Base64url.encode(concat(body, check(hashes, body))), { label: "invite link" })
}

const malformed = Result.fail(Rejection.make("invite-malformed"))

/** Text → link. White space around it is the hand's that pasted it; everything else is refused, never repaired. */
export const parse = (hashes: Hashes, text: string): Result.Result<InviteLink, Rejection.Rejection> => {
  // Those of the former plugin carry keys and names as JSON, and are several times as long as any of ours.
  if (/^\s{0,64}wop1:\/\//i.test(text)) return Result.fail(Rejection.make("invite-legacy"))
  if (text.length > Limits.inviteLinkCharactersMax) return malformed
  const trimmed = text.trim()
  const bytes = trimmed.startsWith(scheme) ? Base64url.decode(trimmed.slice(scheme.length)) : undefined
  if (bytes === undefined || bytes.length < 2) return malformed
  if (bytes[0] !== version) return Result.fail(Rejection.make("invite-newer"))
  const restBytes = bytes[1] === 0 ? secretBytes : bytes[1] === 1 ? 32 : undefined
  if (restBytes === undefined || bytes.length !== headBytes + restBytes + checkBytes) return malformed
  const body = bytes.subarray(0, headBytes + restBytes)
  if (!same(check(hashes, body), bytes.subarray(body.length))) return malformed
  return read(hashes, body)
}

/** The fields of a body whose length and check hold. */
const read = (hashes: Hashes, body: Uint8Array): Result.Result<InviteLink, Rejection.Rejection> => {
  const issuer = Keys.remoteIdentityKey(hashes, Base64url.encode(body.subarray(2, 34)))
  const expiresAtMs = readU64(body, 50)
  const rest = body.slice(headBytes)
  const named = body[1] === 1 ? Keys.remoteIdentityKey(hashes, Base64url.encode(rest)) : undefined
  if (Result.isFailure(issuer) || expiresAtMs === undefined) return malformed
  if (named !== undefined && Result.isFailure(named)) return malformed
  const meant: Meant =
    named === undefined
      ? { kind: "holder", secret: Redacted.make(rest, { label: "invite secret" }) }
      : { kind: "named", key: named.success }
  return Result.succeed({ issuer: issuer.success, id: hex(body.subarray(34, 50)), meant, expiresAtMs })
}
