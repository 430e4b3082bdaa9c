/**
 * The table of the sandboxes that pass the acceptance suite, and what only one of them can be asked.
 * It must not repeat the suite; a rule for every sandbox belongs there.
 * The Docker rows need an engine: where none answers they are skipped aloud, or fail if `REQUIRE_DOCKER=1`.
 */

import { PassThrough } from "node:stream"
import { it as effectIt } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { demoProgram, demoProgramPath, demoProgramText } from "../../adapters/docker/demo-program.sh.ts"
import { assemble } from "../../adapters/docker/Image.ts"
import { basin, collect, demultiplexer, type Stream } from "../../adapters/docker/Output.ts"
import { layer as dockerLayer } from "../../adapters/docker/Sandbox.ts"
import { ledger, layer as memoryLayer, type Script, type Talker, timesStarted } from "../../adapters/memory/Sandbox.ts"
import { type Job, type Program, Sandbox, SandboxError } from "../../ports/Sandbox.ts"
import { docker, jobsOf, withEngine } from "./docker-engine.ts"
import { answered, job, programText, refused, suite, textOf } from "./Sandbox.suite.ts"

/** The suite's program, for a sandbox that runs scripts. */
const script: Script = ({ input, outputBytesMax }: Job) => {
  const at = input.indexOf(10)
  const order = textOf(input.subarray(0, at))
  if (order === "echo") return input.slice(at + 1)
  if (order === "flood") return new Uint8Array(outputBytesMax + 1)
  if (order === "silent") return new Uint8Array(0)
  if (order === "deaf") return new TextEncoder().encode("heard\n")
  if (order === "nap") return Effect.delay(Effect.succeed(new TextEncoder().encode("awake\n")), "300 millis")
  if (order === "sleep") return Effect.never
  return new SandboxError({ code: "exit-code", message: "the program ended with code 3: the very reason" })
}

/** The same for one that is talked with. */
const talker: Talker = ({ input }, { print, read }) =>
  Effect.gen(function* () {
    const order = textOf(input).trimEnd()
    if (order === "sleep") return yield* Effect.never
    if (order === "flood") while (true) yield* print("0123456789abcdef")
    for (let line = yield* read; line !== undefined && line !== "bye"; line = yield* read) {
      if (line === "fail")
        return yield* Effect.fail(new SandboxError({ code: "exit-code", message: "code 3: the very reason" }))
      if (line === "long") yield* print("x".repeat(3_000_000))
      else if (line === "unfinished") return yield* print("no end")
      else yield* print(`heard ${line}`)
    }
  })

suite("memory", () => {
  const book = ledger()
  return {
    layer: memoryLayer(script, { ledger: book, concurrency: 3, talker }),
    concurrency: 3,
    running: Effect.sync(() => book.runs.filter(({ ending }) => ending === undefined).map(({ jobId }) => jobId)),
    examples: 8
  }
})

describe("the memory sandbox", () => {
  effectIt.effect("keeps time limits by the clock it is given, and a book of what it ran", () => {
    const book = ledger()
    const endless = job("sleep", "", { timeLimitMs: 3_600_000 })
    const body = Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(refused(endless), { startImmediately: true })
      yield* TestClock.adjust("59 minutes")
      expect(book.runs).toEqual([{ jobId: endless.id, ending: undefined }])
      yield* TestClock.adjust("1 minute")
      expect((yield* Fiber.join(fiber)).code).toBe("timed-out")
      expect(timesStarted(book, endless.id)).toBe(1)
      expect(book.runs[0]?.ending).toBe("timed-out")
    })
    return Effect.provide(body, memoryLayer(script, { ledger: book }))
  })

  it("refuses when it is told to be absent, as does the null object", async () => {
    const absent = memoryLayer(script, { absent: "not today" })
    for (const sandbox of [absent, Sandbox.refuseAll]) {
      const failure = await Effect.runPromise(Effect.provide(refused(job("echo", "x")), sandbox))
      expect(failure.code).toBe("no-engine")
    }
  })
})

