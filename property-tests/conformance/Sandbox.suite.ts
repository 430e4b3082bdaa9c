/**
 * What every sandbox must do, whatever confines it; run it against your own adapter.
 * It must not know an engine: it speaks the port, and a program that does what the first line of its input names.
 * It holds adversaries and crashes only as far as the port can show them; an engine's own live in its own tests.
 */
import { Effect, Exit, Fiber, type Layer, Result } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { type Job, type Program, Sandbox, type SandboxCode, SandboxError } from "../../ports/Sandbox.ts"

/**
 * The program every subject runs, in POSIX shell. The first line of the input is the order; the rest belongs to it.
 * `echo` prints the rest · `flood` prints for ever · `sleep` never ends · `fail` gives a reason and code 3 ·
 * `silent` prints nothing · `deaf` answers without reading its input · `nap` prints after 0.3 seconds ·
 * `talk` repeats each line it is given, until one is `bye`, `fail`, `long` (a line over the limit) or `unfinished`.
 */
export const programText = `#!/bin/sh
PATH=/bin:/usr/bin
read -r order
case $order in
  echo) exec cat ;;
  flood) exec yes 0123456789abcdef ;;
  sleep) exec sleep 600 ;;
  fail) echo 'a first word, and the very reason' >&2; exit 3 ;;
  silent) exit 0 ;;
  deaf) echo heard ;;
  nap) sleep 0.3; echo awake ;;
  talk)
    while read -r line; do
      case $line in
        bye) exit 0 ;;
        fail) echo 'a first word, and the very reason' >&2; exit 3 ;;
        long) yes xxxxxxxxxxxxxxx | head -n 200000 | tr -d '\\n'; echo ;;
        unfinished) printf 'no end'; exit 0 ;;
        *) echo "heard $line" ;;
      esac
    done ;;
  *) echo "unknown order $order" >&2; exit 9 ;;
esac
`

/** One adapter under test. `running` names the jobs of which anything is left, running or not, by job id. */
export interface Subject {
  readonly layer: Layer.Layer<Sandbox>
  /** At most this many jobs at once in `layer`. */
  readonly concurrency: number
  readonly running: Effect.Effect<ReadonlyArray<string>>
  /** How many examples a property may cost. */
  readonly examples: number
}

const encoder = new TextEncoder()

/** A job whose id nothing else on this machine uses. */
export const job = (order: string, rest: string | Uint8Array = "", limits: Partial<Job> = {}): Job => {
  const head = encoder.encode(`${order}\n`)
  const tail = typeof rest === "string" ? encoder.encode(rest) : rest
  const input = new Uint8Array(head.length + tail.length)
  input.set(head)
  input.set(tail, head.length)
  return { id: `t-${crypto.randomUUID()}`, input, timeLimitMs: 10_000, outputBytesMax: 2 * 1024 * 1024, ...limits }
}

/** The failure a job ends with; its success is a defect of the test. */
export const refused = (wanted: Job) => Effect.flip(Effect.flatMap(Sandbox, (sandbox) => sandbox.run(wanted)))

export const answered = (wanted: Job) => Effect.flatMap(Sandbox, (sandbox) => sandbox.run(wanted))

export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

/** Waits until `look` is true, at most `limitMs`; gives the last look. */
export const within = (limitMs: number, look: Effect.Effect<boolean>): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    for (let waitedMs = 0; waitedMs < limitMs; waitedMs += 25) {
      if (yield* look) return true
      yield* Effect.sleep(25)
    }
    return yield* look
  })

const expectCode = (wanted: Job, code: SandboxCode) =>
  Effect.gen(function* () {
    const failure = yield* refused(wanted)
    expect(failure.code).toBe(code)
    expect(failure.message.length).toBeGreaterThan(0)
    return failure
  })

/** Runs the acceptance tests of the port under `name`. `make` is called once; its layer is built anew for each test. */
export const suite = (name: string, make: () => Subject): void => {
  describe(`Sandbox: ${name}`, () => {
    const subject = make()
    const test = <E>(title: string, body: Effect.Effect<void, E, Sandbox>) =>
      it(title, () => Effect.runPromise(Effect.provide(body, subject.layer)))
    const nothingLeft = (id: string) => Effect.map(subject.running, (ids) => !ids.includes(id))

    answers(test, subject)
    limits(test, nothingLeft)
    interruptions(test, subject, nothingLeft)
    talks(test, subject, nothingLeft)
  })
}

type Test = <E>(title: string, body: Effect.Effect<void, E, Sandbox>) => void
type NothingLeft = (id: string) => Effect.Effect<boolean>

