/**
 * The RecordStore suite on every adapter, and what only the filesystem adapter promises: its bytes, its lock, its modes.
 * The journal is cut at every length and broken at every byte: no state but that of a prefix of commits may ever load.
 * A full disk is a real one (a small tmpfs) where the test may mount it, because simulated errors prove our simulation.
 */
import { execFileSync, spawn } from "node:child_process"
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync
} from "node:fs"
import { hostname, tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { Effect, Layer, Logger } from "effect"
import fc from "fast-check"
import { afterEach, describe, expect, it } from "vitest"
import { type JournalSystem, nodeSystem } from "../../adapters/filesystem/Journal.ts"
import { headerBytes } from "../../adapters/filesystem/JournalFrame.ts"
import { layer as filesystemLayer, type Settings } from "../../adapters/filesystem/RecordStore.ts"
import { Disk, layer as memoryLayer } from "../../adapters/memory/RecordStore.ts"
import { RecordStore, StoreError } from "../../ports/RecordStore.ts"
import { batch, found } from "./RecordStore.ring.ts"
import { applied, codeOf, openStore, type Subject, sorted, suite } from "./RecordStore.suite.ts"

const memorySubject = (): Subject => {
  const disk = new Disk()
  return {
    layer: memoryLayer(disk),
    afterCrash: () => memoryLayer(disk.copy()),
    failNextCommit: (code) => disk.failNextCommit(code)
  }
}

/** What is left of a folder when its process dies: every file, and no living lock. */
const copyAsAfterCrash = (from: string, to: string): string => {
  mkdirSync(to, { mode: 0o700 })
  for (const name of readdirSync(from)) {
    if (!name.startsWith("lock.")) copyFileSync(join(from, name), join(to, name))
  }
  return to
}

const systemError = (code: string): Error => Object.assign(new Error(`${code}: as the test asked`), { code })

/** The real system with a switch for each call. A write that fails leaves half of its bytes behind, as real ones do. */
const failingSystem = (next: { write?: string; sync?: string; truncate?: string }): JournalSystem => {
  const due = (call: "write" | "sync" | "truncate"): void => {
    const code = next[call]
    delete next[call]
    if (code !== undefined) throw systemError(code)
  }
  return {
    write: async (handle, bytes, position) => {
      if (next.write !== undefined) await nodeSystem().write(handle, bytes.subarray(0, bytes.length >> 1), position)
      due("write")
      await nodeSystem().write(handle, bytes, position)
    },
    sync: async (handle, bytes) => {
      due("sync")
      await nodeSystem().sync(handle, bytes)
    },
    truncate: async (handle, length) => {
      due("truncate")
      await nodeSystem().truncate(handle, length)
    }
  }
}

const filesystemSubject = (checkpointBytes: number, failing: "write" | "sync") => (): Subject => {
  const root = mkdtempSync(join(tmpdir(), "store-"))
  const next: { write?: string; sync?: string } = {}
  const settings = { checkpointBytes, system: failingSystem(next), views: [{ file: "view.json", collections: ["a"] }] }
  let copies = 0
  return {
    layer: filesystemLayer({ folder: join(root, "live"), ...settings }),
    afterCrash: () => filesystemLayer({ folder: copyAsAfterCrash(join(root, "live"), join(root, `crash${copies++}`)) }),
    failNextCommit: (code) => {
      next[failing] = code === "disk-full" ? "ENOSPC" : "EIO"
    },
    dispose: () => rmSync(root, { recursive: true })
  }
}

suite("memory", memorySubject, 300)
suite("filesystem", filesystemSubject(4 << 20, "write"), 40)
suite("filesystem, rewriting its journal all the time", filesystemSubject(200, "sync"), 40)

const cleanups: Array<() => unknown> = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const temporaryFolder = (): string => {
  const root = mkdtempSync(join(tmpdir(), "store-"))
  cleanups.push(() => rmSync(root, { recursive: true, force: true }))
  return root
}

const put = (key: string, value: string) => ({ collection: "c", key, value })

/** Opens, does, closes. */
const using = async <A>(
  settings: Settings,
  use: (store: RecordStore["Service"]) => Effect.Effect<A, StoreError>
): Promise<A> => {
  const { store, close } = await openStore(filesystemLayer(settings))
  try {
    return await Effect.runPromise(use(store))
  } finally {
    await close()
  }
}

const load = (folder: string) => using({ folder }, (store) => store.load)

const refusal = async (settings: Settings): Promise<StoreError> => {
  const error: unknown = await openStore(filesystemLayer(settings)).then(
    async ({ close }) => close(),
    (failure: unknown) => failure
  )
  if (error instanceof StoreError) return error
  throw new Error("the store opened although it should have refused")
}

/** Commits batches 1 to `count` one by one; gives the length of the journal after each, the empty one first. */
const writeBatches = (folder: string, count: number): Promise<ReadonlyArray<number>> =>
  using({ folder }, (store) =>
    Effect.gen(function* () {
      const length = () => statSync(join(folder, "journal.log")).size
      const lengths = [length()]
      for (let number = 1; number <= count; number++) {
        yield* store.commit(batch(number))
        lengths.push(length())
      }
      return lengths
    })
  )

/** The failure of something that must fail. */
const refused = <E>(effect: Effect.Effect<unknown, E>): Effect.Effect<E> => Effect.orDie(Effect.flip(effect))

/** A private folder whose journal is these bytes. */
const folderWith = (root: string, journal: Uint8Array): string => {
  const folder = mkdtempSync(join(root, "case-"))
  writeFileSync(join(folder, "journal.log"), journal, { mode: 0o600 })
  return folder
}

describe("RecordStore: filesystem: the journal's bytes", () => {
  it("cut at any length loads exactly the commits that are whole, and stays usable", async () => {
    const root = temporaryFolder()
    const ends = await writeBatches(join(root, "whole"), 4)
    const journal = readFileSync(join(root, "whole", "journal.log"))
    for (let length = 0; length < journal.length; length++) {
      const folder = folderWith(root, journal.subarray(0, length))
      if (length < headerBytes) {
        expect((await refusal({ folder })).code, `cut at ${length}`).toBe("damaged")
      } else {
        const expected = ends.filter((end) => end <= length).length - 1
        expect(found(await load(folder)), `cut at ${length}`).toBe(expected)
        expect(statSync(join(folder, "journal.log")).size).toBe(ends[expected])
      }
      rmSync(folder, { recursive: true })
    }
    const folder = folderWith(root, journal.subarray(0, journal.length - 1))
    await using({ folder }, (store) => store.commit(batch(4)))
    expect(found(await load(folder))).toBe(4)
  })

  it("broken at any byte refuses as damaged, or loads without the last commit if that is the broken one", async () => {
    const root = temporaryFolder()
    const ends = await writeBatches(join(root, "whole"), 4)
    const journal = readFileSync(join(root, "whole", "journal.log"))
    const lastCommit = ends.at(-2)!
    for (let position = 0; position < journal.length; position++) {
      const broken = Buffer.from(journal)
      broken[position]! ^= 1 << (position % 8)
      const folder = folderWith(root, broken)
      if (position < lastCommit) {
        const error = await refusal({ folder })
        expect(error.code, `broken at ${position}`).toBe("damaged")
        expect(error.message).toContain("mv '")
        expect(readFileSync(join(folder, "journal.log")).equals(broken)).toBe(true)
      } else {
        expect(found(await load(folder)), `broken at ${position}`).toBe(3)
      }
      rmSync(folder, { recursive: true })
    }
  })

  it("with a checkpoint in front refuses any cut or break inside it", async () => {
    const root = temporaryFolder()
    const folder = join(root, "whole")
    await using({ folder, checkpointBytes: 1_000 }, (store) =>
      Effect.forEach([1, 2, 3, 4, 5, 6], (number) => store.commit(batch(number)), { discard: true })
    )
    const journal = readFileSync(join(folder, "journal.log"))
    const checkpointEnd = Number(journal.readBigUInt64BE(24))
    expect(checkpointEnd).toBeGreaterThan(headerBytes)
    for (let length = 0; length < checkpointEnd; length += 13) {
      const broken = Buffer.from(journal)
      broken[length]! ^= 0xff
      for (const bytes of [journal.subarray(0, length), broken]) {
        expect((await refusal({ folder: folderWith(root, bytes) })).code, `at ${length}`).toBe("damaged")
      }
    }
    expect(found(await load(folder))).toBe(6)
  })

  it("with any garbage behind the last commit cuts the garbage and says so", async () => {
    const root = temporaryFolder()
    const ends = await writeBatches(join(root, "whole"), 2)
    const journal = readFileSync(join(root, "whole", "journal.log"))
    const garbage = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 300 }),
      fc.nat({ max: 5_000 }).map((length) => new Uint8Array(length + 1)),
      // Frames of another journal: whole by themselves, and none of ours.
      fc.constant(Uint8Array.from(journal.subarray(ends[1]!)).map((byte, index) => (index === 9 ? byte ^ 1 : byte)))
    )
    await fc.assert(
      fc.asyncProperty(garbage, async (tail) => {
        const folder = folderWith(root, Buffer.concat([journal, tail]))
        const logged: Array<string> = []
        const logger = Logger.make<unknown, void>(({ message }) => void logged.push(String(message)))
        const loading = Effect.scoped(
          Effect.flatMap(Layer.build(filesystemLayer({ folder })), (context) =>
            RecordStore.use((store) => store.load).pipe(Effect.provideContext(context))
          )
        )
        const records = await Effect.runPromise(Effect.provide(loading, Logger.layer([logger])))
        expect(found(records)).toBe(2)
        expect(statSync(join(folder, "journal.log")).size).toBe(journal.length)
        expect(logged.join()).toContain(`cut ${tail.length} bytes`)
      }),
      { numRuns: 60 }
    )
  })

  it("takes no frame of another journal for its own", async () => {
    const root = temporaryFolder()
    const ends = await writeBatches(join(root, "one"), 2)
    await writeBatches(join(root, "two"), 3)
    const one = readFileSync(join(root, "one", "journal.log"))
    const two = readFileSync(join(root, "two", "journal.log"))
    const folder = folderWith(root, Buffer.concat([one, two.subarray(ends[2])]))
    expect(found(await load(folder))).toBe(2)
  })

  it("refuses a frame that stands in the wrong place", async () => {
    const root = temporaryFolder()
    const ends = await writeBatches(join(root, "whole"), 3)
    const journal = readFileSync(join(root, "whole", "journal.log"))
    const swapped = Buffer.concat([journal.subarray(0, ends[1]), journal.subarray(ends[2])])
    expect((await refusal({ folder: folderWith(root, swapped) })).code).toBe("damaged")
  })

  it("takes a commit that is larger than a whole group, between small ones", async () => {
    const folder = join(temporaryFolder(), "live")
    const records = [put("small", "1"), put("big", "x".repeat(9 << 20)), put("after", "2")]
    await using({ folder }, (store) =>
      Effect.forEach(records, (record) => store.commit([record]), { concurrency: "unbounded", discard: true })
    )
    expect(sorted(await load(folder))).toEqual(sorted(records))
  })

  it("is rewritten when it is long, keeps everything, and forgets drafts that a crash left", async () => {
    const folder = join(temporaryFolder(), "live")
    await using({ folder, checkpointBytes: 20_000 }, (store) =>
      Effect.forEach(
        Array.from({ length: 300 }, (_, index) => index + 1),
        (number) => store.commit(batch(number)),
        { discard: true }
      )
    )
    expect(statSync(join(folder, "journal.log")).size).toBeLessThan(100_000)
    writeFileSync(join(folder, ".journal.log.0123456789ab.new"), "half a checkpoint")
    writeFileSync(join(folder, ".view.json.0123456789ab.new"), "{")
    const views = [{ file: "view.json", collections: [] }]
    expect(found(await using({ folder, views }, (store) => store.load))).toBe(300)
    expect(readdirSync(folder).sort()).toEqual(["journal.log", "view.json"])
  })
})

