/**
 * Every way a node says no: one closed table, from the first byte of a link to the last word of an operator.
 * It never decides anything; `admission/Verdict` and the readers do, and name a row of it.
 * One table for peers and people keeps the two from drifting apart: the code a friend sees is the code in the log.
 */

interface Row {
  /** One sentence for the operator, with the next step where there is one. */
  readonly sentence: string
  /** Whether the peer may be told this code. What strangers could use as an oracle stays with us. */
  readonly tellPeer: boolean
  /** Whether the same message may succeed later; a transient refusal does not consume its number. */
  readonly transient: boolean
  /** Whether honest software never causes it; repeated violations end in a ban. */
  readonly violation: boolean
}

const toPeer = (sentence: string): Row => ({ sentence, tellPeer: true, transient: false, violation: false })
const later = (sentence: string): Row => ({ sentence, tellPeer: true, transient: true, violation: false })
const local = (sentence: string): Row => ({ sentence, tellPeer: false, transient: false, violation: false })
const breach = (sentence: string): Row => ({ sentence, tellPeer: true, transient: false, violation: true })

/** code → what it means. */
export const table = {
  // bytes on a link
  "frame-too-large": breach("A frame longer than the limit was announced; it was refused before it was read."),
  "frame-malformed": breach("Bytes arrived that are not a frame of this protocol."),
  "frame-out-of-place": breach("A frame arrived that has no place at this point of the conversation."),
  "no-common-version": toPeer("The peer speaks no version of the protocol that we speak; one of the two must upgrade."),
  "version-downgraded": local("Somebody on the path removed a protocol version from the offer; the link was dropped."),
  "handshake-failed": breach("The handshake did not authenticate; the link was dropped before anything was revealed."),
  "proof-invalid": breach("The far end could not prove the identity key it presented."),
  "history-invalid": breach(
    "The key history that was presented does not hold: a step is forged, missing or out of order."
  ),
  impostor: local(
    "Somebody announces a friend's topic without holding the friend's key; nothing was revealed to them."
  ),
  "self-dial": local("The far end is this node itself."),
  "record-forged": breach("A sealed record did not open: it was altered, replayed or reordered."),
  "epoch-out-of-range": breach("A sealed record came under a key that is neither the current one nor the next."),
  "signature-invalid": breach("A message's own signature does not hold."),
  "body-malformed": breach("A message body is not one JSON object of a known shape."),
  "body-too-large": toPeer("The text is longer than one message can carry (1 MiB); shorten or split it."),
  "opening-timeout": local("The far end did not complete the opening in time."),
  "too-many-openings": local("Too many links are opening at once; this one was dropped."),
  "slow-reader": local("The peer stopped reading while messages waited for it; the link was dropped."),
  "legacy-peer": toPeer("The far end runs the former plugin, whose protocol cannot be verified; ask them to upgrade."),
  "session-expired": local("The session reached its age limit and is opened anew."),
  // friend lines
  "line-malformed": local("A friend line has a field missing, out of order or misspelt; ask for a fresh one."),
  "name-invalid": local(
    "A name must be 1 to 64 visible characters without white space or '|'; choose another and try again."
  ),
  "key-invalid": local("A key in the line is not a valid public key; the line was refused."),
  "line-forged": local("A friend line's signature does not hold: it was altered on the way or forged."),
  "clock-difference": local(
    "The signed time differs from our clock by more than 5 minutes; set both clocks and retry."
  ),
  "line-seen": local("This line was seen before."),
  "line-rate": local("Too many friend lines arrived within a minute; later ones are read again when they are re-sent."),
  "author-mismatch": local("The account that posted the line is not the name the line claims."),
  "line-outdated": local(
    "It was to be signed by a key that you have left since, and may have been posted; if nothing comes of it, one of you " +
      "asks again."
  ),
  "legacy-line": local("The line comes from the former plugin, which cannot be verified; ask them to upgrade."),
  "not-addressed": local("The line is addressed to somebody else."),
  "accept-unexpected": local("An acceptance arrived that answers none of our open requests."),
  "second-accept": local(
    "A second, different acceptance arrived for one request: somebody is impersonating. Compare fingerprints."
  ),
  "requests-full": local("Too many friend requests wait for an answer; accept or deny some."),
  "line-too-long": local("The line is longer than this channel carries; use shorter names."),
  "no-channel": local("No chat channel is connected to post to; start the node with one."),
  // sessions
  "key-retired": toPeer(
    "The other side has accepted a newer key of this identity and never goes back; restore the newest identity."
  ),
  "key-fork": later(
    "Two different successors of one key exist: one is a thief's. Messages wait and inject stops until /confirm @name " +
      "(keeps the key we hold) or /unfriend @name; compare fingerprints first."
  ),
  "key-disputed": local(
    "The friend has seen another successor of a key of ours: somebody else holds that key. Have the friend compare " +
      "fingerprints and /confirm, or settle it with /rotate compromise RECOVERY-KEY."
  ),
  "key-change": local(
    "Somebody uses this friend's name with another key. Messages wait and inject stops until /confirm @name (keeps the " +
      "key we hold) or /unfriend @name; compare fingerprints first."
  ),
  "sas-mismatch": local(
    "What was compared differs: somebody may sit between you. Messages wait and inject stops until /confirm @name (keeps " +
      "the key we hold, after a comparison that holds) or /unfriend @name."
  ),
  "sas-broken": breach(
    "A comparison was answered with something else than had been committed to; the link was dropped."
  ),
  "sas-unanswered": local(
    "The comparison was not finished in time: nobody was there, or their program is too old for it; compare what /verify " +
      "@name shows instead."
  ),
  "sas-ended": local("The comparison was broken off before it came to anything; /verify @name sas begins a new one."),
  "self-contradiction": local(
    "The friend says again and again that it knows other messages under our numbers; its program contradicts itself. " +
      "Messages to it wait, and are tried again every hour."
  ),
  "rotation-refused": toPeer("The key history leads through keys that belong to somebody else."),
  "not-a-friend": toPeer("The two nodes are not friends (any more)."),
  "friendship-pending": later("The friendship is not complete on the other side yet; it is tried again by itself."),
  banned: local("The peer is banned after repeated protocol violations; the ban ends by itself."),
  // profiles of a topic
  "profile-too-large": breach("A profile was longer than any honest one; it was refused before it was read."),
  "profile-malformed": breach("A profile is not one JSON object of a known shape."),
  "profile-misplaced": breach("A profile of another topic was passed off as one of this."),
  "profile-forged": breach("The signature of a profile does not hold: it was altered on the way or forged."),
  "profile-sealed": local(
    "A profile in a secret topic is not under the key of that topic; whoever sent it does not hold it."
  ),
  "profile-stale": local(
    "A profile is over, lasts longer than one may, or was signed by a clock that is ahead of ours."
  ),
  "profile-rolled-back": local("A profile is older than one that we have seen of the same key."),
  "profile-conflict": local(
    "One key signed two different profiles of one version: its holder's program is broken, or it speaks with two tongues. " +
      "The first is kept."
  ),
  "guest-out-of-place": breach("A peer that is no friend said what only friends may say; its link was dropped."),
  "guest-flooding": breach("A peer that is no friend said more than it may; its link was dropped."),
  // messages
  "no-capability": toPeer("The friend has not granted this capability; they can with /grant."),
  "not-verified": toPeer(
    "The friend's owner allows this to verified friends only, and has not made sure of your key; compare with /verify."
  ),
  "rate-limited": later("The friend's limit for messages is reached; the rest follows by itself."),
  "too-far-ahead": later("A message number is too far ahead of what arrived; it is tried again."),
  flooding: breach("More messages arrived in a second than any honest peer sends; the link was dropped."),
  "sequence-conflict": breach("Two different messages came under one number."),
  "unsupported-kind": toPeer("The other side does not know this kind of message; it may need an upgrade."),
  "unknown-conversation": toPeer("The conversation is not one the friend has granted."),
  "storage-failed": later("The other side could not store the message (its disk may be full); it is tried again."),
  "too-many-jobs": toPeer("The friend already runs as many requests of ours as allowed; try again when one has ended."),
  // inject outcomes
  "sandbox-unavailable": toPeer("The friend has no sandbox running, so nothing may run; they can start Docker."),
  "no-model": toPeer("The friend has configured no language model, so nobody answers; they can name one with --model."),
  "model-failed": toPeer("The friend's language model gave no answer; ask again later."),
  "budget-spent": toPeer(
    "What the friend allows your questions to cost is spent; a day's allowance begins at midnight UTC."
  ),
  "approval-required": toPeer("The friend's owner has to allow this first, and you would not wait for that."),
  "approval-refused": toPeer("The friend's owner was asked, and refused this request."),
  "hold-expired": toPeer(
    "The friend's owner did not decide about this request in time; ask again when they are there."
  ),
  "sandbox-no-image": toPeer("The friend's sandbox has no image to run in; they make one with wopr-p2p sandbox image."),
  "sandbox-image-changed": toPeer(
    "The image of the friend's sandbox is not the one they approved; they approve today's with wopr-p2p sandbox image."
  ),
  "sandbox-not-confined": toPeer("The friend's container engine does not confine as it must, so nothing may run."),
  "sandbox-refused": toPeer("The friend's container engine refused to make a container."),
  "sandbox-start": toPeer("The friend's container engine did not start the container."),
  "sandbox-disk": toPeer("The disk of the friend's container engine is full."),
  "sandbox-engine": toPeer("The friend's container engine failed while the request ran."),
  "sandbox-killed": toPeer("The container was killed from outside while the request ran."),
  "sandbox-idle": toPeer("The program in the sandbox said nothing for too long and was stopped."),
  "sandbox-processes": toPeer("The program in the sandbox used up all the processes it may have."),
  "sandbox-failed": toPeer("The program in the sandbox broke the rules of its bridge to the node and was stopped."),
  "sandbox-timeout": toPeer("The request ran longer than its time limit and was stopped."),
  "sandbox-output": toPeer("The answer was longer than the limit and was dropped."),
  "sandbox-memory": toPeer("The request needed more memory than the sandbox allows."),
  "sandbox-exit": toPeer("The program in the sandbox ended with an error."),
  interrupted: toPeer("The friend's node stopped while the request ran; it is not run a second time."),
  revoked: toPeer("The friend withdrew the permission while the request ran."),
  "answer-damaged": toPeer("The answer that arrived does not match its length and hash."),
  "timed-out": local("No answer came in time."),
  expired: local("The peer did not appear in time; the message was given up."),
  cancelled: toPeer("Its sender cancelled it."),
  withdrawn: toPeer("Its sender had given the message up before it arrived."),
  unresolved: local("The message was sent, but whether it arrived cannot be told any more."),
  "answer-gone": toPeer("The answer to this request was delivered before and is not kept any longer."),
  // invites
  "invite-refused": toPeer(
    "The invite was refused: it may be used, expired or revoked, or meant for somebody else; ask for a new one."
  ),
  "invite-unproven": local("Whoever answered holds the right key but not the invite's secret; nothing came of it."),
  "invite-malformed": local("That is no invite link, or a character of it is wrong or missing; copy it again."),
  "invite-legacy": local(
    "That is an invite of the former plugin (wop1://), which could be used again after it was revoked and is not redeemed any more; ask whoever made it to upgrade and for a new one, which begins with wop3://."
  ),
  "invite-newer": local("The invite is of a newer version of the protocol; upgrade to use it."),
  "invite-over": local("The invite has expired; ask for a new one."),
  "invite-for-another": local("The invite names somebody else's key; ask for one for yours, see /status."),
  "invite-claiming": local("This invite is being claimed already; its issuer is looked for."),
  "own-invite": local("That is your own invite; give the link to somebody else."),
  "invite-invalid": local("An invite has 1 to 100 uses and lasts at most 30 days."),
  "invites-full": local("Too many invites are open; /uninvite one first."),
  "unknown-invite": local("There is no invite of that id, or several ids begin so; see /invites."),
  // introductions
  "introduction-refused": toPeer(
    "The friend's node does not take the introduction: it knows itself or the other by another key, or your key is in doubt " +
      "there; compare fingerprints with both."
  ),
  "introductions-full": toPeer(
    "As many introductions as may wait for the friend's owner; make it again when some are answered."
  ),
  "introduction-over": toPeer("The introduction's time is over; whoever made it can make it again with /introduce."),
  "introduction-void": local(
    "The introduction does not count any more: whoever made it is no friend now, or a key may be in other hands; ask to be " +
      "introduced again."
  ),
  "introduction-invalid": local("An introduction needs two different friends; see /friends."),
  // errands: what we want of somebody who is no friend yet
  "errand-expired": local(
    "Nobody answered in time: the other side was never online, or its program does not know what was asked."
  ),
  "errands-full": local("Too many invites and requests of ours wait for their answer; /cancel some."),
  // the operator's own commands
  "name-taken": local("Another friend goes by that name; choose one that nobody has, see /friends."),
  "unknown-peer": local("Nobody of that name is a friend or has asked; see /friends and /requests."),
  "ambiguous-name": local("Several peers share that name; name one of them as @name#key."),
  "chain-busy": local(
    "A question of this friend is being answered here, or waits for its owner; a tool may not ask the friend meanwhile."
  ),
  "chain-budget": local(
    "Tools have asked friends as often as they may within an hour; try again later, or ask yourself."
  ),
  "already-friends": local("You are friends already."),
  "outbox-full": local("Too many messages wait for this friend; wait until some are delivered."),
  "unknown-question": local("No question of that id waits for your word, or several ids begin so; see /held."),
  "unknown-message": local("No message of that id waits to be delivered or answered; see /queue."),
  "key-doubtful": local("The friend's key is in doubt, see /friends; /confirm @name or /unfriend @name settles it."),
  "nothing-to-confirm": local("Nothing about this friend's key is in doubt."),
  "nothing-to-take-back": local("This friend is not verified; there is nothing to take back."),
  "not-connected": local(
    "There is no open session with this friend now; a /message opens one when the friend is there."
  ),
  "sas-unknown": local("No comparison with this friend waits for your word; /verify @name sas begins one."),
  "sas-rate": local(
    "Too many comparisons with this friend within an hour; wait, or compare what /verify @name shows over another channel."
  ),
  "recovery-unknown": local("That is not the recovery key of this identity."),
  "recovery-exists": local("There is a recovery key already; /rotate compromise RECOVERY-KEY replaces it."),
  "text-empty": local("There is no text to send."),
  "rule-invalid": local("An auto-accept rule names a key, a channel or an author, or is *."),
  "rules-full": local("There are too many auto-accept rules; remove one first."),
  "topic-invalid": local(
    "A topic is 1 to 64 visible characters without white space, '|' or '#'; a secret one is NAME#KEY as it was made."
  ),
  "topics-full": local("You are in as many topics as one node can be in; leave one first."),
  "unknown-topic": local("You are in no topic of that name; see /topic list."),
  "unknown-member": local("Nobody of that name is known in a topic of yours; see /discovered."),
  "note-too-long": local("The note is too long; at most 280 characters go with a request or an introduction."),
  "profile-invalid": local(
    "A profile has a name, one line of at most 500 plain characters, and at most 16 different tags of a-z, 0-9, '.', '+', '-'."
  ),
  "unknown-rule": local("There is no auto-accept rule of that number; see /auto-accept list."),
  "own-name": local("That is your own name."),
  "friends-full": local("There are as many friends as one node can have; /unfriend somebody first."),
  "intent-expired": local(
    "It was asked for more than a week ago, while the node did not run; ask again if you still want it."
  ),
  "intents-full": local(
    "Too much was asked for while the node did not run; the rest is carried out at the next start."
  ),
  "node-ended": local("The node has ended; start it again."),
  "internal-error": later("Something in this program is broken; the log says what. Please report it."),
  "disk-full": local("The command was not carried out because it could not be stored; free some disk space.")
} satisfies Record<string, Row>

export type Code = keyof typeof table

/** A refusal: the row of the table and, where it helps the operator, facts about this case (never a secret or a text). */
export interface Rejection {
  readonly _tag: "Rejection"
  readonly code: Code
  readonly detail: string
  /** For transient refusals: when to try again; 0 where it does not matter. */
  readonly retryAfterMs: number
}

/** A refusal with a code of the table. */
export const make = (code: Code, detail = "", retryAfterMs = 0): Rejection => ({
  _tag: "Rejection",
  code,
  detail,
  retryAfterMs
})

/** Whether a code that arrived from elsewhere is one of ours. */
export const isCode = (code: string): code is Code => Object.hasOwn(table, code)

/** Whether the same message may succeed later. */
export const isTransient = (code: Code): boolean => table[code].transient

/** Whether honest software never causes it. */
export const isViolation = (code: Code): boolean => table[code].violation

/** Whether the peer may be told. */
export const isTold = (code: Code): boolean => table[code].tellPeer

/** The sentence for the operator, with the facts of this case in front of the next step. */
export const sentence = (rejection: Rejection): string =>
  rejection.detail === "" ? table[rejection.code].sentence : `${table[rejection.code].sentence} (${rejection.detail})`
