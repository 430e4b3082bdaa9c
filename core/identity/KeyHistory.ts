/**
 * Which keys speak for whom: a chain of steps, and how it stands to the chain a friend has accepted before.
 * It never verifies a signature itself and never decides what a friend does about a fork; it says what is there.
 * Having moved on from a key is for ever: what comes back with an earlier key, or with a branch that lost, is retired.
 */
import { Result } from "effect"
import type { CryptoShape } from "../../ports/Crypto.ts"
import * as Transcript from "../bytes/Transcript.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import type { RemoteAgreementKey, RemoteIdentityKey, RemoteSwarmKey } from "./Keys.ts"
import type { Link } from "./Link.ts"
import * as Rotation from "./Rotation.ts"

/** A verified chain: every step holds, and each begins where the one before it ends. */
export interface History {
  readonly steps: ReadonlyArray<Rotation.Step>
  /** The key that presents it. */
  readonly current: RemoteIdentityKey
}

/** The history of a key that has never been rotated. */
export const unrotated = (key: RemoteIdentityKey): History => ({ steps: [], current: key })

/** Every key of a history, oldest first; the last is the current one. */
export const keysOf = ({ current, steps }: History): ReadonlyArray<RemoteIdentityKey> => [
  ...steps.map((step) => step.from),
  current
]

/** The oldest key we know of. */
export const first = (history: History): RemoteIdentityKey => history.steps[0]?.from ?? history.current

/** The keys before the current one, oldest first. */
export const earlier = (history: History): ReadonlyArray<RemoteIdentityKey> => history.steps.map((step) => step.from)

/** The bytes that stand for a history where it is signed (PROTOCOL.md §7): never JSON text. */
export const digest = (crypto: CryptoShape, links: ReadonlyArray<Link>): Uint8Array =>
  crypto.sha256(Transcript.encode("wop/3 key history", links.map(Rotation.transcript)))

/** What the end of a history must lead to: the keys its holder uses now. */
export interface Present {
  readonly identityKey: RemoteIdentityKey
  readonly agreementKey: RemoteAgreementKey
  readonly swarmKey: RemoteSwarmKey
}

const invalid = (detail: string) => Result.fail(Rejection.make("history-invalid", detail))

/** Verifies a chain: at most 64 steps, no key twice, no gap, and an end in the keys that are in use. */
export const verify = (
  crypto: CryptoShape,
  links: ReadonlyArray<Link>,
  present: Present
): Result.Result<History, Rejection.Rejection> => {
  if (links.length > Limits.historyLinksMax) return invalid("too long")
  const steps: Array<Rotation.Step> = []
  for (const link of links) {
    const step = Rotation.verify(crypto, link)
    if (Result.isFailure(step)) return Result.fail(step.failure)
    const before = steps.at(-1)
    if (before !== undefined && before.to !== step.success.from) return invalid("a step is missing or out of order")
    steps.push(step.success)
  }
  const last = steps.at(-1)
  const endsHere =
    last === undefined ||
    (last.to === present.identityKey &&
      last.agreementKey === present.agreementKey &&
      last.swarmKey === present.swarmKey)
  if (!endsHere) return invalid("it does not end in the keys that were presented")
  const history = { steps, current: present.identityKey }
  const keys = keysOf(history)
  return new Set(keys).size === keys.length ? Result.succeed(history) : invalid("a key occurs twice")
}

/** Whether somebody trustworthy vouches for every step from an index on; with what became of the recovery commitment. */
const vouched = (history: History, from: number, commitment: string | undefined) => {
  let recovery = commitment
  let recovered = false
  for (const step of history.steps.slice(from)) {
    const byRecovery = recovery !== undefined && step.recovery?.commitment === recovery
    if (!step.byOld && !byRecovery) return undefined
    if (!byRecovery) continue
    recovery = step.recovery?.next
    recovered = true
  }
  return { recovery, recovered }
}

/** A key we know of a peer, and the recovery key that may vouch for its successor. */
export interface Anchor {
  readonly key: RemoteIdentityKey
  readonly recovery?: string | undefined
}

/** Whether a history leads from a key we know to the key that presents it, each step vouched for. */
export const leads = (history: History, { key, recovery }: Anchor): boolean => {
  const at = keysOf(history).indexOf(key)
  return at >= 0 && vouched(history, at, recovery) !== undefined
}

/** A key a friend has left. `settled`: operator or recovery key has decided what follows it; nothing else ever will. */
export interface Left {
  readonly key: RemoteIdentityKey
  readonly settled: boolean
}

/** What we have accepted of a friend's keys. */
export interface Accepted {
  readonly current: RemoteIdentityKey
  /** The keys before it, each followed by the next. */
  readonly earlier: ReadonlyArray<Left>
  /** Keys of branches that lost. */
  readonly lost: ReadonlyArray<RemoteIdentityKey>
  /** The commitment to the friend's recovery key, if it told us one. */
  readonly recovery: string | undefined
}