describe("RecordStore: filesystem: failing system calls", () => {
  it("goes on in a fresh journal after a flush that failed", async () => {
    const folder = join(temporaryFolder(), "live")
    const next: { sync?: string } = {}
    await using({ folder, system: failingSystem(next) }, (store) =>
      Effect.gen(function* () {
        yield* store.commit([put("a", "1")])
        const before = statSync(join(folder, "journal.log")).ino
        next.sync = "EIO"
        const failed = yield* refused(store.commit([put("a", "2")]))
        expect(failed.code).toBe("unwritable")
        expect(statSync(join(folder, "journal.log")).ino).not.toBe(before)
        yield* store.commit([put("b", "3")])
      })
    )
    expect(sorted(await load(folder))).toEqual(sorted([put("a", "1"), put("b", "3")]))
  })

  it("is over when a failed commit cannot be taken back, and the next start has whole commits only", async () => {
    const folder = join(temporaryFolder(), "live")
    const next: { write?: string; truncate?: string } = {}
    await using({ folder, system: failingSystem(next) }, (store) =>
      Effect.gen(function* () {
        yield* store.commit([put("a", "1")])
        next.write = "EIO"
        next.truncate = "EIO"
        expect((yield* refused(store.commit([put("a", "2")]))).code).toBe("unwritable")
        expect((yield* refused(store.commit([put("b", "3")]))).code).toBe("closed")
        expect(sorted(yield* store.load)).toEqual(sorted([put("a", "1")]))
      })
    )
    expect(sorted(await load(folder))).toEqual(sorted([put("a", "1")]))
  })

  it("fails everyone in a group whose write failed, and none of them is found", async () => {
    const folder = join(temporaryFolder(), "live")
    const next: { write?: string } = {}
    await using({ folder, system: failingSystem(next) }, (store) =>
      Effect.gen(function* () {
        next.write = "ENOSPC"
        const commits = Array.from({ length: 10 }, (_, index) => Effect.exit(store.commit([put(`${index}`, "x")])))
        const exits = yield* Effect.all(commits, { concurrency: "unbounded" })
        const done = exits.filter(({ _tag }) => _tag === "Success").length
        expect(done).toBeLessThan(10)
        expect((yield* store.load).length).toBe(done)
      })
    )
  })
})

