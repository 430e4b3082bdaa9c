/**
 * The first, clear frame of a link: magic and the versions the initiator offers.
 * It never authenticates anything; the bytes as sent become part of the prologue, so tampering breaks the handshake.
 * Versions travel in the clear because a node must be able to say "no common version" to one it cannot talk to.
 */
import { Result } from "effect"
import { concat, same, utf8 } from "../bytes/Bytes.ts"
import * as Transcript from "../bytes/Transcript.ts"
import * as Rejection from "../Rejection.ts"

const magic = utf8("wop/p2p")

/** `magic ‖ u8 count ‖ count × u8 version`, best version first. */
export const encode = (versions: ReadonlyArray<number>): Uint8Array =>
  concat(magic, new Uint8Array([versions.length]), new Uint8Array(versions))

/** The versions offered, or why the bytes are no preface. */
export const decode = (body: Uint8Array): Result.Result<ReadonlyArray<number>, Rejection.Rejection> => {
  const count = body[magic.length] ?? 0
  const wellFormed =
    body.length === magic.length + 1 + count && count >= 1 && count <= 16 && same(body.subarray(0, magic.length), magic)
  return wellFormed
    ? Result.succeed([...body.subarray(magic.length + 1)])
    : Result.fail(Rejection.make("frame-malformed", "preface"))
}

/** The highest version both lists hold, or undefined. */
export const highestCommon = (ours: ReadonlyArray<number>, theirs: ReadonlyArray<number>): number | undefined => {
  const common = ours.filter((version) => theirs.includes(version))
  return common.length === 0 ? undefined : Math.max(...common)
}

/** The prologue both handshakes must share: the preface as sent and the transport's channel binding. */
export const prologue = (preface: Uint8Array, binding: Uint8Array): Uint8Array =>
  Transcript.encode("wop/3 prologue", [preface, binding])
