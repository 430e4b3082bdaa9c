/**
 * Every bound of the protocol and of one node's memory, each with its unit and its reason.
 * No other file invents a number that limits a peer; it never holds anything that is not a bound.
 * What makes the bounds true together is `Relations`; a law evaluates it.
 */

/** Largest message body in bytes (PROTOCOL.md §9): one text of a megabyte, JSON included. */
export const bodyBytesMax = 1_048_576
/** Largest frame in bytes once both sides are authenticated: a body, its signature, header and tag. */
export const frameBytesMax = bodyBytesMax + 4_096
/** Steps of a key history that are kept, sent and read (PROTOCOL.md §7): five years of monthly rotations. */
export const historyLinksMax = 64
/** Largest step as JSON, all three signatures included; a law makes one. */
export const linkBytesMax = 704
/** Largest frame before authentication: a Noise message with a proof and the longest history fits in it. */
export const openingFrameBytesMax = 49_152
/** Keys of ours that are announced at one time, the current one included (PROTOCOL.md §7). */
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
/** Of these, how many of one transport key: twice what honest software dials that gets no answer. Keys cost nothing. */
export const strangerOpeningsOfKeyPerMinute = 16
/** And of one host, where the transport tells it: it may be a whole house behind one address, and gets half at most. */
export const strangerOpeningsOfHostPerMinute = 60
export const strangerOpeningsWindowMs = 60_000

/**
 * Links that one friend dials and that we open: so many at once, and as many again in this time, one every two seconds.
 * Honest software dials again ever later when its links do not hold.
 */
export const friendOpeningsMax = 16
export const friendOpeningsWindowMs = 32_000
/** Friends, and strangers' keys and hosts, that are remembered before those with their whole budget again are forgotten. */
export const openingsRememberedMax = 1_024

/** Guests at one time (authenticated, no friends) that come for reasons of their own; for one more the oldest leaves. */
export const guestsMax = 32
/** Links of one identity among them: both sides may dial at once. */
export const guestLinksPerIdentityMax = 2
/** How long a guest may stay: a question, its answer after the fixed delay, and a slow mobile link. */
export const guestMs = 30_000
/** How long one that greets, and so takes us for a friend, may take to become one before it is told that it is none. */
export const guestGreetedMs = 2_000
/** Messages of one guest on one link, and their bytes together. */
export const guestMessagesMax = 64
export const guestBytesMax = 131_072
/** Invites that are remembered; the oldest that is not open goes for a new one. */
export const invitesMax = 100
/** How long an invite is open unless its operator says otherwise, and at most. */
export const inviteAgeMs = 7 * 86_400_000
export const inviteAgeMaxMs = 30 * 86_400_000
/** How often one invite may be redeemed at most. */
export const inviteUsesMax = 100
/** How long an invite whose time is over is listed, and the claim of who redeemed it answered. */
export const inviteKeptMs = 7 * 86_400_000
/** Peers that one invite is closed to because they were sent away; for one more it is closed to all. */
export const inviteBarredMax = 64
/** Characters of a link: the longest has 133. */
export const inviteLinkCharactersMax = 256
/** Claims of one identity per minute, and of all together: a secret of 128 bits is not guessed at this rate. */
export const claimsPerMinute = 5
export const claimsTotalPerMinute = 60
/** How long after a claim its refusal leaves, whatever the reason. */
export const claimRefusalMs = 1_000
/** Errands at one time: whom we want to reach who is no friend yet. */
export const errandsMax = 64

/** Records sealed under one key before the sender must rekey (PROTOCOL.md §8): far below what AES-GCM allows. */
export const recordsPerEpoch = 65_536
/** Age at which the sender rekeys whatever the count (PROTOCOL.md §8). */
export const epochAgeMs = 600_000
/** Age at which a session ends and is opened anew, with fresh ephemeral keys (PROTOCOL.md §8). */
export const sessionAgeMs = 86_400_000

