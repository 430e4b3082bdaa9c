/**
 * What must hold between the bounds of `Limits`, each with its reason: a bound is only true together with others.
 * It never holds a bound itself, and no room asks it anything: a law does, over every relation.
 * Apart from the bounds because the page of those is read by people who look for one number.
 */
import {
  alarmsPerMinute,
  answerCreditBytes,
  answersWaitingMax,
  askedByMax,
  bodyBytesMax,
  chunkBytes,
  claimRefusalMs,
  connectAskedMax,
  eventsWaitingMax,
  frameBytesMax,
  freshnessMs,
  friendOpeningsMax,
  friendOpeningsWindowMs,
  guestGreetedMs,
  guestMs,
  guestsMax,
  historyLinksMax,
  inboxAheadMax,
  inboxOutcomesMax,
  injectsPerHour,
  injectsPerMinute,
  injectTimeMs,
  injectWaitMs,
  introductionsMax,
  introductionsPerFriendMax,
  keysAnnouncedMax,
  linesPerMinute,
  linkBytesMax,
  linkQueueBytesMax,
  messagesPerMinute,
  newsPerMinute,
  openingFrameBytesMax,
  openingsMax,
  openingsRememberedMax,
  openingsReserved,
  openingTimeMs,
  outboxBytesMax,
  programSilenceMs,
  recordsPerEpoch,
  refusedLinesOfOnePerMinute,
  refusedLinesPerMinute,
  replayEntriesMax,
  sasDigitsMax,
  sasOffersPerHour,
  sasPerHour,
  sendWindowBytes,
  sendWindowEntries,
  strangerOpeningsOfHostPerMinute,
  strangerOpeningsOfKeyPerMinute,
  strangerOpeningsPerMinute,
  toolInjectsPerHour,
  toolInjectsPerPeerPerHour
} from "./Limits.ts"

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
  {
    holds: friendOpeningsMax * (1 + openingTimeMs / friendOpeningsWindowMs) < openingsReserved,
    why: "one friend cannot hold all openings that are kept for friends, however late it lets them time out"
  },
  {
    holds: strangerOpeningsOfKeyPerMinute * 2 <= openingsMax - openingsReserved,
    why: "one transport key cannot hold all openings that strangers have, however late it lets them time out"
  },
  {
    holds: strangerOpeningsOfHostPerMinute * 2 <= strangerOpeningsPerMinute,
    why: "one host leaves others half of what strangers may open"
  },
  {
    holds: openingsRememberedMax > 2 * strangerOpeningsPerMinute,
    why: "all that strangers can have drawn from in a minute, key and host each, is remembered"
  },
  {
    holds: (guestsMax * 60_000) / strangerOpeningsPerMinute >= openingTimeMs,
    why: "who floods us with guests leaves an honest one the time of an opening to say what it came for"
  },
  { holds: claimRefusalMs < guestGreetedMs, why: "a claim is answered before its link ends for another reason" },
  { holds: guestGreetedMs < guestMs, why: "who takes us for a friend in vain hears it before its time is over" },
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
  { holds: introductionsPerFriendMax * 8 <= introductionsMax, why: "no few friends take every place of introductions" },
  { holds: connectAskedMax < askedByMax, why: "strangers of topics leave places to who asks in a room" },
  { holds: programSilenceMs < injectTimeMs, why: "silence is noticed before the turn's time is over" },
  {
    holds: toolInjectsPerPeerPerHour < toolInjectsPerHour && toolInjectsPerHour < injectsPerHour,
    why: "a circle with one friend leaves tools something for others, and no circle reaches a friend's own limit"
  },
  { holds: injectTimeMs < injectWaitMs, why: "the caller outwaits the run" },
  { holds: recordsPerEpoch < 2 ** 32, why: "AES-GCM with counter nonces stays far from its limit" },
  {
    holds: refusedLinesOfOnePerMinute < refusedLinesPerMinute,
    why: "one author cannot use up what a channel may tell"
  },
  {
    holds: 10 * (newsPerMinute + alarmsPerMinute + messagesPerMinute + 3 * injectsPerMinute + 2) <= eventsWaitingMax,
    why: "ten minutes of all that one friend can cause fit what waits for a listener"
  },
  { holds: outboxBytesMax >= bodyBytesMax, why: "the largest message can be queued" },
  {
    holds: 10 ** sasDigitsMax >= 2 * sasPerHour * 2 ** 20,
    why: "with all comparisons of an hour at both ends, whoever sits between succeeds in one of 2^20 at most"
  },
  {
    holds: sasOffersPerHour >= 2 * sasPerHour,
    why: "two honest operators who try as often as they may are not cut off"
  }
]
