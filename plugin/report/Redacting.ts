/**
 * From a node's own words to a report's: peers become digits of a salt that is thrown away, texts and names are left out.
 * It never copies an object: each field is taken by its name, so that what a later version adds stays out until it is looked at.
 * With the salt gone nobody can try keys that they know against the digits.
 */
import { createHmac } from "node:crypto"
import { type Describe, Rejection } from "../../core/index.ts"
import type * as AuditLine from "../audit/AuditLine.ts"
import type { NodeFile } from "../control/NodeFile.ts"
import { type Moment, momentsMax, type Report } from "./Report.ts"

/** Names peers by digits that depend on a salt. */
export type Naming = (peer: string) => string

/** Naming under a salt that nobody else knows. */
export const naming =
  (salt: Uint8Array): Naming =>
  (peer) =>
    peer === "" ? "" : createHmac("sha256", salt).update(peer).digest("hex").slice(0, 8)

/** The newest lines of an audit log as moments. Peers are named by the short id under which the log has them. */
export const story = (lines: ReadonlyArray<AuditLine.Body>, name: Naming): ReadonlyArray<Moment> => {
  const told = lines.filter((line) => !("head" in line)).slice(-momentsMax)
  const firstMs = told[0]?.at ?? 0
  // An owner who accepts a request knows its key alone.
  const peers = new Map(lines.flatMap((line) => ("asked" in line && line.peer !== "" ? [[line.key, line.peer]] : [])))
  return told.flatMap((line): ReadonlyArray<Moment> => {
    const afterMs = Math.max(0, line.at - firstMs)
    if ("head" in line) return []
    if ("note" in line) {
      const times = line.count === undefined ? {} : { times: line.count }
      return [{ afterMs, what: line.note, who: "", outcome: "", ...times }]
    }
    const { asked, bytes, key, times, verdict } = line
    const peer = line.peer === "" ? (peers.get(key) ?? "") : line.peer
    const more = { ...(bytes === undefined ? {} : { bytes }), ...(times === undefined ? {} : { times }) }
    return [{ afterMs, what: asked, who: name(peer), outcome: verdict, ...more }]
  })
}

const dayMs = 86_400_000

/** What a report says of a node's description and of its last start. */
export const described = (
  view: Describe.Description,
  file: NodeFile | undefined,
  name: Naming,
  nowMs: number
): Pick<Report, "settings" | "sandbox" | "counts" | "friends" | "queue" | "refusals"> => ({
  settings: {
    network: file?.network.kind ?? "",
    sandbox: file?.sandbox ?? "",
    model: file?.model !== undefined,
    channel: file?.channel !== undefined
  },
  sandbox: { ready: view.sandbox.ready, code: view.sandbox.code ?? null },
  counts: {
    requests: view.requests.length,
    asked: view.asked.length,
    rules: view.rules.length,
    held: view.held.length,
    invites: view.invites.length,
    errands: view.errands.length,
    topics: view.topics.length
  },
  friends: view.friends.map((one) => ({
    who: name(one.shortId),
    connected: one.connected,
    mayHere: one.capabilities,
    weMay: one.allowsUs.filter((capability) => capability === "message" || capability === "inject"),
    waiting: one.waiting,
    alarm: one.alarm,
    trust: one.trust,
    banned: one.bannedUntilMs !== null,
    sinceDays: Math.max(0, Math.floor((nowMs - one.sinceMs) / dayMs))
  })),
  queue: view.queue.map(({ bytes, kind, state }) => ({ kind, state, bytes })),
  // A code that we do not know is a peer's own words.
  refusals: view.refusals.map(({ code, kind }) => ({ kind, code: Rejection.isCode(code) ? code : "unknown" }))
})
