/**
 * The turn loop: take what waits, step, store the difference, then perform, then take the next.
 * It never lets an output happen whose turn is not stored, and never lets a failure of the disk pass as success.
 * One fiber owns the state; everything else talks to it through a bounded queue of inputs.
 */
import { Clock, Effect, FiberHandle, FiberSet, Queue } from "effect"
import type { RecordStoreShape, StoreError } from "../../ports/RecordStore.ts"
import * as Limits from "../Limits.ts"
import type { Decided } from "./Decisions.ts"
import * as Egress from "./Egress.ts"
import type { Input, Turn } from "./Input.ts"
import type { Output } from "./Output.ts"
import * as Records from "./Records.ts"
import type { State } from "./State.ts"
import * as Step from "./Step.ts"
import * as StorageFailure from "./StorageFailure.ts"

/**
 * Steps, stores and adopts a batch, or fails and leaves everything as it was. Gives what to perform. Changes that only
 * forget stay in the state as unwritten and go with the next ones: a message costs its sender one flush, not two.
 */
const makeTurn = (outside: Egress.Outside, store: RecordStoreShape, adopt: (state: State) => void) =>
  Effect.fnUntraced(function* (batch: ReadonlyArray<Input>) {
    const { crypto, state } = outside.world
    const nowMs = yield* Clock.currentTimeMillis
    let entropy: Uint8Array | undefined
    let next = state()
    const outputs: Array<Output> = []
    const decided: Array<Decided> = []
    // Drawn when a turn asks for it: most do not.
    const entropyOf = (index: number) => {
      entropy ??= crypto.randomBytes(32 * batch.length)
      return entropy.subarray(32 * index, 32 * index + 32)
    }
    for (const [index, input] of batch.entries()) {
      const given: Turn = {
        nowMs,
        get entropy() {
          return entropyOf(index)
        },
        sha256: crypto.sha256,
        pure: crypto
      }
      const [stepped, wanted] = Step.step(next, input, given)
      next = stepped
      outputs.push(...wanted)
      decided.push(...next.passing.decided)
    }
    const changes = Records.diff(next.durable)
    if (Records.onlyForget(changes) && !batch.some((input) => input._tag === "Tick")) adopt(next)
    else {
      yield* store.commit(changes)
      adopt({ ...next, durable: Records.settled(next.durable) })
    }
    Egress.account(outside, decided, nowMs)
    return outputs
  })

/** Stores what was only forgotten so far. */
const makeTidyUp = (outside: Egress.Outside, store: RecordStoreShape, adopt: (state: State) => void) =>
  Effect.suspend(() => {
    const state = outside.world.state()
    const changes = Records.diff(state.durable)
    if (changes.length === 0) return Effect.void
    return store.commit(changes).pipe(
      Effect.andThen(Effect.sync(() => adopt({ ...state, durable: Records.settled(state.durable) }))),
      Effect.catch(() => Effect.void)
    )
  })

/** Performs what a committed turn wants. An output that breaks is logged; the turn has happened all the same. */
const performAll = (outside: Egress.Outside, outputs: ReadonlyArray<Output>) =>
  Effect.suspend(() => {
    const works: Array<Effect.Effect<void>> = []
    for (const output of outputs) {
      const broke = (defect: unknown) => Effect.logError(`an output of kind ${output._tag} broke`, defect)
      try {
        const work = Egress.perform(outside, output)
        if (work !== undefined) works.push(Effect.catchDefect(work, broke))
      } catch (defect) {
        works.push(broke(defect))
      }
    }
    return Effect.forEach(works, (work) => work, { discard: true })
  })

/** One input whose turn cannot be stored: its consequences without the turn. */
const withoutStorage = (outside: Egress.Outside, input: Input, error: StoreError) => {
  const instead = StorageFailure.instead(input, error)
  const later = Effect.sleep(Limits.retryPauseMs).pipe(Effect.andThen(outside.world.offer(input)))
  return performAll(outside, instead.outputs).pipe(
    Effect.andThen(instead.again ? FiberSet.run(outside.work, later) : Effect.void),
    Effect.as(instead.next)
  )
}