/** How far a signed time may lie from ours, either way (PROTOCOL.md §4). */
export const freshnessMs = 300_000
/** Friend lines admitted per minute, over all channels: people do not become friends faster. */
export const linesPerMinute = 60
/** Signatures of friend lines remembered against replay; see `Relations`. */
export const replayEntriesMax = 1_024

/** Friend requests that wait for the operator. */
export const askedByMax = 100
/** Requests with different keys under one claimed name in one channel: the operator sees them all, a flood ends here. */
export const askedByPerNameMax = 4
/** Requests of ours that wait for an answer. */
export const askedMax = 100
/** How long a request waits, either way (PROTOCOL.md §4). */
export const requestAgeMs = 7 * 86_400_000
/** Friends and former friends of one node; the oldest former one is forgotten for a new friend. */
export const friendsMax = 10_000
/** Requests that one friendship came of: both may ask at once, and be accepted at once. */
export const requestsPerFriendshipMax = 4
/** Auto-accept rules of one node. */
export const autoAcceptRulesMax = 100
/** Characters (code points) of a display name (PROTOCOL.md §3). */
export const nameCodePointsMax = 64

/** Messages of one peer per minute and hour (PROTOCOL.md §11). */
export const messagesPerMinute = 30
export const messagesPerHour = 300
/** Injects of one peer per minute and hour (PROTOCOL.md §11). */
export const injectsPerMinute = 30
export const injectsPerHour = 300
/** Messages of any kind of one peer per second, before any other budget: cheap, but not free. */
export const controlPerSecond = 2_000
/** Messages in one record: it is read in one go, and each may carry a signature to be checked. */
export const recordMessagesMax = 256
/** Messages of a link that nobody has let in yet. Honest software sends one, its greeting, before it has heard ours. */
export const earlyMessagesMax = 16
/** Streams that one peer begins, per hour: each is remembered with the next commit. Honest software begins a few a day. */
export const streamsPerHour = 64
/** Within how long the next bounds count what is told. */
export const tellingWindowMs = 60_000
/** News that one friend causes and that are told: grants, refusals, links that come and go. Texts have budgets of their own. */
export const newsPerMinute = 60
/** Alarms about one friend that are told, apart from its news, so that news cannot hide them. */
export const alarmsPerMinute = 10
/** Friend lines of one channel whose refusal is told, and of them those of one author, or of one claimed name. */
export const refusedLinesPerMinute = 30
export const refusedLinesOfOnePerMinute = 10
/** Events that wait for one who listens (beyond it the oldest is lost), and decisions (beyond it they are counted). */
export const eventsWaitingMax = 4_096
export const decisionsWaitingMax = 65_536
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
/** Changes of a grant that wait for one peer; beyond it the newest makes the oldest that never left needless. */
export const grantChangesWaitingMax = 16
/** Outcomes of our messages that were not delivery and are remembered for the operator. */
export const refusalsRememberedMax = 256
/** How long a message waits for its peer before it expires. */
export const outboxAgeMs = 7 * 86_400_000
/** Unacknowledged messages and bytes under way on one session. */
export const sendWindowEntries = 512
export const sendWindowBytes = 2_097_152
/** How far above its mark an inbox accepts a number (PROTOCOL.md §10). */
export const inboxAheadMax = 1_024
/** Outcomes of a stream's newest numbers that are remembered, to repeat them and to notice a conflict. */
export const inboxOutcomesMax = 1_024
/** Streams remembered per peer (PROTOCOL.md §10). */
export const streamsPerPeer = 2
/** How long an interactive comparison may take in all: two people who are called to their keyboards, and a phone call. */
export const sasMs = 600_000
/** Digits of the string that people compare; its words hold more. */
export const sasDigitsMax = 8
/** Comparisons that our operator takes part in, with one friend, per hour: each is one guess for whoever sits between. */
export const sasPerHour = 4
/** Comparisons that one friend may offer, per hour: each is told to the operator and costs nothing else. */
export const sasOffersPerHour = 12
/** First and longest pause between two dials of a peer, milliseconds; doubled each time, with jitter. */
export const dialPauseFirstMs = 250
export const dialPauseMaxMs = 60_000
/** While something waits for a peer: how long it may take to greet, and to confirm the first thing that was sent. */
export const greetingDueMs = 30_000
export const receiptDueMs = 120_000
/** A session that lives so long holds: the pause before the next dial is the first one again. */
export const sessionHoldsMs = 10_000
/** New streams to one peer because it says that our disk is older, per day: each is a copy put back, so rare. */
export const olderDisksMax = 2
export const olderDiskWindowMs = 86_400_000
/** How long one session may take to tell a former friend that it is one: the word and its confirmation. */
export const farewellMs = 30_000
/** Longest pause between two dials of a former friend that has not confirmed it. */
export const farewellPauseMaxMs = 3_600_000
/** Dials of one friend that a start may cost, a minute apart or so, where it is known where the friend was. */
export const helloTriesMax = 5
/** Addresses at which a friend was met lately that are remembered: at home, at work, on the way, and one to spare. */
export const addressesPerFriendMax = 4
/** Characters of the host in one of them: the longest IPv6 address, with the name of an interface. */
export const addressHostMax = 64
/** Friends that are dialled once after a start, to fetch what waits for us. */
export const helloDialsMax = 64
/** Entries that wait for the conversation log; beyond it texts are refused for now, and wait at their senders instead. */
export const unshownMax = 10_000
/** The same in UTF-16 code units of their texts: 64 MiB of memory. A full disk must not become a full memory. */
export const unshownCharactersMax = 33_554_432
/** Pause between two appends to the conversation logs: what comes within it shares a flush. The records hold it already. */
export const showPauseMs = 20
/** Runs of a friend's program that are remembered: nobody runs one identity on more machines by mistake. */
export const runsRememberedMax = 4
/** When an operator is told again that one identity is alive on two machines. */
export const twoMachinesAgainMs = 86_400_000
/** When an operator is told again that a disk is older than it was: a peer that says so with every session says it once. */
export const olderAgainMs = 3_600_000
/** The pause that our transient refusals name where nothing else says when. One that names none is tried again sooner. */
export const retryPauseMs = 2_000
/** How long a text of another stream still waits behind one that was refused for now and is due again. */
export const heldLongerMs = 30_000

