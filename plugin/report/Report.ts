/**
 * A bug report: what a maintainer needs to see of a node, and the story of what happened to it, with nobody in it.
 * It never holds a name, a text, a key, an address, a path or a reason in words: everything in it is named here, one by one.
 * The simulator plays the story again with fresh keys (`npm run simulate -- --report FILE`), so that a fault can be looked at.
 */
import { Result, Schema } from "effect"

const count = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))
/** Somebody: eight digits that mean nothing outside of one report; empty for nobody. */
const who = Schema.String.check(Schema.isPattern(/^(|[0-9a-f]{8})$/))
const word = Schema.String.check(Schema.isPattern(/^[\w .-]{0,64}$/))

/**
 * One thing that happened, so long after the first: what (`begun` and `ended`: the node itself; `owner …`: its owner's command;
 * else what a peer asked the gate for), with whom, and what came of it.
 */
export const Moment = Schema.Struct({
  afterMs: count,
  what: word,
  who,
  outcome: word,
  bytes: Schema.optionalKey(count),
  times: Schema.optionalKey(count)
})
export type Moment = typeof Moment.Type

const Friend = Schema.Struct({
  who,
  connected: Schema.Boolean,
  mayHere: Schema.Array(word),
  weMay: Schema.Array(word),
  waiting: count,
  alarm: Schema.NullOr(word),
  trust: word,
  banned: Schema.Boolean,
  /** Whole days since the friendship began: the moment itself would show two reports to be of the same friends. */
  sinceDays: count
})

export const Report = Schema.Struct({
  report: Schema.Literal(1),
  program: Schema.Struct({ version: word, node: word, platform: word, arch: word }),
  settings: Schema.Struct({ network: word, sandbox: word, model: Schema.Boolean, channel: Schema.Boolean }),
  running: Schema.Boolean,
  sandbox: Schema.Struct({ ready: Schema.Boolean, code: Schema.NullOr(word) }),
  counts: Schema.Record(word, count),
  friends: Schema.Array(Friend),
  queue: Schema.Array(Schema.Struct({ kind: word, state: word, bytes: count })),
  refusals: Schema.Array(Schema.Struct({ kind: word, code: word })),
  audit: Schema.Struct({ ok: Schema.Boolean, codes: Schema.Array(word) }),
  story: Schema.Array(Moment)
})
export type Report = typeof Report.Type

const decode = Schema.decodeUnknownResult(Schema.fromJsonString(Report))

/** A report in a text, or undefined if it is none. */
export const read = (text: string): Report | undefined => {
  const found = decode(text)
  return Result.isSuccess(found) ? found.success : undefined
}

/** Moments that a report tells at most: the newest. */
export const momentsMax = 2_000
