/**
 * Every bound of the protocol and of one node's memory, each with its unit and its reason.
 * No other file invents a number that limits a peer; it never holds anything that is not a bound.
 * The relations at the end are what makes the bounds true together; a law evaluates them.
 */

/** Largest message body in bytes (protocol §5): one text of a megabyte, JSON included. */
export const bodyBytesMax = 1_048_576
/** Largest frame in bytes once both sides are authenticated: a body, its signature, header and tag. */
export const frameBytesMax = bodyBytesMax + 4_096
/** Steps of a key history that are kept, sent and read (protocol §4): five years of monthly rotations. */
export const historyLinksMax = 64
/** Largest step as JSON, all three signatures included; a law makes one. */
export const linkBytesMax = 704
/** Largest frame before authentication: a Noise message with a proof and the longest history fits in it. */
export const openingFrameBytesMax = 49_152
/** Keys of ours that are announced at one time, the current one included (protocol §4). */
export const keysAnnouncedMax = 8
/** How long a key that was left is announced, and friends that have not seen its successor are looked for. */
export const keyAnnounceMs = 365 * 86_400_000
/** Longest pause between two dials that only bring a friend our new key: it can find us too. */
export const newsDialPauseMaxMs = 3_600_000
/** How often it is looked for friends that have not seen our key, when nothing is due sooner. */
export const newsCheckMs = 60_000
/** Dials under way at one time that only bring a new key. */
export const newsDialsMax = 64
/** When a peer whose key is in dispute may try again: an operator has to decide in between. */
export const forkRetryMs = 600_000
/** How long an opening may take in all before the link is dropped: three flights on a slow mobile link. */
export const openingTimeMs = 10_000
/** Openings in progress at one time, strangers and friends together; each costs at most one opening frame of memory. */
export const openingsMax = 64
/** Of these, how many are kept free for transport keys of known friends. */
export const openingsReserved = 32

/** Openings of links from transport keys that are no friend's, per minute: each costs us a handshake. */
export const strangerOpeningsPerMinute = 120

/** Records sealed under one key before the sender must rekey (protocol §4): far below what AES-GCM allows. */
export const recordsPerEpoch = 65_536
/** Age at which the sender rekeys whatever the count (protocol §4). */
export const epochAgeMs = 600_000
/** Age at which a session ends and is opened anew, with fresh ephemeral keys (protocol §4). */
export const sessionAgeMs = 86_400_000

/** How far a signed time may lie from ours, either way (protocol §2). */
export const freshnessMs = 300_000
/** Friend lines admitted per minute, over all channels: people do not become friends faster. */
export const linesPerMinute = 60
/** Signatures of friend lines remembered against replay; see the relation below. */
export const replayEntriesMax = 1_024

/** Friend requests that wait for the operator. */
export const askedByMax = 100
/** Requests with different keys under one claimed name in one channel: the operator sees them all, a flood ends here. */
export const askedByPerNameMax = 4
/** Requests of ours that wait for an answer. */
export const askedMax = 100
/** How long a request waits, either way (protocol §3). */
export const requestAgeMs = 7 * 86_400_000
/** Friends and former friends of one node; the oldest former one is forgotten for a new friend. */
export const friendsMax = 10_000
/** Requests that one friendship came of: both may ask at once, and be accepted at once. */
export const requestsPerFriendshipMax = 4
/** Auto-accept rules of one node. */
export const autoAcceptRulesMax = 100
/** Characters (code points) of a display name (protocol §1). */
export const nameCodePointsMax = 64

/** Messages of one peer per minute and hour (protocol §7). */
export const messagesPerMinute = 30
export const messagesPerHour = 300
/** Injects of one peer per minute and hour (protocol §7). */
export const injectsPerMinute = 30
export const injectsPerHour = 300
/** Messages of any kind of one peer per second, before any other budget: cheap, but not free. */
export const controlPerSecond = 2_000
/** Protocol violations of one peer within an hour that end in a ban. Honest software commits none. */
export const violationsMax = 10
export const violationWindowMs = 3_600_000
/** How long a ban lasts. */
export const banMs = 3_600_000