const answers = (test: Test, subject: Subject): void => {
  test(
    "says that it is ready, soon",
    Effect.gen(function* () {
      const sandbox = yield* Sandbox
      const status = yield* sandbox.status.pipe(Effect.timeout("2 seconds"))
      expect(status.reason).not.toBe("")
      expect(status.ready).toBe(true)
    })
  )

  test(
    "brings back any bytes as they are, and the facts of the confinement",
    Effect.gen(function* () {
      const sandbox = yield* Sandbox
      yield* Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(fc.uint8Array({ maxLength: 4096 }), async (bytes) => {
            const { output, confinement } = await Effect.runPromise(sandbox.run(job("echo", bytes)))
            expect(output).toEqual(bytes)
            expect(confinement).toMatchObject({ network: "none", readOnlyRoot: true, pids: 100, cpus: 0.5 })
            expect(confinement.memoryBytes).toBe(512 * 1024 * 1024)
          }),
          { numRuns: subject.examples }
        )
      )
    })
  )

  test(
    "carries one MiB in and out",
    Effect.gen(function* () {
      const bytes = Uint8Array.from({ length: 1024 * 1024 }, (_, i) => (i * 2654435761) >>> 13)
      const { output } = yield* answered(job("echo", bytes))
      expect(Buffer.compare(output, bytes)).toBe(0)
    })
  )

  test(
    "an empty answer is an answer",
    Effect.map(answered(job("silent")), ({ output }) => expect(output.length).toBe(0))
  )

  test(
    "a program that does not read its input can answer all the same",
    Effect.gen(function* () {
      for (let round = 0; round < 3; round++) {
        const { output } = yield* answered(job("deaf", new Uint8Array(1024 * 1024)))
        expect(textOf(output)).toBe("heard\n")
      }
    })
  )

  test(
    "runs several at once, and more than may run wait for their turn without losing their time",
    Effect.gen(function* () {
      const sandbox = yield* Sandbox
      const jobs = Array.from({ length: subject.concurrency * 2 }, () => job("nap", "", { timeLimitMs: 3_000 }))
      const all = yield* Effect.forEach(jobs, (one) => sandbox.run(one), { concurrency: "unbounded" })
      expect(all.map(({ output }) => textOf(output))).toEqual(jobs.map(() => "awake\n"))
    })
  )
}

/** Says lines and hears one answer to each; then whatever is heard after the last. */
const exchange = (words: ReadonlyArray<string>) => (program: Program) =>
  Effect.gen(function* () {
    const heard: Array<string | undefined> = []
    for (const word of words) {
      yield* program.say(word)
      heard.push(yield* program.hear)
    }
    return heard
  })

const talked = <A, E>(wanted: Job, talk: (program: Program) => Effect.Effect<A, E>) =>
  Effect.flatMap(Sandbox, (sandbox) => sandbox.converse(wanted, talk))

const talks = (test: Test, { examples }: Subject, nothingLeft: NothingLeft): void => {
  test(
    "lines go both ways while the program runs, and it is gone soon after the talk is over",
    Effect.gen(function* () {
      const sandbox = yield* Sandbox
      const words = fc.array(fc.string({ unit: "grapheme", minLength: 1, maxLength: 50 }), {
        minLength: 1,
        maxLength: 5
      })
      yield* Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(words, async (some) => {
            // `read` trims white space, and a talk ends with these words.
            const said = some.map((word) => `w${word.replace(/[\s\0\p{Cc}]/gu, "")}w`)
            const wanted = job("talk")
            const { confinement, value } = await Effect.runPromise(sandbox.converse(wanted, exchange(said)))
            expect(value).toEqual(said.map((word) => `heard ${word}`))
            expect(confinement).toMatchObject({ network: "none", readOnlyRoot: true })
            expect(await Effect.runPromise(within(2_000, nothingLeft(wanted.id)))).toBe(true)
          }),
          { numRuns: examples }
        )
      )
    })
  )

  test(
    "a program that ends well is heard to have ended, its last line too if it has no end; one that does not fails",
    Effect.gen(function* () {
      expect((yield* talked(job("talk"), exchange(["a", "bye"]))).value).toEqual(["heard a", undefined])
      expect((yield* talked(job("talk"), exchange(["unfinished", "more"]))).value).toEqual(["no end", undefined])
      const failure = yield* Effect.flip(talked(job("talk"), exchange(["fail"])))
      expect(failure).toBeInstanceOf(SandboxError)
      expect(failure.code).toBe("exit-code")
      expect(failure.message).toContain("the very reason")
    })
  )

  test(
    "a line over the limit, and more than all lines may have, end the talk; what came whole before is heard",
    Effect.gen(function* () {
      const bytes = { outputBytesMax: 8 * 1024 * 1024 }
      expect((yield* Effect.flip(talked(job("talk", "", bytes), exchange(["long"])))).code).toBe("output-too-long")
      const heard: Array<string | undefined> = []
      const listening = (program: Program) => Effect.forever(Effect.map(program.hear, (line) => void heard.push(line)))
      const flood = job("flood", "", { outputBytesMax: 100_000 })
      expect((yield* Effect.flip(talked(flood, listening))).code).toBe("output-too-long")
      expect(heard.length).toBeGreaterThan(1_000)
      expect(new Set(heard)).toEqual(new Set(["0123456789abcdef"]))
      expect(yield* nothingLeft(flood.id)).toBe(true)
    })
  )

  test(
    "the talk is bounded in time, fails with its own failure, and can be interrupted; nothing is left",
    Effect.gen(function* () {
      const silent = job("talk", "", { timeLimitMs: 400 })
      const late = yield* Effect.flip(talked(silent, ({ hear }) => hear)).pipe(Effect.timeout("5 seconds"))
      expect(late).toMatchObject({ code: "timed-out" })
      const own = job("talk")
      expect(yield* Effect.flip(talked(own, () => Effect.fail("enough")))).toBe("enough")
      const cut = job("talk")
      const fiber = yield* Effect.forkChild(
        talked(cut, ({ hear }) => hear),
        { startImmediately: true }
      )
      yield* within(
        5_000,
        Effect.map(nothingLeft(cut.id), (gone) => !gone)
      )
      yield* Fiber.interrupt(fiber).pipe(Effect.timeout("2 seconds"))
      for (const { id } of [silent, own, cut]) expect(yield* nothingLeft(id)).toBe(true)
    })
  )

  test(
    "a program that prints and is not heard waits, and one that does not read makes the talk wait",
    Effect.gen(function* () {
      const flood = job("flood", "", { timeLimitMs: 1_000 })
      const patient = talked(flood, ({ hear }) => Effect.andThen(Effect.sleep(300), hear))
      expect((yield* patient).value).toBe("0123456789abcdef")
      const deaf = job("sleep", "", { timeLimitMs: 1_500 })
      const talkative = ({ say }: Program) => Effect.forever(say("x".repeat(100_000)))
      expect((yield* Effect.flip(talked(deaf, talkative))).code).toBe("timed-out")
    })
  )
}

