/**
 * The tables of PROTOCOL.md that follow from the code: labels, codes that peers are told, limits.
 * It never decides what is said about a row beyond what stands here: a label or limit that is not classified is an error.
 * Rewrite them with `node property-tests/vectors/tables.ts --write`; a test fails while the page is stale.
 */
import { globSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Limits, Rejection } from "../../core/index.ts"

const root = join(import.meta.dirname, "../..")
export const page = join(root, "PROTOCOL.md")

/** Label → use, and its fields in order. */
const labelUses: Readonly<Record<string, readonly [use: string, fields: string]>> = {
  "wop/3 friend-request": ["signed", "to, from, identity key, agreement key, ts"],
  "wop/3 friend-accept": ["signed", "to, from, identity key, agreement key, requestSig (86 characters), ts"],
  "wop/3 proof": [
    "signed",
    "role, handshake hash, static key, identity key, history hash, transport key, recovery commitment or empty"
  ],
  "wop/3 message": ["signed", "handshake hash, role, stream, number, body"],
  "wop/3 profile": [
    "signed",
    "topic, identity key, transport key, version, issued, expires, then name, description and each tag; nothing more in the last one of a member that leaves"
  ],
  "wop/3 audit-head": [
    "signed",
    "for the node's own files alone: hash of the line before, number, first number kept, ts"
  ],
  "wop/3 topic": ["hashed", "name"],
  "wop/3 secret topic": ["hashed", "name, key of the topic (16 bytes)"],
  "wop/3 topic mark": ["hashed", "name, key of the topic or empty, identity key"],
  "wop/3 topic seal": ["HKDF info", "name"],
  "wop/3 connect": ["hashed", "first identity key of who asks, of who is asked, id, part"],
  "wop/3 key history": ["hashed", "one `wop/3 link` transcript for each step, oldest first"],
  "wop/3 link": [
    "hashed",
    "the fields of `wop/3 rotation`, then the signatures by old key, new key and recovery key, each or empty"
  ],
  "wop/3 rotation": [
    "signed",
    "old identity key, new identity key, agreement key, transport key, reason, ts, recovery key or empty, commitment to the next recovery key or empty"
  ],
  "wop/3 recovery": ["hashed", "recovery key"],
  "wop/3 prologue": ["Noise prologue", "preface body, channel binding"],
  "wop/3 peer id": ["hashed", "identity key"],
  "wop/3 rendezvous": ["hashed", "identity key"],
  "wop/3 fingerprint": ["hashed", "part, smaller key, greater key (as base64url text)"],
  "wop/3 swarm key": ["HKDF info", "none"],
  "wop/3 sas nonce": ["hashed", "one's own randomness; how a node makes its nonce is its own business"],
  "wop/3 sas commit": ["hashed", "id, initiator's key, responder's key, handshake hash, initiator's nonce"],
  "wop/3 sas": ["hashed", "the fields of `wop/3 sas commit`, then the responder's nonce"],
  "wop/3 invite": ["HKDF info", "id as 16 bytes, issuer's identity key"],
  "wop/3 invite proof": ["MACed", "handshake hash, `claim` or `issuer`"],
  "wop/3 friendship": [
    "hashed",
    "twice, for the two halves of `of`: id, claimer's identity key, time, 0 or 1; its issuer alone computes it"
  ],
  "wop/3 invite link": ["hashed", "the link's bytes before its check"]
}

/** Limits that an honest far end must keep to or can observe; every other one is a node's own and not on the page. */
const ofPeers: ReadonlySet<string> = new Set([
  "bodyBytesMax",
  "frameBytesMax",
  "openingFrameBytesMax",
  "openingTimeMs",
  "recordsPerEpoch",
  "epochAgeMs",
  "sessionAgeMs",
  "freshnessMs",
  "linesPerMinute",
  "requestAgeMs",
  "guestMs",
  "guestGreetedMs",
  "guestMessagesMax",
  "guestBytesMax",
  "guestLinksPerIdentityMax",
  "inviteLinkCharactersMax",
  "introductionsPerFriendMax",
  "introductionsMax",
  "claimsPerMinute",
  "claimsTotalPerMinute",
  "claimRefusalMs",
  "nameCodePointsMax",
  "messagesPerMinute",
  "messagesPerHour",
  "injectsPerMinute",
  "injectsPerHour",
  "controlPerSecond",
  "violationsMax",
  "violationWindowMs",
  "banMs",
  "outboxAgeMs",
  "sendWindowEntries",
  "sendWindowBytes",
  "inboxAheadMax",
  "inboxOutcomesMax",
  "streamsPerPeer",
  "retryPauseMs",
  "injectTimeMs",
  "injectWaitMs",
  "answerBytesMax",
  "chunkBytes",
  "answerCreditBytes",
  "jobsPerPeerMax",
  "jobsMax",
  "jobsRememberedMax",
  "answersWaitingMax",
  "requestsPerFriendshipMax",
  "historyLinksMax",
  "profileAgeMs",
  "profileDescriptionMax",
  "profileTagsMax",
  "profileCharactersMax",
  "forkRetryMs",
  "openingsMax",
  "openingsReserved",
  "strangerOpeningsPerMinute",
  "sasMs",
  "sasPerHour",
  "sasOffersPerHour"
])

