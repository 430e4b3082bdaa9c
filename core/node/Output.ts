/**
 * Everything a node can want from the world after a turn is committed: one closed union.
 * An output never carries a key of ours; who performs it has them. The one secret is the link of a new invite, redacted.
 * Each is performed at most once per commit; what must survive a crash is in the state and asked for again at start.
 */
import type { Redacted } from "effect"
import type { Entry } from "../../ports/ConversationLog.ts"
import type { Address } from "../../ports/Transport.ts"
import type { Content } from "../discovery/Profile.ts"
import type { Joined } from "../discovery/Topic.ts"
import type { RemoteIdentityKey, RemoteSwarmKey } from "../identity/Keys.ts"
import type { PeerId } from "../identity/PeerId.ts"
import type { Code, Rejection } from "../Rejection.ts"
import type { Message } from "../wire/Message.ts"
import type { Event } from "./Event.ts"
import type { Unspent } from "./Input.ts"

/** What an operator's command came to at once. What happens later is told by events with the same id. */
export type Reply =
  | {
      readonly ok: true
      readonly id: string
      /** The link of an invite that was just made: the only time that it is shown. */
      readonly link?: Redacted.Redacted<string>
    }
  | { readonly ok: false; readonly rejection: Rejection }

/** A body to send as it is (from the outbox), or a message of the session to encode. */
export type Outgoing =
  | { readonly stored: Uint8Array; readonly kind: string; readonly stream: string; readonly number: number }
  | { readonly message: Message }

export type Output =
  /** Be found under the topic of a key of ours, or no more. */
  | { readonly _tag: "Announce" | "Withdraw"; readonly key: RemoteIdentityKey }
  /** Be found in a topic (its rendezvous hash), or no more; ask who is. */
  | { readonly _tag: "AnnounceTopic" | "WithdrawTopic" | "LookUp"; readonly topic: string }
  | { readonly _tag: "DialMember"; readonly swarmKey: RemoteSwarmKey }
  /** Sign what we say of ourselves in a topic; null: that we have left it. */
  | {
      readonly _tag: "SignProfile"
      readonly joined: Joined
      readonly content: Content | null
      readonly issuedMs: number
    }
  | {
      readonly _tag: "PostLine"
      readonly kind: "request" | "accept"
      /** Key of the record that the completion names. */
      readonly key: string
      readonly channel: string
      readonly to: string
      readonly tsMs: number
      /** For an acceptance: the signature of the request. */
      readonly requestSignature: string
    }
  | { readonly _tag: "Transmit"; readonly connection: string; readonly messages: ReadonlyArray<Outgoing> }
  | { readonly _tag: "HangUp"; readonly connection: string; readonly code: Code | null }
  | {
      readonly _tag: "Dial"
      readonly peerId: PeerId
      readonly identityKey: RemoteIdentityKey
      readonly swarmKey: RemoteSwarmKey | undefined
      /** Where it was met lately, newest first. */
      readonly addresses?: ReadonlyArray<Address>
    }
  | { readonly _tag: "Block" | "Unblock"; readonly swarmKey: RemoteSwarmKey }
  | { readonly _tag: "Show"; readonly entry: Entry }
  | {
      readonly _tag: "Run"
      readonly job: string
      readonly conversation: string
      /** The entry of the conversation that the question is. */
      readonly entryId: string
      readonly text: string
      readonly timeLimitMs: number
      /** What it may cost, and the day it was taken from; absent where nothing is counted. */
      readonly allowance?: Unspent
    }
  | { readonly _tag: "Stop"; readonly job: string }
  | { readonly _tag: "Reply"; readonly ref: string; readonly reply: Reply }
  | { readonly _tag: "Tell"; readonly event: Event }