const limits = (test: Test, nothingLeft: NothingLeft): void => {
  test(
    "output up to the cap is an answer; one byte more is a failure, not a truncation",
    Effect.gen(function* () {
      const exact = yield* answered(job("echo", "x".repeat(1000), { outputBytesMax: 1000 }))
      expect(exact.output.length).toBe(1000)
      yield* expectCode(job("echo", "x".repeat(1001), { outputBytesMax: 1000 }), "output-too-long")
    })
  )

  test(
    "a program that prints for ever is stopped by the cap, and nothing is left of it",
    Effect.gen(function* () {
      const flood = job("flood", "", { outputBytesMax: 100_000 })
      yield* expectCode(flood, "output-too-long")
      expect(yield* nothingLeft(flood.id)).toBe(true)
    })
  )

  test(
    "a program that never ends is stopped by its time limit, and nothing is left of it",
    Effect.gen(function* () {
      const endless = job("sleep", "", { timeLimitMs: 400 })
      yield* expectCode(endless, "timed-out").pipe(Effect.timeout("5 seconds"))
      expect(yield* nothingLeft(endless.id)).toBe(true)
    })
  )

  test(
    "a program that fails is a failure with its last words",
    Effect.gen(function* () {
      const failing = job("fail")
      const failure = yield* expectCode(failing, "exit-code")
      expect(failure.message).toContain("the very reason")
      expect(yield* nothingLeft(failing.id)).toBe(true)
    })
  )
}

const interruptions = (test: Test, subject: Subject, nothingLeft: NothingLeft): void => {
  test(
    "interrupting a run kills it and removes it within two seconds",
    Effect.gen(function* () {
      const endless = job("sleep")
      const fiber = yield* Effect.forkChild(answered(endless), { startImmediately: true })
      expect(
        yield* within(
          5_000,
          Effect.map(nothingLeft(endless.id), (gone) => !gone)
        )
      ).toBe(true)
      const cut = yield* Fiber.interrupt(fiber).pipe(Effect.timeout("2 seconds"), Effect.result)
      expect(Result.isSuccess(cut)).toBe(true)
      expect(yield* nothingLeft(endless.id)).toBe(true)
    })
  )

  test(
    "interrupting at any moment of a run leaves nothing",
    Effect.gen(function* () {
      const sandbox = yield* Sandbox
      const moments = fc.integer({ min: 0, max: 250 })
      yield* Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(moments, async (afterMs) => {
            const short = job("nap")
            const run = sandbox.run(short).pipe(Effect.timeoutOption(afterMs), Effect.timeout(afterMs + 2_000))
            await Effect.runPromise(run)
            expect(await Effect.runPromise(within(2_000, nothingLeft(short.id)))).toBe(true)
          }),
          { numRuns: subject.examples }
        )
      )
    })
  )

  test(
    "a run that is interrupted while it waits for its turn never starts, and gives its turn to nobody's loss",
    Effect.gen(function* () {
      const busy = Array.from({ length: subject.concurrency }, () => job("nap"))
      const fibers = yield* Effect.forEach(busy, (one) => Effect.forkChild(answered(one), { startImmediately: true }))
      const waiting = job("echo", "late")
      const fiber = yield* Effect.forkChild(answered(waiting), { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      expect(Exit.isFailure(yield* Fiber.await(fiber))).toBe(true)
      expect(yield* nothingLeft(waiting.id)).toBe(true)
      for (const one of fibers) expect(textOf((yield* Fiber.join(one)).output)).toBe("awake\n")
      expect(textOf((yield* answered(job("echo", "after"))).output)).toBe("after")
    })
  )
}