/** Messages that wait for one peer, and their bodies in bytes; more is refused, never dropped. */
export const outboxEntriesMax = 1_000
export const outboxBytesMax = 16_777_216
/** Bytes of all messages that wait, for all peers together: what one node keeps in memory and on disk for others. */
export const outboxTotalBytesMax = 268_435_456
/** Outcomes of our messages that were not delivery and are remembered for the operator. */
export const refusalsRememberedMax = 256
/** How long a message waits for its peer before it expires. */
export const outboxAgeMs = 7 * 86_400_000
/** Unacknowledged messages and bytes under way on one session. */
export const sendWindowEntries = 256
export const sendWindowBytes = 2_097_152
/** How far above its mark an inbox accepts a number (protocol §6). */
export const inboxAheadMax = 1_024
/** Outcomes of a stream's newest numbers that are remembered, to repeat them and to notice a conflict. */
export const inboxOutcomesMax = 1_024
/** Streams remembered per peer (protocol §6). */
export const streamsPerPeer = 2
/** First and longest pause between two dials of a peer, milliseconds; doubled each time, with jitter. */
export const dialPauseFirstMs = 250
export const dialPauseMaxMs = 60_000
/** Friends that are dialled once after a start, to fetch what waits for us. */
export const helloDialsMax = 64
/** Entries that wait for the conversation log; beyond it texts are refused for now, and wait at their senders instead. */
export const unshownMax = 10_000
/** Pause before a transient refusal is tried again when the peer names none. */
export const retryPauseMs = 2_000

/** Run time of an inject unless the caller asks for less. */
export const injectTimeMs = 60_000
/** How long a caller waits for an answer in all, the dial included. */
export const injectWaitMs = 300_000
/** Largest answer in bytes. */
export const answerBytesMax = 1_048_576
/** Bytes of an answer in one chunk. */
export const chunkBytes = 16_384
/** Bytes of one answer that its caller asks for at a time: a short message waits behind no more of it. */
export const answerCreditBytes = 65_536
/** Characters of what an engine says of a sandbox: its own name and the container's, and single words of settings. */
export const confinementNameMax = 100
export const confinementWordMax = 40
/** Injects of one peer that run at the same time, and of all peers together. */
export const jobsPerPeerMax = 4
export const jobsMax = 16
/** Answers that wait for one caller to take them; while there are as many, its further injects are refused. */
export const answersWaitingMax = 16
/** Finished injects of one peer whose ids are remembered. */
export const jobsRememberedMax = 64

/** Inputs that wait for the next turn; beyond it, links and channels feel back-pressure. */
export const inputsWaitingMax = 1_024
/** What was only forgotten is written at the latest after this long without any input. */
export const tidyUpMs = 1_000
/** Inputs that share one commit. */
export const batchMax = 128
/** Bytes that wait to be written to one link before it counts as dead weight and is dropped. */
export const linkQueueBytesMax = 4_194_304

/** What must hold between the bounds, each with its reason. */
export const relations: ReadonlyArray<{ readonly holds: boolean; readonly why: string }> = [
  { holds: frameBytesMax >= bodyBytesMax + 1_024, why: "a frame carries a whole body with signature, header and tag" },
  { holds: frameBytesMax < 16_777_215, why: "a frame fits one transport write" },
  {
    holds: replayEntriesMax >= (2 * freshnessMs * linesPerMinute) / 60_000,
    why: "a line can be fresh for twice the window; all lines admitted meanwhile must be remembered"
  },
  {
    holds: openingFrameBytesMax >= historyLinksMax * linkBytesMax + 4_096,
    why: "a proof with the longest history fits an opening frame, with the rest of the payload, header and tag"
  },
  { holds: openingFrameBytesMax <= 65_535, why: "no Noise message is longer" },
  { holds: keysAnnouncedMax - 1 <= historyLinksMax, why: "a key that is announced is in the history" },
  { holds: openingsReserved < openingsMax, why: "strangers keep a share, friends keep a larger one" },
  { holds: inboxOutcomesMax >= sendWindowEntries * 2, why: "every number that can be repeated has its outcome kept" },
  { holds: inboxAheadMax >= sendWindowEntries, why: "a full window above a gap is still within reach" },
  { holds: sendWindowBytes >= bodyBytesMax, why: "the largest message fits the window" },
  { holds: linkQueueBytesMax >= sendWindowBytes + frameBytesMax, why: "a full window fits the write queue of a link" },
  {
    holds: answersWaitingMax * answerCreditBytes * (4 / 3) + sendWindowBytes <= linkQueueBytesMax,
    why: "the credit of all answers that wait for one caller fits the write queue beside a full window"
  },
  { holds: answerCreditBytes % chunkBytes === 0, why: "credit is whole chunks" },
  { holds: chunkBytes * (4 / 3) + 512 < bodyBytesMax, why: "a chunk is one message" },
  { holds: injectTimeMs < injectWaitMs, why: "the caller outwaits the run" },
  { holds: recordsPerEpoch < 2 ** 32, why: "AES-GCM with counter nonces stays far from its limit" },
  { holds: outboxBytesMax >= bodyBytesMax, why: "the largest message can be queued" }
]