/** Run time of an inject unless the caller asks for less. */
export const injectTimeMs = 60_000
/** How long a caller waits for an answer in all, the dial included. */
export const injectWaitMs = 300_000
/** Injects that an agent's own tools may make to one friend, and to all friends together, per hour: what ends a circle. */
export const toolInjectsPerPeerPerHour = 12
export const toolInjectsPerHour = 30
/** Largest answer in bytes. */
export const answerBytesMax = 1_048_576
/** How long an inject waits for the owner before it is refused. */
export const holdAgeMs = 86_400_000
/** Injects of one peer that wait for the owner at the same time, and of all peers together. */
export const heldPerPeerMax = 8
export const heldMax = 64
/** What one turn of an agent may cost its owner, and all turns of one friend in a day, unless the owner says otherwise. */
export const agentTurnCallsMax = 16
export const agentTurnTokensMax = 60_000
export const agentDayCallsMax = 200
export const agentDayTokensMax = 500_000
export const agentDayMs = 3_600_000
/** The same for all friends together: many friends may not cost what one may not. */
export const agentEverybodyCallsMax = 800
export const agentEverybodyTokensMax = 2_000_000
export const agentEverybodyMs = 14_400_000
/** Tokens that one answer of a model may have; servers refuse a wish for more than their model can write. */
export const modelAnswerTokensMax = 4_096
/** Tokens by which our guess may be above what a model was allowed before it is cut off. */
export const tokensOverMax = 4_096
/** A program in the sandbox that neither answers nor asks for so long is stopped; its commands end after 30 seconds. */
export const programSilenceMs = 45_000
/** Entries of the friend's conversation that go into a turn, and their characters together. */
export const agentEntriesMax = 20
export const agentCharactersMax = 16_384
/** Bytes of all lines that a program in the sandbox may print in a turn. */
export const bridgeBytesMax = 33_554_432
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
/** Runs beyond those, for friends who have none: a few busy friends must not shut out all others. */
export const jobsReserved = 16
/** Answers that wait for one caller to take them; while there are as many, its further injects are refused. */
export const answersWaitingMax = 16
/** Finished injects of one peer whose ids are remembered. */
export const jobsRememberedMax = 64

