/**
 * The ConversationLog suite on every adapter, and what only a file can get wrong: torn lines, modes, a full disk.
 * It never accepts a path outside the log's folder, by name or by link.
 * The last line is cut at every byte, because an id that is half there is the case idempotency breaks on.
 */
import { execFileSync } from "node:child_process"
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import { afterEach, describe, expect, it } from "vitest"
import { layer as filesystemLayer } from "../../adapters/filesystem/ConversationLog.ts"
import { Archive, layer as memoryLayer } from "../../adapters/memory/ConversationLog.ts"
import type { Entry } from "../../ports/ConversationLog.ts"
import { entry, run, type Subject, suite } from "./ConversationLog.suite.ts"

const memorySubject = (): Subject => {
  const archive = new Archive()
  return { layer: memoryLayer(archive), failNextAppend: () => archive.failNextAppend("the test asked for it") }
}

const filesystemSubject = (): Subject => {
  const root = mkdtempSync(join(tmpdir(), "log-"))
  return { layer: filesystemLayer({ folder: join(root, "live") }), dispose: () => rmSync(root, { recursive: true }) }
}

suite("memory", memorySubject, 200)
suite("filesystem", filesystemSubject)

const cleanups: Array<() => void> = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup()
})

const temporaryFolder = (): string => {
  const root = mkdtempSync(join(tmpdir(), "log-"))
  cleanups.push(() => rmSync(root, { recursive: true, force: true }))
  return root
}

const append = (folder: string, ...entries: ReadonlyArray<Entry>): Promise<void> =>
  run(filesystemLayer({ folder }), (log) => log.append(entries))

const ids = async (folder: string): Promise<ReadonlyArray<string>> =>
  (await run(filesystemLayer({ folder }), (log) => log.read("friend-1", 1_000))).map(({ id }) => id)

