/**
 * Injects that peers asked us to answer: each runs at most once, and its end is remembered.
 * It never runs anything, and holds the text that was asked only while it waits for our owner.
 * `running` is committed before the sandbox starts, so a job found running after a crash was interrupted, for good.
 */
import { Schema } from "effect"
import * as Base64url from "../bytes/Base64url.ts"
import type { PeerId } from "../identity/PeerId.ts"
import * as Limits from "../Limits.ts"
import * as Table from "../Table.ts"
import { type Chunk, Confinement } from "../wire/Message.ts"

export const Job = Schema.Struct({
  peerId: Schema.String,
  id: Schema.String,
  state: Schema.Literals(["held", "running", "finished", "settled"]),
  startedAtMs: Schema.Int,
  /** For a held job: what was asked, where, and until when it waits for our owner. */
  question: Schema.optionalKey(
    Schema.Struct({
      text: Schema.String,
      stream: Schema.String,
      number: Schema.Int,
      expiresAtMs: Schema.Int,
      /** Why it waits; absent in records that an earlier version made. */
      reason: Schema.optionalKey(Schema.String)
    })
  ),
  /** For a finished job: its code if it failed, its answer (base64url) until the caller has it. */
  code: Schema.optionalKey(Schema.String),
  answer: Schema.optionalKey(Schema.String),
  confinement: Schema.optionalKey(Confinement)
})
export type Job = Omit<typeof Job.Type, "peerId"> & { readonly peerId: PeerId }
export type Jobs = Table.Table<Job>

/** The record key of a job: ids are the callers', so two peers may choose the same one. */
export const keyOf = (peerId: PeerId, id: string): string => `${peerId}/${id}`

/** State → states it can go to. */
export const transitions: Readonly<Record<Job["state"], ReadonlyArray<Job["state"]>>> = {
  held: ["running", "finished"],
  running: ["finished"],
  finished: ["settled"],
  settled: []
}

/** The jobs that wait for our owner. */
export const held = (jobs: Jobs): ReadonlyArray<Job> => Table.values(jobs).filter((job) => job.state === "held")

/** The jobs whose run has not ended. */
export const running = (jobs: Jobs): ReadonlyArray<Job> => Table.values(jobs).filter((job) => job.state === "running")

/**
 * The bytes of a kept answer from `offset` up to (not with) `upTo`, as chunks; at least one chunk if there are any.
 * Nothing for an answer that is not kept or a range beyond its end.
 */
export const chunks = (
  jobs: Jobs,
  peerId: PeerId,
  id: string,
  offset: number,
  upTo: number
): ReadonlyArray<{ readonly message: Chunk }> => {
  const answer = Table.get(jobs, keyOf(peerId, id))?.answer ?? ""
  const length = Math.floor((answer.length * 3) / 4)
  const count = Math.ceil(Math.max(0, Math.min(length, upTo) - offset) / Limits.chunkBytes)
  return Array.from({ length: count }, (_, index) => {
    const from = offset + index * Limits.chunkBytes
    const bytes = Base64url.encode(part(answer, from, Math.min(length, from + Limits.chunkBytes)))
    return { message: { kind: "Chunk", id, offset: from, bytes } }
  })
}

/** Bytes of a base64url text, decoding nothing else: a caller may ask often, and the whole may be long. */
const part = (answer: string, from: number, to: number): Uint8Array => {
  const first = Math.floor(from / 3)
  const decoded = Base64url.decode(answer.slice(first * 4, Math.ceil(to / 3) * 4)) ?? new Uint8Array(0)
  return decoded.subarray(from - first * 3, to - first * 3)
}

/** How many ends of a peer's requests it has not confirmed yet. Their answers are kept, so their number is bounded. */
export const answersWaiting = (jobs: Jobs, peerId: PeerId): number =>
  Table.values(jobs).filter((job) => job.peerId === peerId && job.state === "finished").length

/** The caller has the answer: it is dropped, the id stays known among the newest of its peer. */
export const settle = (jobs: Jobs, peerId: PeerId, id: string): Jobs => {
  const job = Table.get(jobs, keyOf(peerId, id))
  if (job === undefined || job.state !== "finished") return jobs
  const { answer: _, ...rest } = job
  return forget(Table.set(jobs, keyOf(peerId, id), { ...rest, state: "settled" }), peerId)
}

const forget = (jobs: Jobs, peerId: PeerId): Jobs => {
  const settled = Table.values(jobs)
    .filter((job) => job.peerId === peerId && job.state === "settled")
    .sort((a, b) => b.startedAtMs - a.startedAtMs)
  return settled.slice(Limits.jobsRememberedMax).reduce((left, job) => Table.remove(left, keyOf(peerId, job.id)), jobs)
}
