/**
 * From a bare link to a session: preface, three Noise messages and two proofs, as one pure state machine.
 * It never waits, sends or draws entropy itself, and never tells an unproven far end who we are when we dialled.
 * The initiator checks message 2's proof before it writes message 3: an impostor learns an address and a swarm key.
 */
import { Result } from "effect"
import type { CryptoShape } from "../../ports/Crypto.ts"
import { same, utf8 } from "../bytes/Bytes.ts"
import type { Authentic } from "../identity/Authentic.ts"
import * as KeyHistory from "../identity/KeyHistory.ts"
import { keyBytes, type LocalKeys } from "../identity/Keys.ts"
import * as Rejection from "../Rejection.ts"
import * as Codec from "../wire/Codec.ts"
import type { Frame } from "../wire/Frame.ts"
import * as Handshake from "./Handshake.ts"
import * as KeySchedule from "./KeySchedule.ts"
import * as Preface from "./Preface.ts"
import * as Proof from "./Proof.ts"
import type { Session } from "./Seal.ts"

/** What an opening works with: our keys, the link's facts, and 32 bytes of fresh entropy. */
export interface Local {
  readonly crypto: CryptoShape
  readonly keys: LocalKeys
  readonly swarmKey: Uint8Array
  /** The transport's channel binding, empty if it has none. */
  readonly binding: Uint8Array
  /** The far end's transport key; the proof must name the same one. */
  readonly remoteSwarmKey: Uint8Array
  readonly entropy: Uint8Array
}

/** Whom a dial was meant for: who follows from one of these keys. An empty list means anybody (the accepting side). */
export type Expected = ReadonlyArray<KeyHistory.Anchor>

export type Opening =
  | { readonly stage: "awaitPreface"; readonly local: Local }
  | { readonly stage: "awaitFirst"; readonly local: Local; readonly preface: Uint8Array; readonly version: number }
  | {
      readonly stage: "awaitReply"
      readonly local: Local
      readonly handshake: Handshake.Handshake
      readonly expected: Expected
    }
  | {
      readonly stage: "awaitLast"
      readonly local: Local
      readonly handshake: Handshake.Handshake
      readonly version: number
    }

export interface Progress {
  readonly opening: Opening | undefined
  readonly send: ReadonlyArray<Frame>
  readonly session: Session | undefined
}

const staticOf = (local: Local): Handshake.KeyPair => ({
  scalar: local.keys.agreementScalar,
  publicKey: local.keys.agreementKey
})

const begin = (local: Local, role: Handshake.Role, preface: Uint8Array): Handshake.Handshake =>
  Handshake.start(
    local.crypto,
    role,
    Preface.prologue(preface, local.binding),
    staticOf(local),
    Handshake.keyPair(local.crypto, local.entropy)
  )

/** Opens as the side that dialled: preface and message 1 leave together, nothing in them names us. */
export const dial = (local: Local, expected: Expected): Result.Result<Progress, Rejection.Rejection> => {
  const preface = Preface.encode(Codec.versions)
  return Result.map(
    Handshake.write(local.crypto, begin(local, "initiator", preface), () => new Uint8Array(0)),
    ({ bytes, state }) => ({
      opening: { stage: "awaitReply", local, handshake: state, expected },
      send: [
        { type: "preface", body: preface },
        { type: "handshake", body: bytes }
      ],
      session: undefined
    })
  )
}

/** Opens as the side that was dialled: it waits. */
export const accept = (local: Local): Opening => ({ stage: "awaitPreface", local })

/** A clear refusal frame; the code in it is public. */
export const rejectFrame = (code: Rejection.Code): Frame => ({ type: "reject", body: utf8(code) })

/** Takes the next frame. A rejection is final for the link. */
export const receive = (
  opening: Opening,
  frame: Frame,
  nowMs: number
): Result.Result<Progress, Rejection.Rejection> => {
  if (frame.type === "reject") return Result.fail(Rejection.make("no-common-version", "said by the far end"))
  switch (opening.stage) {
    case "awaitPreface":
      return frame.type === "preface" ? onPreface(opening.local, frame.body) : outOfPlace
    case "awaitFirst":
      return frame.type === "handshake" ? onFirst(opening, frame.body) : outOfPlace
    case "awaitReply":
      return frame.type === "handshake" ? onReply(opening, frame.body, nowMs) : outOfPlace
    case "awaitLast":
      return frame.type === "handshake" ? onLast(opening, frame.body, nowMs) : outOfPlace
  }
}