describe("ConversationLog: filesystem", () => {
  it("cuts a last line that a crash tore at any byte, and takes the entry again exactly once", async () => {
    const folder = join(temporaryFolder(), "live")
    const file = join(folder, "conversations", "friend-1.jsonl")
    await append(folder, entry("1"))
    const before = statSync(file).size
    await append(folder, entry("2", { text: "é" }))
    const whole = readFileSync(file)
    for (let length = before; length <= whole.length; length++) {
      writeFileSync(file, whole.subarray(0, length))
      expect(await ids(folder), `cut at ${length}`).toEqual(length === whole.length ? ["1", "2"] : ["1"])
      await append(folder, entry("2", { text: "é" }), entry("2"))
      expect(readFileSync(file).equals(whole), `cut at ${length}`).toBe(true)
    }
    truncateSync(file, before)
    appendFileSync(file, new Uint8Array(500))
    await append(folder, entry("2", { text: "é" }))
    expect(readFileSync(file).equals(whole)).toBe(true)
  })

  it("skips lines that are no entries, without losing one that is", async () => {
    const folder = join(temporaryFolder(), "live")
    await append(folder, entry("1"))
    const file = join(folder, "conversations", "friend-1.jsonl")
    appendFileSync(file, 'a note\n\n{"id":1}\nnull\n"2"\n[]\n')
    await append(folder, entry("1"), entry("2"))
    expect(await ids(folder)).toEqual(["1", "2"])
  })

  it("goes on with the file that is there when its owner has edited, replaced or removed it meanwhile", async () => {
    const folder = join(temporaryFolder(), "live")
    const file = join(folder, "conversations", "friend-1.jsonl")
    const held = await run(filesystemLayer({ folder }), (log) =>
      Effect.gen(function* () {
        yield* log.append([entry("1")])
        appendFileSync(file, "a note\n")
        yield* log.append([entry("2")])
        const edited = readFileSync(file, "utf8")
        unlinkSync(file)
        yield* log.append([entry("1"), entry("3")])
        const begunAnew = readFileSync(file, "utf8")
        unlinkSync(file)
        writeFileSync(file, edited, { mode: 0o600 })
        yield* log.append([entry("1"), entry("2"), entry("4")])
        return [edited, begunAnew, readFileSync(file, "utf8")]
      })
    )
    const idsIn = (text: string) => [...text.matchAll(/"id":"(\d)"/g)].map(([, id]) => id)
    expect(held.map(idsIn)).toEqual([
      ["1", "2"],
      ["1", "3"],
      ["1", "2", "4"]
    ])
    expect(held[0]).toContain("\na note\n{")
  })

  it("makes everything for its owner only, and one JSON document a line", async () => {
    const umask = process.umask(0)
    cleanups.push(() => process.umask(umask))
    const folder = join(temporaryFolder(), "live")
    await append(folder, entry("1", { text: "two\nlines" }), entry("2"))
    const file = join(folder, "conversations", "friend-1.jsonl")
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(statSync(join(folder, "conversations")).mode & 0o777).toBe(0o700)
    expect(
      readFileSync(file, "utf8")
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line).id)
    ).toEqual(["1", "2"])
  })

  it("refuses a folder open to others with the command that mends it, and a link in a file's place", async () => {
    const folder = join(temporaryFolder(), "live")
    await append(folder, entry("1"))
    chmodSync(join(folder, "conversations"), 0o755)
    await expect(append(folder, entry("2"))).rejects.toThrow("chmod 700 '")
    chmodSync(join(folder, "conversations"), 0o700)
    writeFileSync(join(folder, "outside"), "")
    symlinkSync(join(folder, "outside"), join(folder, "conversations", "linked.jsonl"))
    await expect(append(folder, entry("2", { conversation: "linked" }))).rejects.toThrow()
    expect(statSync(join(folder, "outside")).size).toBe(0)
  })

  it("remembers ids of conversations it has put out of mind", async () => {
    const folder = join(temporaryFolder(), "live")
    mkdirSync(join(folder, "conversations"), { recursive: true, mode: 0o700 })
    const lines = Array.from(
      { length: 300_000 },
      (_, index) => `${JSON.stringify(entry(`${index}`, { conversation: "b", text: "" }))}\n`
    )
    writeFileSync(join(folder, "conversations", "b.jsonl"), lines.join(""))
    const others = lines.map((line) => line.replace('"b"', '"c"'))
    writeFileSync(join(folder, "conversations", "c.jsonl"), others.join(""))
    const size = statSync(join(folder, "conversations", "b.jsonl")).size
    await append(
      folder,
      ...["b", "c", "b", "c"].map((conversation, round) => entry(`${round}`, { conversation, text: "" }))
    )
    expect(statSync(join(folder, "conversations", "b.jsonl")).size).toBe(size)
  })

  it("holds nothing of an entry for which the disk has no room, and takes it later", async ({ skip }) => {
    if (process.getuid?.() !== 0 || process.platform !== "linux") {
      skip("only root on Linux can mount the small disk that this test fills")
    }
    const disk = temporaryFolder()
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=128k,mode=700", "tmpfs", disk], { stdio: "ignore" })
    } catch {
      skip("mounting is not allowed here")
    }
    cleanups.push(() => execFileSync("umount", ["-l", disk]))
    const folder = join(disk, "live")
    const ballast = join(disk, "ballast")
    await append(folder, entry("1"))
    writeFileSync(ballast, new Uint8Array(90 << 10))
    const big = entry("2", { text: "x".repeat(60 << 10) })
    await run(filesystemLayer({ folder }), (log) =>
      Effect.gen(function* () {
        const failed = yield* Effect.orDie(Effect.flip(log.append([big])))
        expect(failed.message).toContain("free some space")
        yield* log.append([entry("3")])
        unlinkSync(ballast)
        yield* log.append([big])
      })
    )
    expect(await ids(folder)).toEqual(["1", "3", "2"])
    expect(readdirSync(join(folder, "conversations"))).toEqual(["friend-1.jsonl"])
  })
})