describe("RecordStore: filesystem: a full disk", () => {
  const canMount = process.platform === "linux" && process.getuid?.() === 0
  it("refuses, holds what it held, and goes on when there is room again", async ({ skip }) => {
    if (!canMount) skip("only root on Linux can mount the small disk that this test fills")
    const disk = temporaryFolder()
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=512k,mode=700", "tmpfs", disk], { stdio: "ignore" })
    } catch {
      skip("mounting is not allowed here")
    }
    cleanups.push(() => execFileSync("umount", ["-l", disk]))
    const folder = join(disk, "live")
    const ballast = join(disk, "ballast")
    writeFileSync(ballast, new Uint8Array(128 << 10))
    const settings = { folder, checkpointBytes: 150_000, views: [{ file: "view.json", collections: ["c"] }] }
    const value = "x".repeat(5_000)
    const held = await using(settings, (store) =>
      Effect.gen(function* () {
        let count = 0
        const fill = Effect.suspend(() => store.commit([put(`k${count % 40}`, value), put("count", `${count}`)]))
        const failed = yield* refused(
          Effect.forever(
            Effect.andThen(
              fill,
              Effect.sync(() => {
                count += 1
              })
            )
          )
        ).pipe(Effect.provide(Logger.layer([])))
        expect(failed.code).toBe("disk-full")
        expect(failed.message).toContain("free some space")
        const before = sorted(yield* store.load)
        expect(before).toContain(JSON.stringify(["c", "count", `${count - 1}`]))
        expect((yield* refused(store.commit([put("huge", value.repeat(100))]))).code).toBe("disk-full")
        expect(sorted(yield* store.load)).toEqual(before)
        unlinkSync(ballast)
        yield* store.commit([put("after", "room")]).pipe(Effect.provide(Logger.layer([])))
        return yield* store.load
      })
    )
    expect(sorted(await load(folder))).toEqual(sorted(held))
  })
})

