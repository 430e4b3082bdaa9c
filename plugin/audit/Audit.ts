/**
 * The account of what the gate decides, kept beside the turns for as long as a node runs.
 * It never holds up a turn and never fails the node: what cannot be written is said once and counted.
 * Opened before the node and closed after it, so that the last decisions of a node that ends in order are in it.
 */
import { Cause, Clock, Effect, Exit, Option, PubSub, Scope } from "effect"
import { inWords } from "../../adapters/filesystem/Files.ts"
import { type Decisions, type Keys, type Node, PeerId } from "../../core/index.ts"
import { Crypto } from "../../ports/Crypto.ts"
import * as AuditFolder from "./AuditFolder.ts"
import * as AuditJournal from "./AuditJournal.ts"
import type { Said } from "./AuditLine.ts"
import * as Bounds from "./Bounds.ts"

interface Written {
  readonly at: number
  readonly said: Said
}

/** Decisions as lines: what was lost before one is counted, and the same refusal several times in a row is one line. */
export const linesOf = (decisions: ReadonlyArray<Decisions.Accounted>, lastNumber: number): ReadonlyArray<Written> => {
  const lines: Array<Written> = []
  let number = lastNumber
  for (const { asked, atMs, code, key, number: own, peerId } of decisions) {
    if (own > number + 1) lines.push({ at: atMs, said: { note: "missed", count: own - number - 1 } })
    number = own
    const said = { asked, peer: PeerId.short(peerId), key, verdict: code ?? "admitted" }
    const before = lines.at(-1)?.said
    const isSame =
      code !== null &&
      before !== undefined &&
      "asked" in before &&
      before.asked === asked &&
      before.key === key &&
      before.verdict === code
    if (isSame) lines.pop()
    lines.push({ at: atMs, said: isSame ? { ...said, times: (before.times ?? 1) + 1 } : said })
  }
  return lines
}

/** An account that is open; absent where it could not be opened. */
export interface Account {
  /** Keeps account of a node until the account is closed. */
  readonly attend: (node: Node.Node) => Effect.Effect<void>
}

/** A write that failed, said; what it was to say is counted as lost with the next one that can be written. */
const failed = (error: unknown) =>
  Effect.logError(`the audit log cannot be written; what is decided meanwhile is counted there: ${inWords(error)}`)

const attempt = (work: () => Promise<void>) => Effect.tryPromise({ try: work, catch: (error) => error })

/** Writes what is decided, in its order, and signs; for as long as it is let. */
const keeping = (journal: AuditJournal.Journal, subscription: PubSub.Subscription<Decisions.Accounted>) => {
  let [number, isBroken, lost] = [0, false, 0]
  const write = Effect.fnUntraced(function* (decisions: ReadonlyArray<Decisions.Accounted>) {
    const at = yield* Clock.currentTimeMillis
    const lines = linesOf(decisions, number)
    number = decisions.at(-1)?.number ?? number
    const missed: ReadonlyArray<Written> = lost === 0 ? [] : [{ at, said: { note: "missed", count: lost } }]
    const written = yield* Effect.exit(attempt(() => journal.append([...missed, ...lines])))
    if (Exit.isSuccess(written)) [isBroken, lost] = [false, 0]
    else {
      lost += decisions.length
      if (!isBroken) yield* failed(Cause.squash(written.cause))
      isBroken = true
    }
  })
  const sign = Effect.flatMap(Clock.currentTimeMillis, (at) => attempt(() => journal.sign(at))).pipe(
    Effect.catch((error) => (isBroken ? Effect.void : failed(error)))
  )
  const loop = Effect.gen(function* () {
    const take = PubSub.takeBetween(subscription, 1, Bounds.batchMax)
    // What was taken is written, whatever ends meanwhile.
    const next = Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(restore(Effect.timeoutOption(take, Bounds.headAfterMs)), (taken) =>
        Effect.andThen(
          Option.isSome(taken) ? write(taken.value) : Effect.void,
          Effect.suspend(() => (Option.isNone(taken) || journal.unsigned() >= Bounds.linesPerHead ? sign : Effect.void))
        )
      )
    )
    for (;;) yield* next
  })
  const finish = Effect.gen(function* () {
    yield* write(yield* PubSub.takeUpTo(subscription, Bounds.batchMax * Bounds.batchMax))
    const at = yield* Clock.currentTimeMillis
    yield* Effect.ignore(attempt(() => journal.append([{ at, said: { note: "ended" } }])))
    yield* sign
  })
  return { loop, finish }
}

/** Opens the account of a data folder, for the scope: what ends it is the end of the scope, after the node's. */
export const open = Effect.fnUntraced(function* (dataFolder: string, keys: Keys.LocalKeys) {
  const crypto = yield* Crypto
  const at = yield* Clock.currentTimeMillis
  const pen = { crypto, keys, folder: AuditFolder.folderOf(dataFolder) }
  const opened = yield* Effect.exit(Effect.tryPromise(() => AuditJournal.openJournal(pen, at)))
  if (Exit.isFailure(opened)) {
    const failure = Cause.squash(opened.cause)
    const why = inWords(failure instanceof Error && failure.cause !== undefined ? failure.cause : failure)
    yield* Effect.logError(`there is no audit log: ${why}`)
    return { attend: () => Effect.void } satisfies Account as Account
  }
  const journal = opened.value
  const own = yield* Scope.make()
  yield* Effect.addFinalizer(() =>
    Effect.andThen(Scope.close(own, Exit.void), Effect.ignore(attempt(() => journal.close())))
  )
  return {
    attend: (node) =>
      Effect.gen(function* () {
        const { finish, loop } = keeping(journal, yield* node.decisions)
        yield* Effect.addFinalizer(() => finish)
        yield* Effect.forkScoped(loop)
      }).pipe(Scope.provide(own))
  } satisfies Account as Account
})
