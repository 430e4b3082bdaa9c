/**
 * What bounds the panel's server: sizes, numbers and times, each with its reason.
 * It never bounds a peer: those bounds are in `core/Limits.ts`; here it is about browsers and programs of our own machine.
 * Any web page that the owner visits can make a browser knock here, so who has no bearer gets next to nothing.
 */
import * as Control from "../control/Bounds.ts"

/** Where the panel is served unless the port is taken or another is named. */
export const portUsual = 7_334
/** All headers of a request together: a browser's own come to one or two thousand bytes. */
export const headerBytesMax = 8_192
/** Headers of a request, by number. */
export const headersMax = 64
/** Path and query of a request. */
export const targetCharactersMax = 2_048
/** A body of whoever has no bearer yet: it is empty, or an empty object. */
export const sessionBytesMax = 64
/** A body with a bearer: the longest line that a control connection takes too. */
export const bodyBytesMax = Control.requestBytesMax
/** How long headers, and a whole request, may take to arrive. */
export const headersMs = 5_000
export const requestMs = 15_000
/** How often the two above are looked at. */
export const timesCheckMs = 1_000
/** How long a connection may be silent between requests. */
export const idleMs = 5_000
/** How long a request may take to be answered; a wait for an outcome is part of it. */
export const answerMs = 40_000
/** How long one command may wait for an outcome. */
export const waitMsMax = 25_000
/** Connections at one time, and requests on one of them. */
export const connectionsMax = 96
export const requestsPerConnectionMax = 1_000
/** Requests that are being answered at one time, event streams not counted. */
export const answeringMax = 32
/** Requests a second with a bearer, and how many may come at once. */
export const requestsPerSecond = 50
export const requestsAtOnce = 200
/** Requests a second without a bearer or with a wrong one, and how many at once: guesses are pointless as well as slow. */
export const strangersPerSecond = 10
export const strangersAtOnce = 60
/** Pages that hold a bearer; the one used longest ago goes first. */
export const sessionsMax = 32
/** How long a bearer that nobody uses stays. */
export const sessionIdleMs = 12 * 3_600_000
/** One-use links that nobody has opened yet, and how long one stays good. */
export const linksMax = 16
export const linkMs = 300_000
/** Event streams at one time, and of one page. */
export const streamsMax = 16
export const streamsPerSessionMax = 4
/** Events kept for streams that come back, and their characters. */
export const eventsKeptMax = 1_000
export const eventsKeptCharactersMax = 1_048_576
/** Characters of a friend's text in an event; the conversation has it whole. */
export const newsCharactersMax = 2_000
/** What may wait for a reader that is slow; beyond it the stream ends with `too-slow`. */
export const streamWaitingBytesMax = 2 * eventsKeptCharactersMax
/** How often a silent stream says that it lives. */
export const heartbeatMs = 15_000
/** Commands whose answer is kept for a second request under the same id, and for how long. */
export const commandsRememberedMax = 256
export const commandsRememberedMs = 600_000
/** Texts of a conversation on one page, unless fewer are asked for; how far back a page or a search looks. */
export const pageEntriesMax = 200
export const pageEntriesUsual = 50
export const entriesLookedAtMax = 10_000
/** Texts in an export. */
export const exportEntriesMax = 100_000
/** Characters of what is searched for, and of a text that is drawn as a QR code. */
export const searchCharactersMax = 200
export const qrCharactersMax = 512
/** The last refusals that are shown with their reasons. */
export const refusalsShownMax = 50
/** How old what the doctor found may be in a view before it looks again. */
export const doctorMs = 300_000
/** Members of topics in a view; the rest is a number. */
export const discoveredShownMax = 500

/** What must hold between the bounds, each with its reason. */
export const relations: ReadonlyArray<{ readonly holds: boolean; readonly why: string }> = [
  { holds: headersMs <= requestMs, why: "headers are a part of a request" },
  { holds: waitMsMax < answerMs, why: "who waits for an outcome is answered before it is given up" },
  { holds: streamsMax + answeringMax < connectionsMax, why: "streams and slow answers cannot take every place" },
  { holds: streamsPerSessionMax < streamsMax, why: "one page cannot take every stream" },
  { holds: streamWaitingBytesMax > eventsKeptCharactersMax, why: "whoever comes back for everything is not too slow" },
  { holds: pageEntriesUsual <= pageEntriesMax, why: "a usual page fits" },
  { holds: pageEntriesMax <= entriesLookedAtMax, why: "a page is a part of what is looked at" },
  { holds: sessionBytesMax < 1_024, why: "who has no bearer costs less than a page of text" },
  { holds: strangersPerSecond < requestsPerSecond, why: "strangers cannot crowd out pages" }
]
