/**
 * A friend line, station by station: prefix, fields, names, keys, spelling, signature, freshness.
 * It never decides whether a line is good: `FriendLine.parse` and `verify` do, and what is found here must agree with them.
 * A refused line has many candidates for where it begins and what its chat software did; the one that agrees is shown.
 */
import { Result } from "effect"
import * as ReplayWindow from "../../core/admission/ReplayWindow.ts"
import { Base64url, FriendLine, Keys, Name, PeerId, type Rejection } from "../../core/index.ts"
import type { CryptoShape } from "../../ports/Crypto.ts"
import { concluded, type Explanation, no, open, refusedBy, type Station, shown, unless, yes } from "./Explanation.ts"

type Kind = FriendLine.FriendLine["kind"]
const key = /^[A-Za-z0-9_-]{43}$/
const signature = /^[A-Za-z0-9_-]{86}$/
const name = /^[^\s|]{1,140}$/
const fields: Readonly<Record<Kind, ReadonlyArray<readonly [string, RegExp, string]>>> = {
  request: [
    ["to", name, "a name"],
    ["from", name, "a name"],
    ["pubkey", key, "43 characters base64url"],
    ["encryptPub", key, "43 characters base64url"],
    ["ts", /^[0-9]{1,16}$/, "1 to 16 digits"],
    ["sig", signature, "86 characters base64url"]
  ],
  accept: [
    ["to", name, "a name"],
    ["from", name, "a name"],
    ["pubkey", key, "43 characters base64url"],
    ["encryptPub", key, "43 characters base64url"],
    ["requestSig", signature, "86 characters base64url"],
    ["ts", /^[0-9]{1,16}$/, "1 to 16 digits"],
    ["sig", signature, "86 characters base64url"]
  ]
}

/** The value at the beginning of a last field: what follows it in the text is no part of the line. */
const lastValue = (part: string): string => /^sig:([A-Za-z0-9_-]{86})(?![A-Za-z0-9_+/=-])/.exec(part)?.[1] ?? part

/** The fields of a text from its prefix on: a value for each, or the station at which the form ends. */
const fieldsOf = (kind: Kind, rest: string): Readonly<Record<string, string>> | Station => {
  const parts = rest.split("|").slice(1)
  const values: Record<string, string> = {}
  for (const [index, [field, form, wanted]] of fields[kind].entries()) {
    const place = `field ${index + 1}, ${field}`
    const part = parts[index]?.replace(/^[\s\u00a0]+/, "")
    if (part === undefined) return no(place, "line-malformed", "is missing")
    const isLast = index === fields[kind].length - 1
    const trimmed = isLast ? `sig:${lastValue(part)}` : part.replace(/[\s\u00a0]+$/, "")
    const value = part.startsWith(`${field}:`) ? trimmed.slice(field.length + 1) : undefined
    if (value === undefined)
      return no(place, "line-malformed", `"${field}:" is expected here, not "${shown(part, 24)}"`)
    if (!form.test(value)) return no(place, "line-malformed", `${wanted} expected, not "${shown(value)}"`)
    values[field] = value
  }
  return values
}

const nameStation = (field: string, text: string): Station => {
  const parsed = Name.parse(text)
  const bare = Result.isSuccess(parsed) && parsed.success === text
  const why = text.startsWith("@") ? 'a line carries the bare name, without "@"' : "characters that no name may have"
  return unless(field, bare ? undefined : "name-invalid", bare ? shown(text) : `"${shown(text)}": ${why}`)
}

const identityStation = (crypto: CryptoShape, text: string): Station => {
  const bytes = Base64url.decodeExact(text, 32)
  if (bytes === undefined) return no("pubkey", "key-invalid", "stray bits: not the one spelling of 32 bytes")
  if (!crypto.ed25519ValidKey(bytes)) return no("pubkey", "key-invalid", "no point of the prime-order subgroup")
  const admitted = Keys.remoteIdentityKey(crypto, text)
  return Result.isSuccess(admitted)
    ? yes("pubkey", `valid Ed25519 key; as a new peer it would be ${PeerId.short(PeerId.of(crypto, admitted.success))}`)
    : refusedBy("pubkey", admitted.failure)
}

const spelt = (field: string, text: string, code: Rejection.Code, bytes: number): Station =>
  Base64url.decodeExact(text, bytes) === undefined
    ? no(field, code, `stray bits: not the one spelling of ${bytes} bytes`)
    : yes(field, `${bytes} bytes in their one spelling`)

const timeStation = (text: string): Station => {
  const tsMs = Number(text)
  if (String(tsMs) !== text) return no("ts", "line-malformed", "leading zeros, or more than a number holds")
  if (!Number.isSafeInteger(tsMs)) return no("ts", "line-malformed", "beyond the safe integers")
  return yes("ts", tsMs <= 8.64e15 ? new Date(tsMs).toISOString() : `${tsMs}`)
}