/** How long what was asked for while the node did not run is carried out at a start; after it a person has asked anew. */
export const intentAgeMs = 604_800_000
/** What was carried out so, and is remembered for as long as its file could be found again. */
export const intentsRememberedMax = 1_024
/** Topics that one node is in at one time. */
export const topicsMax = 16
/** Members of a topic that were met first and stay, and newcomers beside them. */
export const topicSettledMax = 256
export const topicNewcomersMax = 256
/** Keys of a topic of which it is remembered that nothing up to a version counts any more. */
export const topicMarksMax = 1_024
/** Members of one topic that we meet at one time, and in a minute: a crowd costs time, not links. */
export const topicDialsMax = 8
export const topicMeetingsPerMinute = 60
/** How long one meeting may take, dial included. */
export const topicMeetingMs = 20_000
/** Longest pause between two looks for members of a topic. */
export const topicLookPauseMaxMs = 300_000
/** How often one member that is known is met again, to compare what is known. */
export const topicRoundMs = 60_000
/** Transport keys that wait to be met in one topic, those that were tried lately, and for how long that counts. */
export const topicFoundMax = 1_024
export const topicTriedMax = 8_192
export const topicTriedMs = 3_600_000
/** Members named in one hello of a topic, and profiles in one message. */
export const topicHaveMax = 64
export const profilesPerMessageMax = 8
/** Messages with profiles that are read on one link for one hello of ours: each profile is a signature to be checked. */
export const profileMessagesMax = 4
/** How soon a hello of a topic is answered again on one link. */
export const topicHelloAgainMs = 10_000
/** Members that are told at once when we change our profile. */
export const topicToldMax = 8
/** Members that are told when we leave a topic, how long that may take, and how often those not reached are tried again. */
export const topicLeaveToldMax = 32
export const topicFarewellMs = 60_000
export const topicFarewellAgainMs = 10_000
/** Last words of members that left, kept for those who have not heard them. */
export const topicFarewellsMax = 16
/** Requests of members of topics that wait for our operator, of all that may. */
export const connectAskedMax = 50
/** Introductions of one friend that are open, accepted or remembered as turned down, and of all; they wait like requests. */
export const introductionsPerFriendMax = 8
export const introductionsMax = 64
/** Code points of the note with a request to connect, or with an introduction. */
export const connectNoteMax = 280
/** How long a request that waits for its receiver's operator is not made again: they answer by a dial of their own. */
export const connectAgainMs = 600_000
/** How long a profile may be good for; its owner signs a new one when half of that is over. */
export const profileAgeMs = 21_600_000
/** Code points of the description in a profile, and its tags. */
export const profileDescriptionMax = 500
export const profileTagsMax = 16
/** Characters (base64url) of a profile as it is passed on: content in the widest letters, keys, signature and seal. */
export const profileCharactersMax = 6_144

/** Inputs that wait for the next turn; beyond it, links and channels feel back-pressure. */
export const inputsWaitingMax = 1_024
/** What was only forgotten is written at the latest after this long without any input. */
export const tidyUpMs = 1_000
/** Inputs that share one commit. */
export const batchMax = 128
/** Bytes that wait to be written to one link before it counts as dead weight and is dropped. */
export const linkQueueBytesMax = 4_194_304
