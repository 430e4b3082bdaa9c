/**
 * What a node tells its operator and its embedder: a closed union of facts that are already committed.
 * It never holds a key's secret half, and a peer's text only where showing it is the point.
 * Presentation is elsewhere (`plugin/Present`); these are the facts, so that a screen, a log and a test read the same.
 */
import type { Entry } from "../../ports/ConversationLog.ts"
import type { Confinement } from "../../ports/Sandbox.ts"
import type { AuthorEvidence } from "../admission/Verdict.ts"
import type { Errand } from "../friend/Errand.ts"
import type { Short } from "../friend/Sas.ts"
import type * as Trust from "../friend/Trust.ts"
import type { RemoteIdentityKey } from "../identity/Keys.ts"
import type { Reason } from "../identity/Link.ts"
import type { PeerId } from "../identity/PeerId.ts"
import type { Code, Rejection } from "../Rejection.ts"

interface Peer {
  readonly peerId: PeerId
  readonly name: string
}

/** Which question waits, why, and when it is refused if nobody decides. */
interface HeldUntil {
  readonly id: string
  readonly reason: string
  readonly expiresAtMs: number
}

interface Wanted {
  readonly id: string
  readonly kind: Errand["kind"]
  readonly key: RemoteIdentityKey
}

/** Whom the peer has introduced: what it calls them, and their key as it says. */
interface Introduced {
  readonly introduced: string
  readonly identityKey: RemoteIdentityKey
}

