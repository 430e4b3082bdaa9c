/**
 * Everything that can happen to a node: one closed union; a new case breaks every switch that must know of it.
 * What comes from a peer is `Authentic` here or does not come at all; the rest is our operator, our ports, our clock.
 * Completions are inputs too: no port ever calls back into the state.
 */
import type { Redacted } from "effect"
import type { CryptoShape } from "../../ports/Crypto.ts"
import type { Answer } from "../../ports/Sandbox.ts"
import type { Address } from "../../ports/Transport.ts"
import type { Capability } from "../admission/Capability.ts"
import type { Allowance } from "../agent/Allowance.ts"
import type { When } from "../agent/HoldRule.ts"
import type { Readiness } from "../agent/Responder.ts"
import type { Content, Profile } from "../discovery/Profile.ts"
import type { Topic } from "../discovery/Topic.ts"
import type { Rule } from "../friend/AutoAccept.ts"
import type { Authentic } from "../identity/Authentic.ts"
import type { PeerId } from "../identity/PeerId.ts"
import type { Code, Rejection } from "../Rejection.ts"
import type { Proof } from "../session/Proof.ts"
import type { FriendLine } from "../wire/FriendLine.ts"
import type { Ignored, Message, Unknown } from "../wire/Message.ts"
import type { Intent } from "./Intents.ts"

/** A friend as it is typed. */
interface Named {
  readonly name: string
  readonly keyPrefix: string
}

/** What an operator can ask for. Names are as typed; `keyPrefix` tells namesakes apart. */
export type Command =
  | { readonly _tag: "Friend"; readonly channel: string; readonly to: string }
  | { readonly _tag: "Accept"; readonly name: string; readonly keyPrefix: string }
  | { readonly _tag: "Deny"; readonly name: string; readonly keyPrefix: string }
  | { readonly _tag: "Unfriend"; readonly name: string; readonly keyPrefix: string }
  /** The friend's key that we hold is the right one: an alarm about it is settled. */
  | { readonly _tag: "Confirm"; readonly name: string; readonly keyPrefix: string }
  | {
      readonly _tag: "Grant" | "Revoke"
      readonly name: string
      readonly keyPrefix: string
      readonly capability: Capability
    }
  | { readonly _tag: "Message"; readonly name: string; readonly keyPrefix: string; readonly text: string }
  | {
      readonly _tag: "Inject"
      readonly name: string
      readonly keyPrefix: string
      readonly text: string
      readonly waitMs: number
      /** False: refused at once if the friend's owner would have to allow it first. Absent: it waits. */
      readonly mayHold?: false
      /** Made by a tool of an agent, not by the operator: circles of agents end here (`delivery/InjectChain`). */
      readonly byTool?: true
    }
  /** What we call a friend from now on. */
  | { readonly _tag: "Name"; readonly name: string; readonly keyPrefix: string; readonly called: string }
  /** Which questions of a friend wait for our word. */
  | { readonly _tag: "Hold"; readonly name: string; readonly keyPrefix: string; readonly when: When | "never" }
  /** What the operator says of the fingerprints it has compared. */
  | { readonly _tag: "Verify"; readonly name: string; readonly keyPrefix: string; readonly same: boolean }
  /** A verification is taken back. */
  | { readonly _tag: "Unverify"; readonly name: string; readonly keyPrefix: string }
  /** An interactive comparison: begun, or taken up if the friend has begun it; and what the operator says of its string. */
  | { readonly _tag: "Compare"; readonly name: string; readonly keyPrefix: string }
  | { readonly _tag: "Compared"; readonly name: string; readonly keyPrefix: string; readonly same: boolean }
  /** Whether a friend's texts are announced; the friend does not learn of it. */
  | { readonly _tag: "Mute"; readonly name: string; readonly keyPrefix: string; readonly muted: boolean }
  /** What every friend has to be for a capability. */
  | { readonly _tag: "Require"; readonly capability: Capability; readonly trust: "verified" | "nothing" }
  /** A held question, by its id or the beginning of it. */
  | { readonly _tag: "Approve" | "Refuse"; readonly id: string }
  /** A message or inject of ours, by its id or the beginning of it. */
  | { readonly _tag: "Cancel"; readonly id: string }
  /** Without `named` for whoever holds the link, which the reply shows once. `lastsMs` and `uses` have defaults. */
  | {
      readonly _tag: "CreateInvite"
      readonly inject?: boolean
      readonly named?: string
      readonly uses?: number
      readonly lastsMs?: number
    }
  | { readonly _tag: "ClaimInvite"; readonly link: Redacted.Redacted<string> }
  /** An invite of ours, by its id or the beginning of it. */
  | { readonly _tag: "RevokeInvite"; readonly id: string }
  /** A secret topic comes with its key. */
  | { readonly _tag: "JoinTopic" | "LeaveTopic"; readonly topic: Topic }
  /** What we say of ourselves in every topic. */
  | { readonly _tag: "SetProfile"; readonly content: Content }
  /** Asks a member of a topic to be friends; a topic narrows it down, "" means any. */
  | {
      readonly _tag: "Connect"
      readonly name: string
      readonly keyPrefix: string
      readonly topic: string
      readonly note: string
    }
  /** Two friends are told of each other; what comes of it is theirs to say. */
  | { readonly _tag: "Introduce"; readonly one: Named; readonly other: Named; readonly note: string }
  | { readonly _tag: "AddRule"; readonly rule: Omit<Rule, "id"> }
  | { readonly _tag: "RemoveRule"; readonly id: string }

