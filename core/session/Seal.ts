/**
 * Sealed records: plaintext ↔ record frames of one session, as pure functions of key, counter and associated data.
 * It never decides what may be said; what it opens is authentic because the session's proof was.
 * A receiver commits to nothing before the tag holds: a forged record leaves its state as it was.
 */
import { Redacted, Result } from "effect"
import type { CryptoShape } from "../../ports/Crypto.ts"
import { concat, u32 } from "../bytes/Bytes.ts"
import { type Authentic, prove } from "../identity/Authentic.ts"
import * as Rejection from "../Rejection.ts"
import * as Frame from "../wire/Frame.ts"
import * as KeySchedule from "./KeySchedule.ts"
import type { Proof } from "./Proof.ts"

/** What a session is after its handshake: two directions that live apart, and what both ends agree on. */
export interface Session {
  readonly send: KeySchedule.Direction
  readonly receive: KeySchedule.Direction
  readonly handshakeHash: Uint8Array
  readonly role: "initiator" | "responder"
  readonly peer: Authentic<Proof>
  readonly version: number
  readonly sinceMs: number
}

/** Seals a plaintext into a record frame (bytes ready for the link), rekeying first when it is due. */
export const seal = (
  crypto: CryptoShape,
  direction: KeySchedule.Direction,
  nowMs: number,
  plaintext: Uint8Array
): { readonly direction: KeySchedule.Direction; readonly bytes: Uint8Array } => {
  const current = KeySchedule.isDue(direction, nowMs) ? KeySchedule.advance(crypto, direction, nowMs) : direction
  // It begins with the type of the frame, and is its associated data.
  const header = Frame.recordHeader(current)
  const sealed = crypto.aes256GcmSeal(
    Redacted.value(current.key),
    KeySchedule.nonce(current.counter),
    header,
    plaintext
  )
  return {
    direction: { ...current, counter: current.counter + 1 },
    bytes: concat(u32(header.length + sealed.length), header, sealed)
  }
}

/**
 * Opens the body of a record frame. The epoch must be the current one or the next, the counter exactly the expected
 * one: links are ordered, so anything else is a replay, a loss or a forgery and ends the session.
 */
export const open = (
  crypto: CryptoShape,
  peer: Authentic<Proof>,
  direction: KeySchedule.Direction,
  nowMs: number,
  body: Uint8Array
): Result.Result<
  { readonly direction: KeySchedule.Direction; readonly plaintext: Authentic<Uint8Array> },
  Rejection.Rejection
> => {
  const record = Frame.splitRecord(body)
  if (Result.isFailure(record)) return Result.fail(record.failure)
  const { header, sealed } = record.success
  const next = header.epoch === direction.epoch + 1
  if (!next && header.epoch !== direction.epoch) return Result.fail(Rejection.make("epoch-out-of-range"))
  const current = next ? KeySchedule.advance(crypto, direction, nowMs) : direction
  if (header.counter !== current.counter) return Result.fail(Rejection.make("record-forged", "counter"))
  const associated = Frame.recordHeader(header)
  const plaintext = crypto.aes256GcmOpen(
    Redacted.value(current.key),
    KeySchedule.nonce(header.counter),
    associated,
    sealed
  )
  if (plaintext === undefined) return Result.fail(Rejection.make("record-forged"))
  return Result.succeed({
    direction: { ...current, counter: current.counter + 1 },
    plaintext: prove(peer.signer, plaintext)
  })
}