const image = "wopr-p2p-conformance:1"
const ownerId = `conformance-${process.pid}`

withEngine("Sandbox: docker", () => {
  beforeAll(async () => {
    const files = [
      { path: "/suite.sh", text: programText },
      { path: demoProgramPath, text: demoProgramText }
    ]
    await Effect.runPromise(assemble({ tag: image, files }))
  })

  afterAll(async () => {
    for (const owner of [ownerId, `${ownerId}-warm`]) expect(await Effect.runPromise(jobsOf(owner))).toEqual([])
    await docker.getImage(image).remove()
  })

  suite("docker", () => ({
    layer: dockerLayer({ image, program: ["/bin/sh", "/suite.sh"], ownerId, concurrency: 3 }),
    concurrency: 3,
    running: jobsOf(ownerId),
    examples: 8
  }))

  suite("docker, with containers started ahead", () => ({
    layer: dockerLayer({
      image,
      program: ["/bin/sh", "/suite.sh"],
      ownerId: `${ownerId}-warm`,
      concurrency: 3,
      warm: 2
    }),
    concurrency: 3,
    running: jobsOf(`${ownerId}-warm`),
    examples: 8
  }))

  it("takes a container started ahead for one talk alone, and none that has ended", async () => {
    const warm = dockerLayer({ image, program: ["/bin/sh", "/suite.sh"], ownerId: `${ownerId}-ahead`, warm: 1 })
    const talk = ({ hear, say }: Program) => Effect.andThen(Effect.andThen(say("talk"), say("a")), hear)
    const story = Effect.gen(function* () {
      const sandbox = yield* Sandbox
      const ahead = Effect.promise(() =>
        docker.listContainers({ filters: { label: [`wopr-p2p.owner=${ownerId}-ahead`] } })
      )
      // One that was taken is removed behind its answer, and may be there for a moment yet.
      const another = Effect.fnUntraced(function* (than: string) {
        for (;;) {
          const found = (yield* ahead).find(({ Id }) => Id !== than)
          if (found !== undefined) return found.Id
          yield* Effect.sleep(50)
        }
      })
      const first = yield* another("")
      const taken = yield* sandbox.converse({ ...job("talk"), input: new Uint8Array(0) }, talk)
      const second = yield* another(first)
      yield* Effect.promise(() => docker.getContainer(second).kill())
      const cold = yield* sandbox.converse({ ...job("talk"), input: new Uint8Array(0) }, talk)
      return {
        first,
        second,
        ids: [taken, cold].map(({ confinement }) => confinement.containerId),
        said: [taken.value, cold.value]
      }
    })
    const { first, ids, said, second } = await Effect.runPromise(story.pipe(Effect.provide(warm)))
    expect(said).toEqual(["heard a", "heard a"])
    expect(ids[0]).toBe(first)
    expect([first, second]).not.toContain(ids[1])
    expect(await Effect.runPromise(jobsOf(`${ownerId}-ahead`))).toEqual([])
  }, 30_000)

  it("assembles the same image only once", async () => {
    const recipe = { tag: "wopr-p2p-conformance:twice", files: [{ path: "/a/b", text: "c" }] }
    const first = await Effect.runPromise(assemble(recipe))
    const second = await Effect.runPromise(assemble(recipe))
    const other = await Effect.runPromise(assemble({ ...recipe, files: [{ path: "/a/b", text: "d" }] }))
    const there = (imageId: string) =>
      docker
        .getImage(imageId)
        .inspect()
        .then(Boolean, () => false)
    expect([await there(first.imageId), await there(other.imageId)]).toEqual([false, true])
    await docker.getImage(recipe.tag).remove()
    expect([first.imported, second.imported, other.imported]).toEqual([true, false, true])
    expect(second.imageId).toBe(first.imageId)
    expect(other.imageId).not.toBe(first.imageId)
  })

  it("the demo's program answers any request with one line of true JSON about its confinement", async () => {
    const demo = dockerLayer({ image, program: demoProgram, ownerId })
    const request = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("", '"\\\n\0', "%s%d$(id)`id`"))
    const property = fc.asyncProperty(request, async (text) => {
      const input = new TextEncoder().encode(text)
      const { output } = await Effect.runPromise(Effect.provide(answered({ ...job("echo"), input }), demo))
      const line = textOf(output)
      expect(line.indexOf("\n")).toBe(line.length - 1)
      expect(JSON.parse(line)).toMatchObject({
        requestBytes: input.length,
        uid: 65534,
        interfaces: ["lo"],
        routes: 0,
        capEff: "0000000000000000",
        noNewPrivs: 1,
        seccomp: 2,
        writeError: expect.stringContaining("Read-only file system") as unknown
      })
    })
    await fc.assert(property, { numRuns: 6 })
  })
})