export type Input =
  | { readonly _tag: "Started" }
  | { readonly _tag: "Tick" }
  /** `intent`: it was asked for while the node did not run, and is carried out once. */
  | { readonly _tag: "Operator"; readonly ref: string; readonly command: Command; readonly intent?: Intent }
  | {
      readonly _tag: "Line"
      readonly channel: string
      readonly author: string | null
      readonly line: Authentic<FriendLine>
    }
  | {
      readonly _tag: "LineRefused"
      readonly channel: string
      readonly author: string | null
      readonly claimed: string
      readonly rejection: Rejection
    }
  | {
      readonly _tag: "LineSigned"
      readonly kind: "request" | "accept"
      readonly key: string
      readonly signature: string
    }
  | {
      readonly _tag: "LinePosted"
      readonly kind: "request" | "accept"
      readonly key: string
      readonly rejection: Rejection | null
    }
  | {
      readonly _tag: "Opened"
      readonly connection: string
      readonly initiator: boolean
      readonly version: number
      /** Of this very session, base64url: the same at both ends, and nowhere else. */
      readonly handshakeHash: string
      readonly peer: Authentic<Proof>
      /** Where the far end is, as the transport saw it. */
      readonly address?: Address
    }
  | {
      readonly _tag: "Received"
      readonly connection: string
      readonly message: Authentic<Message | Unknown | Ignored>
      /** Bytes of the body, and the first 16 bytes of its SHA-256, base64url. */
      readonly bytes: number
      readonly hash: string
    }
  | {
      readonly _tag: "LinkRefused"
      readonly rejection: Rejection
      readonly swarmKey: string
      readonly topics: ReadonlyArray<string>
    }
  | { readonly _tag: "Closed"; readonly connection: string; readonly rejection: Rejection | null }
  | { readonly _tag: "DialEnded"; readonly peerId: PeerId }
  /** Who announces a topic, transport keys base64url; none also where the network did not answer. */
  | { readonly _tag: "TopicFound"; readonly topic: string; readonly keys: ReadonlyArray<string> }
  /** A dial of a member is over, whatever came of it. */
  | { readonly _tag: "MemberDialed"; readonly swarmKey: string }
  | { readonly _tag: "ProfileSigned"; readonly profile: Profile }
  /** What the conversation log has, or could not take. */
  | { readonly _tag: "Shown"; readonly shown: ReadonlyArray<{ readonly id: string; readonly failed: boolean }> }
  /** A run has ended, or was cut off; `unspent` is what is left of what was taken for it. */
  | { readonly _tag: "Ran"; readonly job: string; readonly result: JobResult; readonly unspent?: Unspent }
  | ({ readonly _tag: "SandboxStatus" } & Readiness)

/** What a turn did not spend, of the allowance of which day. */
export interface Unspent {
  readonly day: number
  readonly allowance: Allowance
}

/** How a sandbox run ended. */
export type JobResult =
  | { readonly ok: true; readonly answer: Answer }
  | { readonly ok: false; readonly code: Code; readonly detail: string }

/** What a turn is given besides its input: the time, 32 fresh random bytes, and hashes, which are pure. */
export interface Turn {
  readonly nowMs: number
  readonly entropy: Uint8Array
  readonly sha256: (bytes: Uint8Array) => Uint8Array
  /** More of the Crypto port that is pure: keyed hashes, comparing them, and whether a key is one. */
  readonly pure: Pick<
    CryptoShape,
    "hmacSha256" | "hkdfSha256" | "equal" | "ed25519ValidKey" | "ed25519Verify" | "aes256GcmOpen" | "sha256"
  >
}