const outOfPlace: Result.Result<never, Rejection.Rejection> = Result.fail(Rejection.make("frame-out-of-place"))

const onPreface = (local: Local, body: Uint8Array): Result.Result<Progress, Rejection.Rejection> =>
  Result.flatMap(Preface.decode(body), (offered) => {
    const version = Preface.highestCommon(Codec.versions, offered)
    return version === undefined
      ? Result.fail(Rejection.make("no-common-version", `offered ${offered.join(", ")}`))
      : Result.succeed({
          opening: { stage: "awaitFirst", local, preface: body, version },
          send: [],
          session: undefined
        })
  })

const onFirst = (
  opening: Extract<Opening, { stage: "awaitFirst" }>,
  body: Uint8Array
): Result.Result<Progress, Rejection.Rejection> => {
  const { local, version } = opening
  const choice = { versions: Codec.versions, version }
  return Result.gen(function* () {
    const read = yield* Handshake.read(local.crypto, begin(local, "responder", opening.preface), body)
    const written = yield* Handshake.write(local.crypto, read.state, (hash) =>
      Proof.write(local.crypto, local.keys, local.swarmKey, "responder", hash, choice)
    )
    return {
      opening: { stage: "awaitLast" as const, local, handshake: written.state, version },
      send: [{ type: "handshake" as const, body: written.bytes }],
      session: undefined
    }
  })
}

const onReply = (
  opening: Extract<Opening, { stage: "awaitReply" }>,
  body: Uint8Array,
  nowMs: number
): Result.Result<Progress, Rejection.Rejection> => {
  const { local } = opening
  return Result.gen(function* () {
    const read = yield* Handshake.read(local.crypto, opening.handshake, body)
    const { choice, proof } = yield* proofOf(local, "responder", read)
    const version = Preface.highestCommon(Codec.versions, choice?.versions ?? [])
    if (version === undefined || choice?.version !== version) {
      return yield* Result.fail(Rejection.make("version-downgraded"))
    }
    const { history } = proof.value
    if (opening.expected.length > 0 && !opening.expected.some((anchor) => KeyHistory.leads(history, anchor))) {
      return yield* Result.fail(Rejection.make("impostor", `presented key ${proof.value.identityKey}`))
    }
    const written = yield* Handshake.write(local.crypto, read.state, (hash) =>
      Proof.write(local.crypto, local.keys, local.swarmKey, "initiator", hash, undefined)
    )
    return {
      opening: undefined,
      send: [{ type: "handshake" as const, body: written.bytes }],
      session: sessionOf(local, written.state, proof, version, nowMs)
    }
  })
}

const onLast = (
  opening: Extract<Opening, { stage: "awaitLast" }>,
  body: Uint8Array,
  nowMs: number
): Result.Result<Progress, Rejection.Rejection> => {
  const { local } = opening
  return Result.gen(function* () {
    const read = yield* Handshake.read(local.crypto, opening.handshake, body)
    const { proof } = yield* proofOf(local, "initiator", read)
    return { opening: undefined, send: [], session: sessionOf(local, read.state, proof, opening.version, nowMs) }
  })
}

/** The far end's proof: valid, about the transport key of this very link, and not our own identity. */
const proofOf = (
  local: Local,
  role: Handshake.Role,
  read: { readonly state: Handshake.Handshake; readonly payload: Uint8Array; readonly hash: Uint8Array }
) =>
  Result.flatMap(
    Proof.read(local.crypto, role, read.hash, read.state.remoteStatic ?? new Uint8Array(0), read.payload),
    (proven) => {
      if (!same(keyBytes(proven.proof.value.swarmKey), local.remoteSwarmKey)) {
        return Result.fail(Rejection.make("proof-invalid", "transport key differs"))
      }
      return same(keyBytes(proven.proof.value.identityKey), local.keys.identityKey)
        ? Result.fail(Rejection.make("self-dial"))
        : Result.succeed(proven)
    }
  )

const sessionOf = (
  local: Local,
  handshake: Handshake.Handshake,
  peer: Authentic<Proof.Proof>,
  version: number,
  nowMs: number
): Session => {
  const secrets = Handshake.finish(local.crypto, handshake)
  if (secrets === undefined) throw new Error("a session was made of an unfinished handshake")
  return {
    send: KeySchedule.begin(secrets.sendKey, nowMs),
    receive: KeySchedule.begin(secrets.receiveKey, nowMs),
    handshakeHash: secrets.handshakeHash,
    role: handshake.role,
    peer,
    version,
    sinceMs: nowMs
  }
}