/** How a history stands to what we have accepted. */
export type Relation =
  /** No key of it is one we know, or nobody vouches for what leads on from there. */
  | { readonly kind: "unrelated" }
  | { readonly kind: "same" }
  /** Its key is one we have moved on from, or belongs to a branch that lost. */
  | { readonly kind: "retired" }
  /** It leads on from the key we know. */
  | {
      readonly kind: "rotated"
      readonly accepted: Accepted
      readonly recovered: boolean
      readonly reason: Link["reason"]
    }
  /** It leads elsewhere from a key we have moved on from: two successors of one key. */
  | { readonly kind: "forked" }

const bounded = <A>(list: ReadonlyArray<A>): ReadonlyArray<A> => list.slice(-Limits.historyLinksMax)

/** Whether keys belong to a branch that lost. Only the recovery key can bring one back: operators err, it does not. */
const throughLost = (accepted: Accepted, keys: ReadonlyArray<RemoteIdentityKey>): boolean =>
  keys.some((key) => accepted.lost.includes(key))

/** Where a history leaves the accepted chain: the index of the step, and the key both have before it. */
const divergence = (accepted: Accepted, history: History) => {
  const chain = [...accepted.earlier.map((left) => left.key), accepted.current]
  const next = new Map(chain.slice(0, -1).map((key, index) => [key, chain[index + 1]!]))
  const at = history.steps.findIndex((step) => next.has(step.from) && next.get(step.from) !== step.to)
  return at < 0 ? undefined : { at, index: chain.indexOf(history.steps[at]!.from) }
}

/** How a history stands to what we have accepted of a friend. */
export const relate = (accepted: Accepted, history: History): Relation => {
  const { current } = history
  if (accepted.lost.includes(current) || accepted.earlier.some((left) => left.key === current)) {
    return { kind: "retired" }
  }
  const parting = divergence(accepted, history)
  return parting === undefined ? continued(accepted, history) : contradicted(accepted, history, parting)
}

/** The last step's reason; a history that leads on has one. */
const reasonOf = (history: History): Link["reason"] => history.steps.at(-1)?.reason ?? "scheduled"

const continued = (accepted: Accepted, history: History): Relation => {
  if (history.current === accepted.current) return { kind: "same" }
  const keys = keysOf(history)
  const at = keys.indexOf(accepted.current)
  const by = at < 0 ? undefined : vouched(history, at, accepted.recovery)
  if (by === undefined) return { kind: "unrelated" }
  if (!by.recovered && throughLost(accepted, keys.slice(at + 1))) return { kind: "retired" }
  const left = keys.slice(at, -1).map((key) => ({ key, settled: false }))
  return moved(accepted, history, [...accepted.earlier, ...left], [], by)
}

const contradicted = (
  accepted: Accepted,
  history: History,
  parting: { readonly at: number; readonly index: number }
): Relation => {
  const keys = keysOf(history)
  const ahead = keys.slice(parting.at + 1)
  const by = vouched(history, parting.at, accepted.recovery)
  if (by === undefined) return { kind: "unrelated" }
  const common = accepted.earlier.slice(0, parting.index + 1)
  if (by.recovered) {
    const left = ahead.slice(0, -1).map((key) => ({ key, settled: true }))
    const loses = [...accepted.earlier.slice(parting.index + 1).map((one) => one.key), accepted.current]
    return moved(accepted, history, [...common, ...left], loses, by)
  }
  if (throughLost(accepted, ahead)) return { kind: "retired" }
  if (common.at(-1)?.settled !== true) return { kind: "forked" }
  // What was settled stays settled; the key we hold is not retired by a strange past it claims.
  return { kind: history.current === accepted.current ? "same" : "retired" }
}

const moved = (
  accepted: Accepted,
  history: History,
  left: ReadonlyArray<Left>,
  loses: ReadonlyArray<RemoteIdentityKey>,
  by: { readonly recovery: string | undefined; readonly recovered: boolean }
): Relation => ({
  kind: "rotated",
  recovered: by.recovered,
  reason: reasonOf(history),
  accepted: {
    current: history.current,
    earlier: bounded(by.recovered ? left.map(({ key }) => ({ key, settled: true })) : left),
    lost: bounded([...accepted.lost, ...loses].filter((key) => !keysOf(history).includes(key))),
    recovery: by.recovery
  }
})

/** The operator has decided for the key we hold: nothing else will ever follow an earlier one, and `against` has lost. */
export const settle = (accepted: Accepted, against: RemoteIdentityKey | undefined): Accepted => ({
  ...accepted,
  earlier: accepted.earlier.map(({ key }) => ({ key, settled: true })),
  lost: against === undefined ? accepted.lost : bounded([...accepted.lost, against])
})
