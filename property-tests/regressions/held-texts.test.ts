/**
 * A text that was refused for now holds later texts back; whatever becomes of it, it must not hold them for ever.
 * It drives the pure step with one friend, one session and a budget of one text an hour, so that no clock is waited for.
 * Each end of the first text that is not its admission (a final refusal, a Skip) once left the hold in place.
 */
import { Result } from "effect"
import { describe, expect, it } from "vitest"
import { layer as sodium } from "../../adapters/sodium/Crypto.ts"
import * as Grants from "../../core/admission/Grants.ts"
import * as RateLimit from "../../core/admission/RateLimit.ts"
import { utf8 } from "../../core/bytes/Bytes.ts"
import type * as Roster from "../../core/friend/Roster.ts"
import * as Authentic from "../../core/identity/Authentic.ts"
import * as KeyHistory from "../../core/identity/KeyHistory.ts"
import { Base64url, Codec, type Input, Keys, Limits, type Message, State, Statement, Step } from "../../core/index.ts"
import * as Table from "../../core/Table.ts"
import { engineOf } from "../conformance/Crypto.suite.ts"

const crypto = engineOf(sodium)
const hourMs = 3_600_000

const keysOf = (name: string): Keys.LocalKeys => {
  const fixed = { ...crypto, randomBytes: () => crypto.sha256(utf8(name)) }
  return Keys.generate(fixed, 0)
}
const publicOf = (keys: Keys.LocalKeys) => ({
  identityKey: Result.getOrThrow(Keys.remoteIdentityKey(crypto, Base64url.encode(keys.identityKey))),
  agreementKey: Result.getOrThrow(Keys.remoteAgreementKey(Base64url.encode(keys.agreementKey)))
})

const bob = publicOf(keysOf("bob"))
const signer = Statement.signerOf(crypto, bob.identityKey)
const swarmKey = Result.getOrThrow(Keys.remoteSwarmKey(Base64url.encode(crypto.sha256(utf8("swarm")))))
const friend: Roster.Friend = {
  ...bob,
  peerId: signer.peerId,
  name: "bob",
  standing: "Friend",
  topic: signer.topic,
  channel: "room",
  evidence: "same",
  sinceMs: 0,
  cameOf: [],
  alarmed: false
}

/** A node with bob as friend and one text an hour, and what it says to each of his messages. */
const makeNode = () => {
  const grants = Grants.allow(State.emptyDurable.grants, signer.peerId, Grants.own, "message", 0)
  const roster = {
    ...State.emptyDurable.roster,
    friends: Table.set(State.emptyDurable.roster.friends, friend.peerId, friend)
  }
  const rates = { ...RateLimit.rates, message: [{ capacity: 1, windowMs: hourMs }] }
  const self = { name: "alice", ...publicOf(keysOf("alice")), earlier: [] }
  let state = State.start(self, { ...State.emptyDurable, grants, roster }, rates)
  const step = (input: Input.Input, nowMs: number) => {
    const [next, outputs] = Step.step(state, input, {
      nowMs,
      entropy: new Uint8Array(32),
      sha256: crypto.sha256,
      pure: crypto
    })
    state = next
    return outputs
  }
  const history = KeyHistory.unrotated(bob.identityKey)
  const proof = Authentic.prove(signer, { ...bob, swarmKey, history, recovery: undefined })
  const handshakeHash = "A".repeat(43)
  step({ _tag: "Opened", connection: "link", initiator: false, version: 3, handshakeHash, peer: proof }, 0)
  const command = (_tag: "Grant" | "Revoke") =>
    step({ _tag: "Operator", ref: "1", command: { _tag, name: "bob", keyPrefix: "", capability: "message" } }, 0)
  const hear = (message: Message.Message, nowMs: number): ReadonlyArray<string> => {
    const body = Codec.encode(message)
    const hash = Base64url.encode(crypto.sha256(body).subarray(0, 16))
    const authentic = Authentic.prove(signer, message)
    const outputs = step({ _tag: "Received", connection: "link", message: authentic, bytes: body.length, hash }, nowMs)
    return outputs.flatMap((output) => (output._tag === "Transmit" ? output.messages.map(saidOf) : []))
  }
  return { command, hear }
}

const saidOf = (outgoing: { readonly message: Message.Message } | { readonly kind: string }): string =>
  !("message" in outgoing)
    ? outgoing.kind
    : outgoing.message.kind === "Reject"
      ? outgoing.message.code
      : outgoing.message.kind

const stream = "ab".repeat(16)
const textOf = (number: number, of = stream): Message.Message => ({
  kind: "Log",
  stream: of,
  number,
  text: `text ${number}`
})

describe("texts behind one that was refused for now", () => {
  it("wait for it, and follow once it is admitted", () => {
    const { hear } = makeNode()
    expect(hear(textOf(1), 0)).toEqual(["Receipt"])
    expect(hear(textOf(2), 0)).toEqual(["rate-limited"])
    expect(hear(textOf(3), hourMs)).toEqual(["rate-limited"])
    expect(hear(textOf(2), hourMs)).toEqual(["Receipt"])
    expect(hear(textOf(3), 2 * hourMs)).toEqual(["Receipt"])
  })

  it("follow once it is refused for good", () => {
    const { command, hear } = makeNode()
    hear(textOf(1), 0)
    expect(hear(textOf(2), 0)).toEqual(["rate-limited"])
    command("Revoke")
    expect(hear(textOf(2), hourMs)).toEqual(["no-capability"])
    command("Grant")
    expect(hear(textOf(3), hourMs)).toEqual(["Receipt"])
  })

  it("follow once its sender has given it up", () => {
    const { hear } = makeNode()
    hear(textOf(1), 0)
    expect(hear(textOf(2), 0)).toEqual(["rate-limited"])
    expect(hear({ kind: "Skip", stream, from: 2, to: 2 }, hourMs)).toEqual(["withdrawn"])
    expect(hear(textOf(3), hourMs)).toEqual(["Receipt"])
  })

  it("wait for it in the next stream too, though it is due again: what left before the refusal may come late", () => {
    const { hear } = makeNode()
    const next = "cd".repeat(16)
    hear(textOf(1), 0)
    expect(hear(textOf(2), 0)).toEqual(["rate-limited"])
    expect(hear(textOf(1, next), hourMs + 1)).toEqual(["rate-limited"])
    expect(hear(textOf(2), hourMs + 2)).toEqual(["Receipt"])
    expect(hear(textOf(1, next), 2 * hourMs + 3)).toEqual(["Receipt"])
  })

  it("do not wait for one whose stream was given up", () => {
    const { hear } = makeNode()
    hear(textOf(1), 0)
    expect(hear(textOf(2), 0)).toEqual(["rate-limited"])
    expect(hear(textOf(1, "cd".repeat(16)), hourMs + Limits.heldLongerMs)).toEqual(["Receipt"])
  })
})
