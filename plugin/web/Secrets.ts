/**
 * The secrets of the panel's server: the module's segment, one-use links, the bearers of pages, the scrape key.
 * It never keeps a bearer or a link in a form that could be read back, and compares by digests, all of them every time.
 * A new object is a new start: nothing that was given out before is good any more, but for the scrape key, which is a file.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto"
import { Redacted } from "effect"
import * as Bounds from "./Bounds.ts"

/** A page that holds a bearer. */
export interface Session {
  readonly id: number
}

interface Kept {
  readonly session: Session
  readonly digest: Uint8Array
  usedAtMs: number
}

interface Link {
  readonly digest: Uint8Array
  readonly untilMs: number
}

export interface Secrets {
  /** The module's segment, the same as long as the server lives. */
  readonly segment: Redacted.Redacted<string>
  /** A segment that is good for one trade. The oldest unused one goes where there are too many. */
  readonly link: (nowMs: number) => Redacted.Redacted<string>
  /** Whether a segment is one of the two. */
  readonly knows: (segment: string, nowMs: number) => boolean
  /** A bearer for a segment; undefined if it is none, or used up. */
  readonly trade: (segment: string, nowMs: number) => Redacted.Redacted<string> | undefined
  /** The page that holds a bearer. */
  readonly session: (bearer: string, nowMs: number) => Session | undefined
  readonly isScrapeKey: (bearer: string) => boolean
  /** Pages that hold a bearer now. */
  readonly sessions: () => number
}

const segmentBytes = 16
const bearerBytes = 32

const drawn = (bytes: number, label: string) => Redacted.make(randomBytes(bytes).toString("base64url"), { label })
const digestOf = (text: string): Uint8Array => createHash("sha256").update(text).digest()
const isSame = (a: Uint8Array, b: Uint8Array): boolean => timingSafeEqual(a, b)

/** The one that has a digest; every one is compared, so that the time says nothing. */
const found = <A extends { readonly digest: Uint8Array }>(all: Iterable<A>, digest: Uint8Array): A | undefined => {
  let match: A | undefined
  for (const one of all) if (isSame(one.digest, digest)) match = one
  return match
}

/** Fresh secrets beside a scrape key. */
export const make = (scrapeKey: Redacted.Redacted<string>): Secrets => {
  const segment = drawn(segmentBytes, "panel segment")
  const module = { digest: digestOf(Redacted.value(segment)) }
  const scraper = { digest: digestOf(Redacted.value(scrapeKey)) }
  const links = new Set<Link>()
  const pages = new Set<Kept>()
  let count = 0
  const tidy = (nowMs: number) => {
    for (const link of links) if (link.untilMs <= nowMs) links.delete(link)
    for (const page of pages) if (page.usedAtMs + Bounds.sessionIdleMs <= nowMs) pages.delete(page)
  }
  const isModule = (digest: Uint8Array) => found([module], digest) !== undefined
  const open = (nowMs: number) => {
    const bearer = drawn(bearerBytes, "panel bearer")
    if (pages.size >= Bounds.sessionsMax) {
      const [idlest] = [...pages].sort((a, b) => a.usedAtMs - b.usedAtMs)
      pages.delete(idlest!)
    }
    pages.add({ session: { id: ++count }, digest: digestOf(Redacted.value(bearer)), usedAtMs: nowMs })
    return bearer
  }
  return {
    segment,
    link: (nowMs) => {
      tidy(nowMs)
      const link = drawn(segmentBytes, "panel link")
      const [oldest] = links
      if (links.size >= Bounds.linksMax && oldest !== undefined) links.delete(oldest)
      links.add({ digest: digestOf(Redacted.value(link)), untilMs: nowMs + Bounds.linkMs })
      return link
    },
    knows: (given, nowMs) => {
      tidy(nowMs)
      const digest = digestOf(given)
      const link = found(links, digest)
      return isModule(digest) || link !== undefined
    },
    trade: (given, nowMs) => {
      tidy(nowMs)
      const digest = digestOf(given)
      const link = found(links, digest)
      if (link !== undefined) links.delete(link)
      return isModule(digest) || link !== undefined ? open(nowMs) : undefined
    },
    session: (bearer, nowMs) => {
      tidy(nowMs)
      const page = found(pages, digestOf(bearer))
      if (page !== undefined) page.usedAtMs = nowMs
      return page?.session
    },
    isScrapeKey: (bearer) => found([scraper], digestOf(bearer)) !== undefined,
    sessions: () => pages.size
  }
}

/** A new scrape key. */
export const drawScrapeKey = (): Redacted.Redacted<string> => drawn(bearerBytes, "scrape key")