/** What the fields say by themselves, in the order in which the reader looks. */
const meaning = (crypto: CryptoShape, kind: Kind, values: Readonly<Record<string, string>>): ReadonlyArray<Station> => {
  const at = (field: string) => values[field] ?? ""
  return [
    nameStation("to", at("to")),
    nameStation("from", at("from")),
    identityStation(crypto, at("pubkey")),
    spelt("encryptPub", at("encryptPub"), "key-invalid", 32),
    timeStation(at("ts")),
    spelt("sig", at("sig"), "line-malformed", 64),
    ...(kind === "accept" ? [spelt("requestSig", at("requestSig"), "line-malformed", 64)] : [])
  ]
}

const dissect = (crypto: CryptoShape, plain: string, at: number, kind: Kind): ReadonlyArray<Station> => {
  const prefix = `FRIEND_${kind.toUpperCase()}`
  if (/[A-Za-z0-9_]/.test(plain[at - 1] ?? "")) {
    return [no("prefix", "line-malformed", `"${shown(plain.slice(0, at).slice(-8))}" grows into ${prefix}`)]
  }
  const values = fieldsOf(kind, plain.slice(at))
  const began = yes("prefix", prefix)
  if ("station" in values) return [began, values as Station]
  const count = fields[kind].length
  return [began, yes("fields", `${count} of ${count}, in order`), ...meaning(crypto, kind, values)]
}

/** The text, and with the most common manglings undone. */
const candidates = (text: string): ReadonlyArray<string> => {
  const unescaped = text
    .replace(/&#0*124;|&vert;|&verbar;/gi, "|")
    .replace(/&#0*58;|&colon;/gi, ":")
    .replace(/&#0*95;|&lowbar;/gi, "_")
    .replace(/&nbsp;/gi, " ")
    .replace(/&lt;/gi, "<")
    .replace(/&gt;/gi, ">")
    .replace(/&amp;/gi, "&")
  return [...new Set([text, unescaped, unescaped.replace(/\\([_|*~`])/g, "$1")])]
}

const first = (stations: ReadonlyArray<Station>) => stations.find((one) => one.holds === "no")?.code

/** Stations of a text that the reader refuses: those that come to its code, else the code alone. */
const refusedStations = (crypto: CryptoShape, text: string, rejection: Rejection.Rejection): ReadonlyArray<Station> => {
  const all = candidates(text).flatMap((plain) =>
    [...plain.matchAll(/FRIEND_(REQUEST|ACCEPT)[\s\u00a0]*(?=\|)/g)].map((match) =>
      dissect(crypto, plain, match.index, match[1] === "ACCEPT" ? "accept" : "request")
    )
  )
  return all.find((stations) => first(stations) === rejection.code) ?? [refusedBy("form", rejection)]
}

const valuesOf = (line: FriendLine.FriendLine): Readonly<Record<string, string>> => ({
  to: line.to,
  from: line.from,
  pubkey: line.pubkey,
  encryptPub: line.encryptPub,
  ts: String(line.tsMs),
  sig: line.signature,
  requestSig: line.kind === "accept" ? line.requestSignature : ""
})

const lineStations = (
  crypto: CryptoShape,
  text: string,
  line: FriendLine.FriendLine,
  nowMs: number
): ReadonlyArray<Station> => {
  const verified = FriendLine.verify(crypto, line)
  const stale = ReplayWindow.freshness(line.tsMs, nowMs)
  const printed = FriendLine.print(line)
  const mangled = text.includes(printed) ? [] : [yes("mangling", "what the chat software did to it was undone")]
  return [
    yes("prefix", `FRIEND_${line.kind.toUpperCase()}`),
    ...mangled,
    yes("fields", `${fields[line.kind].length} of ${fields[line.kind].length}, in order, ${printed.length} characters`),
    ...meaning(crypto, line.kind, valuesOf(line)),
    Result.isSuccess(verified)
      ? yes("signature", "holds over every field")
      : no("signature", verified.failure.code, "a signed character was changed on the way, or another key signed"),
    stale === undefined ? yes("freshness", "within 5 minutes of the clock") : refusedBy("freshness", stale),
    open("addressed, unseen", `counts only at ${shown(line.to)}, once, and in the channel it was meant for`)
  ]
}

/** Explains a text as a channel delivered it, as a node whose clock shows `nowMs` would read it. */
export const explainLine = (crypto: CryptoShape, text: string, nowMs: number): Explanation => {
  const reading = FriendLine.parse(crypto, text)
  switch (reading.kind) {
    case "none": {
      const why =
        text.length > 4_096 ? "a text of more than 4,096 characters is not looked at" : "no friend line begins here"
      return { what: "nothing", verdict: "none", stations: [open("prefix", why)] }
    }
    case "legacy":
      return concluded("friend line", [
        no("prefix", "legacy-line", `a line of the former plugin, from ${shown(reading.from)}`)
      ])
    case "refused":
      return concluded("friend line", refusedStations(crypto, text, reading.rejection))
    case "line":
      return concluded("friend line", lineStations(crypto, text, reading.line, nowMs))
  }
}