/** Every label that occurs in the core's sources: a transcript that nobody described must not go unnoticed. */
const labelsInCode = (): ReadonlyArray<string> => {
  const sources = globSync("core/**/*.ts", { cwd: root }).map((path) => readFileSync(join(root, path), "utf8"))
  return [...new Set(sources.flatMap((source) => [...source.matchAll(/"(wop\/3 [^"]+)"/g)].map((match) => match[1]!)))]
}

const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n")

const labels = (): string => {
  const found = new Set(labelsInCode())
  const unknown = [...found].filter((label) => !Object.hasOwn(labelUses, label))
  const gone = Object.keys(labelUses).filter((label) => !found.has(label))
  if (unknown.length + gone.length > 0) throw new Error(`labels not described: ${unknown}; described only: ${gone}`)
  return table(
    ["label", "use", "fields"],
    Object.entries(labelUses).map(([label, [use, fields]]) => [`\`${label}\``, use, fields])
  )
}

const codes = (): string => {
  const told = Object.keys(Rejection.table).filter((code): code is Rejection.Code =>
    Rejection.isTold(code as Rejection.Code)
  )
  const mark = (holds: boolean) => (holds ? "yes" : "")
  return table(
    ["code", "transient", "final", "violation", "meaning"],
    told.map((code) => [
      `\`${code}\``,
      mark(Rejection.isTransient(code)),
      mark(!Rejection.isTransient(code) && !Rejection.isViolation(code)),
      mark(Rejection.isViolation(code)),
      Rejection.table[code].sentence
    ])
  )
}

/** A limit's comment; the constants right below one share it. */
const meanings = (): ReadonlyMap<string, string> => {
  const found = new Map<string, string>()
  let comment = ""
  for (const line of readFileSync(join(root, "core/Limits.ts"), "utf8").split("\n")) {
    comment = /^\/\*\* (.*) \*\/$/.exec(line)?.[1] ?? (line === "" ? "" : comment)
    const name = /^export const (\w+) = /.exec(line)?.[1]
    if (name !== undefined) found.set(name, comment.replace(/\s*\(PROTOCOL\.md §\d+\)/, ""))
  }
  return found
}

const isNumber = (entry: readonly [string, unknown]): entry is readonly [string, number] => typeof entry[1] === "number"

const limits = (): string => {
  const bounds: Readonly<Record<string, unknown>> = Limits
  const why = meanings()
  // In the order of the source: that of a module's names depends on who loads it.
  const numbers = [...why.keys()].map((name) => [name, bounds[name]] as const).filter(isNumber)
  const unread = Object.keys(bounds).filter((name) => typeof bounds[name] === "number" && !why.has(name))
  if (unread.length > 0) throw new Error(`limits that were not found in the source: ${unread}`)
  const missing = [...ofPeers].filter((name) => !numbers.some(([known]) => known === name))
  if (missing.length > 0) throw new Error(`no limits of the code: ${missing}`)
  const rows = numbers
    .filter(([name]) => ofPeers.has(name))
    .map(([name, value]) => {
      const meaning = why.get(name)
      if (meaning === undefined || meaning === "") throw new Error(`no comment on ${name}`)
      return [`\`${name}\``, value.toLocaleString("en-US"), meaning]
    })
  return table(["limit", "value", "what"], rows)
}

/** The page with its generated tables as the code has them now. */
export const refresh = (text: string): string =>
  Object.entries({ labels, codes, limits }).reduce((before, [name, make]) => {
    const block = new RegExp(`(<!-- generated: ${name} -->\n)[^]*?(<!-- end -->)`)
    if (!block.test(before)) throw new Error(`the page has no place for ${name}`)
    return before.replace(block, (_, open: string, close: string) => `${open}${make()}\n${close}`)
  }, text)

if (import.meta.main) {
  const fresh = refresh(readFileSync(page, "utf8"))
  if (process.argv.includes("--write")) writeFileSync(page, fresh)
  else process.stdout.write(fresh)
}