/** One input whose turn broke: it has not happened, and the log says which. */
const withoutTurn = (outside: Egress.Outside, input: Input, defect: unknown) => {
  const instead = StorageFailure.broken(input)
  return Effect.logError(`a turn broke on an input of kind ${input._tag}; it is given up`, defect).pipe(
    Effect.andThen(performAll(outside, instead.outputs)),
    Effect.as(instead.next)
  )
}

/**
 * The loop of a node over its queue of inputs. `adopt` gets each committed state; `first` takes one batch before the
 * loop runs and fails if it cannot be stored. The loop ends only when the store is closed for good.
 */
export const make = Effect.fnUntraced(function* (
  outside: Egress.Outside,
  store: RecordStoreShape,
  inputs: Queue.Queue<Input>,
  adopt: (state: State) => void
) {
  const turn = makeTurn(outside, store, adopt)
  const perform = (outputs: ReadonlyArray<Output>) => performAll(outside, outputs)
  const alarm = yield* FiberHandle.make()

  /** A batch that could not be stored, or broke, is tried input by input, so that one does not take others with it. */
  const oneByOne = (batch: ReadonlyArray<Input>) => Effect.forEach(batch, alone, { discard: true })
  const alone = (input: Input): Effect.Effect<void, StoreError> =>
    turn([input]).pipe(
      Effect.flatMap((outputs) => Effect.as(perform(outputs), undefined)),
      Effect.catch((error) => (error.code === "closed" ? Effect.fail(error) : withoutStorage(outside, input, error))),
      Effect.catchDefect((defect) => withoutTurn(outside, input, defect)),
      Effect.flatMap((next) => (next === undefined ? Effect.void : instead(next)))
    )
  /** What follows from a turn that could not be: should it not be possible either, the log says so and the node goes on. */
  const instead = (next: Input): Effect.Effect<void, StoreError> =>
    Effect.flatMap(turn([next]), perform).pipe(
      Effect.catch((error) => (error.code === "closed" ? Effect.fail(error) : Effect.logError(error.message))),
      Effect.catchDefect((defect) => Effect.logError(`a turn broke on an input of kind ${next._tag}`, defect))
    )

  const tidyUp = makeTidyUp(outside, store, adopt)
  yield* Effect.addFinalizer(() => tidyUp)

  let alarmAtMs = Number.POSITIVE_INFINITY
  let ringing = false
  // A tick may have to wait for room in the queue: setting the next alarm must not take it back.
  const ring = Effect.suspend(() => {
    alarmAtMs = Number.POSITIVE_INFINITY
    ringing = true
    return FiberSet.run(outside.work, outside.world.offer({ _tag: "Tick" }))
  })
  /**
   * Sees to it that the next turn comes in time. An alarm that is set for earlier stays: a turn too many costs nothing. Not
   * before `pauseMs`: what is due and cannot be stored would else be due again at once, for as long as the disk is full.
   */
  const setAlarm = (pauseMs: number) => {
    const { state } = outside.world
    return Effect.flatMap(Clock.currentTimeMillis, (nowMs) => {
      const untidy = Records.isDirty(state().durable) ? nowMs + Limits.tidyUpMs : Number.POSITIVE_INFINITY
      const wakeMs = Math.max(nowMs + 1, nowMs + pauseMs, Math.min(Step.nextWakeMs(state(), nowMs), untidy))
      if (ringing || wakeMs >= alarmAtMs) return Effect.void
      alarmAtMs = wakeMs
      return Effect.asVoid(FiberHandle.run(alarm, Effect.andThen(Effect.sleep(wakeMs - nowMs), ring)))
    })
  }
  const loop = Effect.gen(function* () {
    for (;;) {
      const batch = yield* Queue.takeBetween(inputs, 1, Limits.batchMax)
      if (batch.some((input) => input._tag === "Tick")) ringing = false
      const outputs = yield* turn(batch).pipe(
        Effect.catch((error) => (error.code === "closed" ? Effect.fail(error) : Effect.succeed(undefined))),
        Effect.catchDefect(() => Effect.succeed(undefined))
      )
      yield* outputs === undefined ? oneByOne(batch) : perform(outputs)
      yield* setAlarm(outputs === undefined ? Limits.retryPauseMs : 0)
    }
  })
  return { first: (batch: ReadonlyArray<Input>) => Effect.flatMap(turn(batch), perform), loop }
})