/** Starts a process on a folder; gives its first line, and what ends it. */
const startProcess = async (folder: string, mode: "hold" | "count") => {
  const child = spawn(process.execPath, [join(import.meta.dirname, "RecordStore.process.ts"), folder, mode], {
    stdio: ["pipe", "pipe", "inherit"]
  })
  const exited = new Promise((resolve) => child.once("exit", resolve))
  cleanups.push(async () => {
    child.kill("SIGKILL")
    await exited
  })
  const lines = createInterface({ input: child.stdout })
  const first = await new Promise<string>((resolve) => lines.once("line", resolve))
  const kill = (): Promise<unknown> => {
    child.kill("SIGKILL")
    return exited
  }
  const end = (): Promise<unknown> => {
    child.stdin.end()
    return exited
  }
  return { first, pid: child.pid, kill, end }
}

const forgedLock = (folder: string, holder: object, ageMs = 0): void => {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const path = join(folder, "lock.1.0123456789ab")
  writeFileSync(path, JSON.stringify(holder))
  const then = new Date(Date.now() - ageMs)
  utimesSync(path, then, then)
}

describe("RecordStore: filesystem: the lock", () => {
  it("names the process that has the folder, and is free when that one ends or is killed", async () => {
    const folder = join(temporaryFolder(), "live")
    const first = await startProcess(folder, "hold")
    expect(first.first).toBe("open")
    const error = await refusal({ folder })
    expect(error.code).toBe("locked")
    expect(error.message).toContain(`process ${first.pid} on ${hostname()} since 2`)
    await first.end()
    expect(await load(folder)).toEqual([])
    const second = await startProcess(folder, "hold")
    expect(second.first).toBe("open")
    await second.kill()
    expect(await load(folder)).toEqual([])
    expect(readdirSync(folder).sort()).toEqual(["journal.log", "view.json"])
  })

  it("lets at most one of many starters in", async () => {
    const folder = join(temporaryFolder(), "live")
    const starters = await Promise.all(Array.from({ length: 5 }, () => startProcess(folder, "hold")))
    const open = starters.filter(({ first }) => first === "open")
    expect(open.length).toBe(1)
    expect(starters.filter(({ first }) => first.startsWith("locked")).length).toBe(4)
    await Promise.all(starters.map(({ end }) => end()))
    expect(readdirSync(folder).filter((name) => name.startsWith("lock") || name.startsWith("."))).toEqual([])
  })

  it("lets one of two layers in the same process in, again and again", async () => {
    const folder = join(temporaryFolder(), "live")
    for (let round = 0; round < 6; round++) {
      const attempts = await Promise.allSettled([1, 2].map(() => openStore(filesystemLayer({ folder }))))
      const open = attempts.filter((attempt) => attempt.status === "fulfilled")
      expect(open.length).toBe(1)
      await open[0]?.value.close()
    }
  })

  it("is taken over from the dead and from a number that another process has now, never from the living", async () => {
    const us = { pid: process.pid, host: hostname(), since: "2026-01-01" }
    const [bootId, pidNamespace, processStart] = ["not-this-boot", "pid:[1]", "1"]
    const elsewhere = { ...us, host: "elsewhere", bootId, pidNamespace, processStart }
    const here = JSON.parse(
      await (async () => {
        const folder = join(temporaryFolder(), "probe")
        const { close } = await openStore(filesystemLayer({ folder }))
        const text = readFileSync(join(folder, readdirSync(folder).find((name) => name.startsWith("lock."))!), "utf8")
        await close()
        return text
      })()
    )
    const cases: ReadonlyArray<readonly [string, object, number, "taken" | "locked"]> = [
      ["this process", here, 60_000, "locked"],
      [
        "a later process with its number",
        { ...here, processStart: "1" },
        0,
        here.processStart === null ? "locked" : "taken"
      ],
      ["a number nobody has", { ...here, pid: 4_194_305 }, 0, "taken"],
      ["this machine before it was started anew", { ...here, bootId }, 0, here.bootId === null ? "locked" : "taken"],
      ["another machine that is alive", elsewhere, 5_000, "locked"],
      ["another machine, silent", elsewhere, 60_000, "taken"],
      ["no lock at all", { nonsense: true }, 0, "taken"]
    ]
    for (const [name, holder, ageMs, outcome] of cases) {
      const folder = join(temporaryFolder(), "live")
      forgedLock(folder, holder, ageMs)
      if (outcome === "locked") expect((await refusal({ folder })).code, name).toBe("locked")
      else expect(await load(folder), name).toEqual([])
    }
  })

  it("is taken over from a process that is dead but not yet buried", async ({ skip }) => {
    if (process.platform !== "linux") skip("zombies are recognised by /proc, which only Linux has")
    // The parent becomes a program that never asks how its child ended, before it does end: so it stays a zombie.
    const parent = spawn("sh", ["-c", "sleep 0.3 & echo $!; exec sleep 30"], { stdio: ["ignore", "pipe", "ignore"] })
    cleanups.push(() => parent.kill("SIGKILL"))
    const line = await new Promise<string>((resolve) => createInterface({ input: parent.stdout }).once("line", resolve))
    const fields = (): ReadonlyArray<string> => {
      const text = readFileSync(`/proc/${line}/stat`, "latin1")
      return text.slice(text.lastIndexOf(")") + 2).split(" ")
    }
    await expect.poll(() => fields()[0], { timeout: 5_000 }).toBe("Z")
    const folder = join(temporaryFolder(), "live")
    const holder = {
      pid: Number(line),
      host: hostname(),
      since: "2026-01-01",
      bootId: readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim(),
      pidNamespace: readlinkSync("/proc/self/ns/pid"),
      processStart: fields()[19]
    }
    forgedLock(folder, holder)
    expect(await load(folder)).toEqual([])
  })

  it("stops a store whose lock is gone", async () => {
    const folder = join(temporaryFolder(), "live")
    await using({ folder }, (store) =>
      Effect.gen(function* () {
        for (const name of readdirSync(folder)) if (name.startsWith("lock.")) unlinkSync(join(folder, name))
        expect((yield* refused(store.commit([put("a", "1")]))).code).toBe("closed")
      })
    )
    expect(await load(folder)).toEqual([])
  })
})

