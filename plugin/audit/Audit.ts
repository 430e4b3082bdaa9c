/**
 * The account of what the gate decides, kept beside the turns for as long as a node runs.
 * It never holds up a turn and never fails the node: what cannot be written is said once and counted.
 * Opened before the node and closed after it, so that the last decisions of a node that ends in order are in it.
 */
import { Cause, Clock, Effect, Exit, Option, PubSub, Queue, Scope } from "effect"
import { inWords } from "../../adapters/filesystem/Files.ts"
import { type Decisions, type Keys, Limits, type Node, PeerId } from "../../core/index.ts"
import { Crypto } from "../../ports/Crypto.ts"
import * as AuditFolder from "./AuditFolder.ts"
import * as AuditJournal from "./AuditJournal.ts"
import type { Said } from "./AuditLine.ts"
import * as Bounds from "./Bounds.ts"
import * as Owner from "./Owner.ts"
import * as Strangers from "./Strangers.ts"

interface Written {
  readonly at: number
  readonly said: Said
}

/** What waits to be written: a decision of the gate, or a line that says it all. */
type Waiting = Decisions.Accounted | Written

/**
 * What waits as lines: what was lost before one is counted, and the same refusal several times in a row is one line. What
 * `counts` takes is none.
 */
export const linesOf = (
  waiting: ReadonlyArray<Waiting>,
  lastNumber: number,
  counts: (one: Decisions.Accounted) => boolean = () => false
): ReadonlyArray<Written> => {
  const lines: Array<Written> = []
  let number = lastNumber
  for (const one of waiting) {
    if ("said" in one) {
      lines.push(one)
      continue
    }
    const { asked, atMs, bytes, code, key, number: own, peerId } = one
    if (own > number + 1) lines.push({ at: atMs, said: { note: "missed", count: own - number - 1 } })
    number = own
    if (counts(one)) continue
    const said = {
      asked,
      peer: PeerId.short(peerId),
      key,
      verdict: code ?? "admitted",
      ...(bytes === undefined ? {} : { bytes })
    }
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
  /** Keeps account of a node until the account is closed; gives the node to command, so that its owner is accounted for too. */
  readonly attend: (node: Node.Node) => Effect.Effect<Node.Node>
}

/** A write that failed, said; what it was to say is counted as lost with the next one that can be written. */
const failed = (error: unknown) =>
  Effect.logError(`the audit log cannot be written; what is decided meanwhile is counted there: ${inWords(error)}`)

/** A full file is not followed, or the oldest not given up; what is decided is written all the same. */
const stuck = (error: unknown) =>
  Effect.logError(`the audit log goes on, and cannot turn to its next file yet: ${inWords(error)}`)

const attempt = (work: () => Promise<void>) => Effect.tryPromise({ try: work, catch: (error) => error })

/** How many decisions a line stands for. */
const weightOf = ({ said }: Written): number => ("note" in said ? (said.count ?? 0) : (said.times ?? 1))

/** Writes what is decided, in its order, and signs; for as long as it is let. */
const keeping = (journal: AuditJournal.Journal, queue: Queue.Queue<Waiting>) => {
  let [number, isBroken, isStuck, lost, signedMs] = [0, false, false, 0, 0]
  const strangers = Strangers.make()
  const write = Effect.fnUntraced(function* (waiting: ReadonlyArray<Waiting>, isLast = false) {
    const at = yield* Clock.currentTimeMillis
    const kept = linesOf(waiting, number, strangers.count)
    const lines = [...kept, ...strangers.take(at, isLast)]
    number = waiting.reduce((last, one) => ("number" in one ? one.number : last), number)
    const missed: ReadonlyArray<Written> = lost === 0 ? [] : [{ at, said: { note: "missed", count: lost } }]
    if (missed.length + lines.length === 0) return
    const written = yield* Effect.exit(attempt(() => journal.append([...missed, ...lines])))
    if (Exit.isSuccess(written)) {
      ;[isBroken, lost] = [false, 0]
      const why = journal.stuck()
      if (why !== undefined && !isStuck) yield* stuck(why)
      isStuck = why !== undefined
    } else {
      lost += lines.reduce((sum, line) => sum + weightOf(line), 0)
      if (!isBroken) yield* failed(Cause.squash(written.cause))
      isBroken = true
    }
  })
  /** Signs what is due: a stream of lines that never rests is signed as often as one that does. */
  const sign = Effect.flatMap(Clock.currentTimeMillis, (at) => {
    if (journal.unsigned() < Bounds.linesPerHead && Math.abs(at - signedMs) < Bounds.headAfterMs) return Effect.void
    signedMs = at
    return attempt(() => journal.sign(at)).pipe(Effect.catch((error) => (isBroken ? Effect.void : failed(error))))
  })
  const loop = Effect.gen(function* () {
    const take = Queue.takeBetween(queue, 1, Bounds.batchMax)
    // What was taken is written, whatever ends meanwhile.
    const restMs = () => (strangers.waits() ? Bounds.strangersCountedMs : Bounds.headAfterMs)
    const next = Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(restore(Effect.suspend(() => Effect.timeoutOption(take, restMs()))), (taken) =>
        Effect.andThen(write(Option.getOrElse(taken, () => [])), sign)
      )
    )
    for (;;) yield* next
  })
  const finish = Effect.flatMap(Queue.clear(queue), (rest) => write(rest, true))
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
    return { attend: (node) => Effect.succeed(node) } satisfies Account as Account
  }
  const journal = opened.value
  const own = yield* Scope.make()
  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      yield* Scope.close(own, Exit.void)
      const endedMs = yield* Clock.currentTimeMillis
      const end = async () => {
        await journal.append([{ at: endedMs, said: { note: "ended" } }])
        await journal.sign(endedMs)
      }
      yield* Effect.catch(attempt(end), failed)
      yield* Effect.ignore(attempt(() => journal.close()))
    })
  )
  return {
    attend: (node) =>
      Effect.gen(function* () {
        const decided = yield* node.decisions
        const queue = yield* Queue.dropping<Waiting>(Limits.decisionsWaitingMax)
        const { finish, loop } = keeping(journal, queue)
        const rest = Effect.flatMap(PubSub.takeUpTo(decided, Limits.decisionsWaitingMax), (left) =>
          Queue.offerAll(queue, left)
        )
        yield* Effect.addFinalizer(() => Effect.andThen(rest, finish))
        yield* Effect.forkScoped(loop)
        const piping = Effect.uninterruptibleMask((restore) =>
          Effect.flatMap(restore(PubSub.takeBetween(decided, 1, Bounds.batchMax)), (several) =>
            Queue.offerAll(queue, several)
          )
        )
        yield* Effect.forkScoped(Effect.forever(piping))
        return Owner.noted(node, (said) =>
          Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.asVoid(Queue.offer(queue, { at: now, said })))
        )
      }).pipe(Scope.provide(own))
  } satisfies Account as Account
})