export type Event =
  | (Peer & {
      readonly _tag: "RequestReceived"
      readonly channel: string
      readonly author: string | null
      readonly evidence: AuthorEvidence
      readonly identityKey: RemoteIdentityKey
      /** Other open requests under the same name and channel, with other keys. */
      readonly rivals: number
    })
  | { readonly _tag: "LinePosted"; readonly kind: "request" | "accept"; readonly to: string; readonly channel: string }
  | {
      readonly _tag: "LineNotPosted"
      readonly kind: "request" | "accept"
      readonly to: string
      readonly channel: string
      readonly rejection: Rejection
    }
  | {
      readonly _tag: "LineRefused"
      readonly channel: string
      readonly author: string | null
      readonly claimed: string
      readonly rejection: Rejection
    }
  | (Peer & {
      readonly _tag: "FriendshipMade"
      readonly channel: string
      readonly identityKey: RemoteIdentityKey
      readonly evidence: AuthorEvidence
      readonly by: "operator" | "rule" | "peer" | "invite"
      /** What whoever introduced us is called. */
      readonly introducedBy?: string
    })
  /** An invite of ours was redeemed, by whom and how often it still can be. */
  | (Peer & { readonly _tag: "InviteRedeemed"; readonly id: string; readonly usesLeft: number })
  | (Peer & { readonly _tag: "FriendshipEnded"; readonly by: "operator" | "peer" })
  /** What a friend allows us has changed. */
  | (Peer & { readonly _tag: "GrantChanged"; readonly capabilities: ReadonlyArray<string> })
  /** A disk is older than it was: ours (a new stream begins), or the friend's (it may show something twice). */
  | (Peer & { readonly _tag: "DiskOlder"; readonly whose: "ours" | "theirs" })
  /** One identity is alive on two machines: the friend's, as we see it; or ours, as the friend says. */
  | (Peer & { readonly _tag: "TwoMachines"; readonly whose: "ours" | "theirs" })
  | (Peer & { readonly _tag: "Alarm"; readonly rejection: Rejection })
  /** There is no doubt about a friend any more. `history`: the key that was claimed follows from the one we knew. */
  | (Peer & { readonly _tag: "AlarmEnded"; readonly by: "operator" | "recovery-key" | "history" })
  /** What our operator has made sure of about a friend's key, or has not any more, and why. */
  | (Peer & {
      readonly _tag: "TrustChanged"
      readonly from: Trust.State
      readonly to: Trust.State
      readonly why: Trust.Event
    })
  /** The friend's operator wants to compare with ours, and waits until then. */
  | (Peer & { readonly _tag: "SasOffered"; readonly expiresAtMs: number })
  /** What both operators are to read to each other. */
  | (Peer & Short & { readonly _tag: "SasShown"; readonly expiresAtMs: number })
  /** The friend's operator has said that the strings are the same; ours has not yet. */
  | (Peer & { readonly _tag: "SasAwaited"; readonly expiresAtMs: number })
  /** A comparison has come to its end; `code` is null if both operators have said that the strings are the same. */
  | (Peer & { readonly _tag: "SasEnded"; readonly code: Code | null })
  | {
      readonly _tag: "KeyRotated"
      readonly whose: "ours" | "theirs"
      /** Null and our own name for a rotation of ours. */
      readonly peerId: PeerId | null
      readonly name: string
      readonly from: RemoteIdentityKey
      readonly to: RemoteIdentityKey
      readonly reason: Reason
      readonly byRecoveryKey: boolean
    }
  | (Peer & { readonly _tag: "Connected"; readonly initiator: boolean; readonly version: number })
  | (Peer & { readonly _tag: "Disconnected"; readonly code: Code | null })
  | {
      readonly _tag: "LinkRefused"
      /** Friends whose topic or key led to this link. */
      readonly names: ReadonlyArray<string>
      readonly swarmKey: string
      readonly rejection: Rejection
    }
  | (Peer & { readonly _tag: "PeerRefused"; readonly kind: string; readonly rejection: Rejection })
  | (Peer & { readonly _tag: "Banned"; readonly untilMs: number; readonly rejection: Rejection })
  | (Peer & { readonly _tag: "Delivered"; readonly id: string; readonly kind: string; readonly bytes: number })
  | (Peer & { readonly _tag: "Refused"; readonly id: string; readonly kind: string; readonly rejection: Rejection })
  | (Peer & { readonly _tag: "Received"; readonly entry: Entry; readonly bytes: number })
  | (Peer & { readonly _tag: "JobStarted"; readonly id: string })
  /** A question of a friend waits for our owner. */
  | (Peer & HeldUntil & { readonly _tag: "InjectHeld" })
  /** A question of ours waits for the friend's owner. */
  | (Peer & HeldUntil & { readonly _tag: "CallHeld" })
  | (Peer & { readonly _tag: "JobEnded"; readonly id: string; readonly code: Code | null })
  | (Peer & {
      readonly _tag: "Answered"
      readonly id: string
      readonly text: string
      readonly bytes: number
      readonly confinement: Confinement | undefined
    })
  /** What we wanted of somebody who was no friend has its outcome: what was asked for, or why not. */
  | (Wanted & { readonly _tag: "ErrandAnswered" })
  | (Wanted & { readonly _tag: "ErrandRefused"; readonly rejection: Rejection })
  /**
   * So many more in the last minute, of a friend, or of lines in a channel (`name`), or of links to friends (`name`) or
   * nobody, were only counted.
   */
  | {
      readonly _tag: "NotShown"
      readonly what: "news" | "alarms" | "lines" | "links"
      readonly peerId: PeerId | null
      readonly name: string
      readonly count: number
    }
  /** What the operator asked for while the node did not run was carried out, or refused with a code. */
  | {
      readonly _tag: "IntentDone"
      readonly id: string
      readonly atMs: number
      readonly what: string
      readonly code: Code | null
      /** The id under which the outcome of what was begun is told; empty where it was refused. */
      readonly reply: string
    }
  /** Somebody is known in a topic that was not; whether it is who it says, nobody knows yet. */
  | (Peer & { readonly _tag: "Discovered"; readonly topic: string; readonly identityKey: RemoteIdentityKey })
  | (Peer & { readonly _tag: "MemberLeft"; readonly topic: string })
  /** One key signed two profiles of one version. */
  | (Peer & { readonly _tag: "ProfileConflict"; readonly topic: string })
  /** Somebody asks in a session to be friends; `where` it comes from, for an operator. */
  | (Peer & {
      readonly _tag: "ConnectAsked"
      readonly where: string
      readonly note: string
      readonly identityKey: RemoteIdentityKey
      readonly rivals: number
      /** Which friend has introduced them, if that is why they may ask. */
      readonly introducedBy: string | null
    })
  /**
   * A friend introduces somebody. `standing`: whose the key is here; a `stranger` and a `former` friend are a question to our
   * operator, the others are none. `rivals`: friends of that name who have another key.
   */
  | (Peer &
      Introduced & {
        readonly _tag: "IntroductionReceived"
        readonly note: string
        readonly standing: "stranger" | "former" | "friend" | "retired"
        readonly rivals: number
        readonly expiresAtMs: number
      })
  /** An introduction that our operator has not answered is over, and why. */
  | (Peer & Introduced & { readonly _tag: "IntroductionEnded"; readonly code: Code })
  | { readonly _tag: "StorageFailed"; readonly rejection: Rejection }