describe("RecordStore: filesystem: modes and views", () => {
  it("makes everything for its owner only, whatever the umask", async () => {
    const umask = process.umask(0)
    cleanups.push(() => process.umask(umask))
    const folder = join(temporaryFolder(), "deep", "live")
    const { close } = await openStore(
      filesystemLayer({ folder, views: [{ file: "view.json", collections: [] }], checkpointBytes: 1 })
    )
    const modes = readdirSync(folder).map((name) => statSync(join(folder, name)).mode & 0o777)
    await close()
    expect(modes).toEqual([0o600, 0o600, 0o600])
    expect(statSync(folder).mode & 0o777).toBe(0o700)
  })

  it("refuses a folder open to others with the command that mends it, and the command does", async () => {
    const folder = join(temporaryFolder(), "it's mine")
    mkdirSync(folder, { mode: 0o755 })
    const error = await refusal({ folder })
    expect(error.code).toBe("unwritable")
    const command = error.message.slice(error.message.indexOf("chmod"))
    execFileSync("sh", ["-c", command])
    expect(await load(folder)).toEqual([])
  })

  it("writes views at start, at a checkpoint and at the end, and never reads one", async () => {
    const folder = join(temporaryFolder(), "live")
    const views = [{ file: "friends.json", collections: ["c"] }]
    const view = () => JSON.parse(readFileSync(join(folder, "friends.json"), "utf8"))
    await using({ folder, views }, (store) =>
      Effect.gen(function* () {
        expect(view()).toMatchObject({ journalSequence: 0, records: [] })
        yield* store.commit([put("b", "[1]"), put("__proto__", "plain"), { ...put("x", "y"), collection: "other" }])
      })
    )
    const records = [put("__proto__", "plain"), { ...put("b", ""), value: [1] }]
    expect(view()).toMatchObject({ journalSequence: 1, records })
    const truth = sorted(await load(folder))
    for (const spoil of [
      () => writeFileSync(join(folder, "friends.json"), '{"records":[]}'),
      () => appendFileSync(join(folder, "friends.json"), "\0garbage"),
      () => unlinkSync(join(folder, "friends.json"))
    ]) {
      spoil()
      expect(sorted(await using({ folder, views }, (store) => store.load))).toEqual(truth)
      expect(view()).toMatchObject({ journalSequence: 1, records })
    }
    await using({ folder, views, checkpointBytes: 10 }, (store) =>
      Effect.gen(function* () {
        yield* store.commit([put("d", "x".repeat(2_000))])
        expect(view().records.length).toBe(3)
      })
    )
  })

  it("commits although a view cannot be written", async () => {
    const folder = join(temporaryFolder(), "live")
    mkdirSync(join(folder, "friends.json", "in the way"), { recursive: true, mode: 0o700 })
    const views = [{ file: "friends.json", collections: ["c"] }]
    const { close, store } = await openStore(filesystemLayer({ folder, views }))
    expect(await codeOf(store.commit([put("a", "1")]))).toBe("none")
    await close()
    expect(sorted(await load(folder))).toEqual(sorted(applied([], [put("a", "1")])))
  })
})