/** A frame of the engine: stream, payload. */
const framed = (stream: number, payload: Uint8Array): Uint8Array => {
  const frame = Buffer.alloc(8 + payload.length)
  frame[0] = stream
  frame.writeUInt32BE(payload.length, 4)
  frame.set(payload, 8)
  return frame
}

const frames = fc.array(fc.tuple(fc.constantFrom(1, 2), fc.uint8Array({ maxLength: 40 })), { maxLength: 12 })

describe("the engine's interleaved outputs", () => {
  it("come apart the same whole, byte by byte, and in any pieces", () => {
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }), (sent, sizes) => {
        const bytes = Buffer.concat(sent.map(([stream, payload]) => framed(stream, payload)))
        const wanted = (stream: number) => Buffer.concat(sent.filter(([one]) => one === stream).map(([, one]) => one))
        for (const pieces of [[bytes.length + 1], [1], sizes]) {
          const got: Record<Stream, Array<Uint8Array>> = { output: [], error: [] }
          const reader = demultiplexer((stream, piece) => got[stream].push(piece))
          for (let at = 0, i = 0; at < bytes.length; i++) {
            const size = pieces[i % pieces.length]!
            expect(reader.push(bytes.subarray(at, at + size))).toBe(true)
            at += size
          }
          expect(reader.between()).toBe(true)
          expect(Buffer.concat(got.output)).toEqual(wanted(1))
          expect(Buffer.concat(got.error)).toEqual(wanted(2))
        }
      })
    )
  })

  it("are refused when they are cut short, not framed, or longer than the cap", async () => {
    const collected = (bytes: Uint8Array, bytesMax: number) => {
      const socket = new PassThrough()
      socket.end(bytes)
      return Effect.runPromise(Effect.result(collect(socket, bytesMax)))
    }
    const frame = framed(1, Buffer.from("hello"))
    expect(await collected(frame, 5)).toMatchObject({ _tag: "Success" })
    expect(await collected(frame, 4)).toMatchObject({ failure: { code: "output-too-long" } })
    expect(await collected(frame.subarray(0, 12), 5)).toMatchObject({ failure: { code: "engine-failed" } })
    expect(await collected(frame.subarray(0, 3), 5)).toMatchObject({ failure: { code: "engine-failed" } })
    expect(await collected(Buffer.from("HTTP/1.1 500"), 5)).toMatchObject({ failure: { code: "engine-failed" } })
  })

  it("are held in one buffer that never outgrows its cap", () => {
    fc.assert(
      fc.property(
        fc.nat(20_000),
        fc.array(fc.uint8Array({ maxLength: 9_000 }), { maxLength: 8 }),
        (bytesMax, pieces) => {
          const kept = basin(bytesMax)
          const accepted = pieces.filter((piece) => kept.pour(piece))
          expect(Buffer.concat(accepted).equals(kept.bytes())).toBe(true)
          expect(kept.bytes().length).toBeLessThanOrEqual(bytesMax)
        }
      )
    )
  })
})
