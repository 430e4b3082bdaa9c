/**
 * Whether a request may come in at all, and to which route: its form, Host, Origin, method, bearer, size and rate, in this order.
 * It never reads a body, and answers whoever has no bearer the same for what does not exist and what it may not see.
 * Any page can make a browser ask here, and any name can be made to point here: so it trusts no address and no cookie.
 */
import { Result } from "effect"
import * as RateLimit from "../../core/admission/RateLimit.ts"
import * as Bounds from "./Bounds.ts"
import { type Fault, fault } from "./Fault.ts"
import * as Routes from "./Routes.ts"
import type { Secrets, Session } from "./Secrets.ts"

/** A request before its body. Header names and values alternate, as they came. */
export interface Knock {
  readonly method: string
  readonly target: string
  readonly version: string
  readonly rawHeaders: ReadonlyArray<string>
}

/** What the page is made of, besides the module. */
export const assets = ["/", "/page.js", "/page.css"] as const
export type Asset = (typeof assets)[number] | "module"

export type Entry =
  | { readonly kind: "asset"; readonly asset: Asset; readonly origin: string | undefined }
  | {
      readonly kind: "route"
      readonly name: Routes.Name
      readonly query: URLSearchParams
      readonly session: Session | undefined
      readonly lastEventId: string | undefined
    }

export interface Settings {
  readonly port: number
  /** Origins whose pages may import the module and frame the page. */
  readonly origins: ReadonlyArray<string>
  readonly secrets: Secrets
}

/** Headers that a request has once, or not at all. */
const single: ReadonlyArray<string> = [
  ...["host", "origin", "authorization", "content-length", "content-type", "transfer-encoding"],
  ...["sec-fetch-site", "last-event-id"]
]

const headersOf = (rawHeaders: ReadonlyArray<string>): ReadonlyMap<string, string> | undefined => {
  const headers = new Map<string, string>()
  if (rawHeaders.length > 2 * Bounds.headersMax) return undefined
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!.toLowerCase()
    if (headers.has(name) && single.includes(name)) return undefined
    headers.set(name, rawHeaders[index + 1]!)
  }
  return headers
}

interface Target {
  readonly path: string
  readonly query: URLSearchParams
}

/** Path and query, if the path is of plain parts: no escape, no empty part, no dots. */
const targetOf = (target: string): Target | undefined => {
  if (target.length > Bounds.targetCharactersMax) return undefined
  const [path = "", ...rest] = target.split("?")
  const parts = path.split("/")
  const plain = parts
    .slice(1)
    .every((part, index) => /^[A-Za-z0-9._-]+$/.test(part) || (part === "" && index === 0 && parts.length === 2))
  const dots = parts.some((part) => /^\.+$/.test(part))
  if (!path.startsWith("/") || !plain || dots || rest.length > 1) return undefined
  return /^[\x21-\x7e]*$/.test(rest.join("")) ? { path, query: new URLSearchParams(rest[0] ?? "") } : undefined
}

const isMatch = (pattern: string, path: string): boolean => {
  const [wanted, given] = [pattern.split("/"), path.split("/")]
  return wanted.length === given.length && wanted.every((part, index) => part.startsWith(":") || part === given[index])
}

const patterns = Object.entries(Routes.table) as ReadonlyArray<readonly [Routes.Name, Routes.Route]>

/** What may be asked for at a path, and by which methods. */
const placeOf = (path: string): Asset | ReadonlyArray<readonly [Routes.Name, Routes.Route]> => {
  const asset = assets.find((one) => one === path)
  if (asset !== undefined) return asset
  return /^\/m\/[^/]+\/panel\.js$/.test(path) ? "module" : patterns.filter(([, route]) => isMatch(route.path, path))
}

const rate = (perSecond: number, atOnce: number): RateLimit.Rates => ({
  ...RateLimit.rates,
  control: [{ capacity: atOnce, windowMs: (1_000 * atOnce) / perSecond }]
})
const ofPages = rate(Bounds.requestsPerSecond, Bounds.requestsAtOnce)
const ofStrangers = rate(Bounds.strangersPerSecond, Bounds.strangersAtOnce)

/** What is wrong with the headers of a body, if anything. */
const aboutBody = (route: Routes.Route, headers: ReadonlyMap<string, string>): Fault | undefined => {
  const length = headers.get("content-length")
  if (headers.has("transfer-encoding")) return fault("length-needed")
  if (length !== undefined && !/^\d{1,15}$/.test(length)) return fault("malformed")
  if (route.body === undefined) return Number(length ?? 0) === 0 ? undefined : fault("too-large")
  if (!/^application\/json(\s*;\s*charset=utf-8)?$/i.test(headers.get("content-type") ?? "")) return fault("not-json")
  if (length === undefined) return fault("length-needed")
  return Number(length) > (route.bodyBytesMax ?? Bounds.bodyBytesMax) ? fault("too-large") : undefined
}

const bearerOf = (headers: ReadonlyMap<string, string>): string | undefined =>
  /^Bearer ([A-Za-z0-9_-]{43})$/.exec(headers.get("authorization") ?? "")?.[1]

/** The hosts and origins that are this server. */
const selves = (port: number) => {
  const hosts = [`127.0.0.1:${port}`, `localhost:${port}`]
  return { hosts, origins: hosts.map((host) => `http://${host}`) }
}

/** A door for a server's life; it remembers how often it was knocked at. */
export const make = ({
  origins,
  port,
  secrets
}: Settings): ((knock: Knock, nowMs: number) => Result.Result<Entry, Fault>) => {
  const self = selves(port)
  const budgets = { pages: {} as RateLimit.Budgets, strangers: {} as RateLimit.Budgets }
  const drawn = (whose: keyof typeof budgets, nowMs: number): Fault | undefined => {
    const left = RateLimit.draw(budgets[whose], "control", nowMs, whose === "pages" ? ofPages : ofStrangers)
    budgets[whose] = left.budgets
    return left.waitMs > 0 ? fault("too-many", left.waitMs) : undefined
  }
  /** Where a request comes from, as far as a browser says: foreign pages end here. */
  const aboutOrigin = (headers: ReadonlyMap<string, string>, asset: Asset | undefined): Fault | undefined => {
    const [origin, site] = [headers.get("origin"), headers.get("sec-fetch-site")]
    const invited = asset === "module" && origin !== undefined && origins.includes(origin)
    if (origin !== undefined && !invited && !self.origins.includes(origin)) return fault("foreign-origin")
    // A link or a frame may lead to the page from anywhere; it holds nothing, and the policy says who may frame it.
    if (site === undefined || site === "same-origin" || site === "none" || invited || asset === "/") return undefined
    return fault("foreign-origin")
  }
  const asAsset = (asset: Asset, path: string, headers: ReadonlyMap<string, string>, nowMs: number) => {
    const segment = path.split("/")[2] ?? ""
    const late = drawn("strangers", nowMs)
    if (late !== undefined) return Result.fail(late)
    if (asset === "module" && !secrets.knows(segment, nowMs)) return Result.fail(fault("not-here"))
    const origin = headers.get("origin")
    const cors = asset === "module" && origin !== undefined && origins.includes(origin) ? origin : undefined
    return Result.succeed<Entry>({ kind: "asset", asset, origin: cors })
  }
  const asRoute = (
    [name, route]: readonly [Routes.Name, Routes.Route],
    { path, query }: Target,
    headers: ReadonlyMap<string, string>,
    nowMs: number
  ): Result.Result<Entry, Fault> => {
    const bearer = bearerOf(headers)
    const session = bearer === undefined ? undefined : secrets.session(bearer, nowMs)
    const mayScrape = route.who === "scraper" && bearer !== undefined && secrets.isScrapeKey(bearer)
    const late = drawn(session === undefined && !mayScrape ? "strangers" : "pages", nowMs)
    if (late !== undefined) return Result.fail(late)
    if (route.who === "segment" && !secrets.knows(path.split("/")[2] ?? "", nowMs))
      return Result.fail(fault("not-here"))
    if (route.who !== "segment" && session === undefined && !mayScrape) return Result.fail(fault("not-signed-in"))
    const wrong = aboutBody(route, headers)
    if (wrong !== undefined) return Result.fail(wrong)
    return Result.succeed({ kind: "route", name, query, session, lastEventId: headers.get("last-event-id") })
  }
  return (knock, nowMs) => {
    const headers = headersOf(knock.rawHeaders)
    const target = targetOf(knock.target)
    if (headers === undefined || knock.version !== "1.1") return Result.fail(fault("malformed"))
    if (!self.hosts.includes(headers.get("host") ?? "")) return Result.fail(fault("foreign-host"))
    const place = target === undefined ? [] : placeOf(target.path)
    const foreign = aboutOrigin(headers, typeof place === "string" ? place : undefined)
    if (foreign !== undefined) return Result.fail(foreign)
    if (target === undefined) return Result.fail(fault("malformed"))
    if (typeof place === "string")
      return knock.method === "GET" ? asAsset(place, target.path, headers, nowMs) : Result.fail(fault("method"))
    if (place.length === 0) return Result.fail(drawn("strangers", nowMs) ?? fault("not-here"))
    const route = place.find(([, { method }]) => method === knock.method)
    return route === undefined ? Result.fail(fault("method")) : asRoute(route, target, headers, nowMs)
  }
}
