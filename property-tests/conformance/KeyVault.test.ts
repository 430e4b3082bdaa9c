/**
 * The KeyVault suite on every adapter, and what only a file can get wrong: modes, owners, links, half-written drafts.
 * It never weakens a check because it runs as root: what needs root is skipped with a notice elsewhere.
 * The commands in the messages are run as they stand, because a person will paste them as they stand.
 */
import { execFileSync } from "node:child_process"
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Redacted } from "effect"
import { afterEach, describe, expect, it } from "vitest"
import { layer as filesystemLayer } from "../../adapters/filesystem/KeyVault.ts"
import { layer as memoryLayer, Safe } from "../../adapters/memory/KeyVault.ts"
import type { KeyVaultError } from "../../ports/KeyVault.ts"
import { loadText, run, type Subject, suite } from "./KeyVault.suite.ts"

const memorySubject = (): Subject => {
  const safe = new Safe()
  return { layer: memoryLayer(safe), failNextSave: () => safe.failNext("disk-full") }
}

const filesystemSubject = (): Subject => {
  const root = mkdtempSync(join(tmpdir(), "vault-"))
  return { layer: filesystemLayer({ folder: join(root, "live") }), dispose: () => rmSync(root, { recursive: true }) }
}

suite("memory", memorySubject)
suite("filesystem", filesystemSubject)

const cleanups: Array<() => void> = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup()
})

const saved = async (): Promise<string> => {
  const root = mkdtempSync(join(tmpdir(), "vault-"))
  cleanups.push(() => rmSync(root, { recursive: true, force: true }))
  const folder = join(root, "it's mine")
  await save(folder, "very-secret")
  return folder
}

const save = (folder: string, text: string): Promise<void> =>
  run(filesystemLayer({ folder }), (vault) => vault.save(Redacted.make(text)))

const failure = (folder: string): Promise<KeyVaultError> =>
  run(filesystemLayer({ folder }), (vault) => Effect.orDie(Effect.flip(vault.load)))

const isRoot = process.getuid?.() === 0

describe("KeyVault: filesystem", () => {
  it("makes file and folder for their owner only, whatever the umask", async () => {
    const umask = process.umask(0)
    cleanups.push(() => process.umask(umask))
    const folder = await saved()
    expect(statSync(join(folder, "identity.json")).mode & 0o777).toBe(0o600)
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    expect(readdirSync(folder)).toEqual(["identity.json"])
  })

  for (const mode of [0o640, 0o604, 0o644, 0o620, 0o601, 0o700, 0o777]) {
    it(`refuses keys of mode ${mode.toString(8)} with the command that mends it, and the command does`, async () => {
      const folder = await saved()
      chmodSync(join(folder, "identity.json"), mode)
      const error = await failure(folder)
      expect(error.code).toBe("permissions-too-wide")
      expect(error.message).toContain("chmod 600 '")
      expect(error.message).not.toContain("very-secret")
      execFileSync("sh", ["-c", error.message.slice(error.message.indexOf("chmod"))])
      expect(await loadText(filesystemLayer({ folder }))).toBe("very-secret")
    })
  }

  it("reads keys that even their owner cannot write", async () => {
    const folder = await saved()
    chmodSync(join(folder, "identity.json"), 0o400)
    expect(await loadText(filesystemLayer({ folder }))).toBe("very-secret")
  })

  it("refuses a folder that others may enter, for reading and for writing", async () => {
    const folder = await saved()
    chmodSync(folder, 0o750)
    const error = await failure(folder)
    expect(error.code).toBe("permissions-too-wide")
    await expect(save(folder, "x")).rejects.toThrow("chmod 700 '")
    execFileSync("sh", ["-c", error.message.slice(error.message.indexOf("chmod"))])
    expect(await loadText(filesystemLayer({ folder }))).toBe("very-secret")
  })

  it("refuses keys that belong to another user, naming both", async ({ skip }) => {
    if (!isRoot) skip("only root can give a file away")
    const folder = await saved()
    chownSync(join(folder, "identity.json"), 12_345, 12_345)
    const error = await failure(folder)
    expect(error.code).toBe("permissions-too-wide")
    expect(error.message).toContain("belongs to user 12345, not to user 0")
    expect(error.message).toContain("chown 0 '")
  })

  it("refuses a link, a folder and text that is no text in the keys' place", async () => {
    const folder = await saved()
    const path = join(folder, "identity.json")
    const elsewhere = join(folder, "elsewhere")
    writeFileSync(elsewhere, "{}", { mode: 0o600 })
    for (const replace of [
      () => symlinkSync(elsewhere, path),
      () => mkdirSync(path, { mode: 0o600 }),
      () => writeFileSync(path, Uint8Array.of(0xff, 0xfe), { mode: 0o600 })
    ]) {
      rmSync(path, { recursive: true })
      replace()
      expect((await failure(folder)).code).toBe("unreadable")
    }
  })

  it("is not disturbed by a draft that a crash left, refuses what would not come back, keeps the old keys", async () => {
    const folder = await saved()
    writeFileSync(join(folder, ".identity.json.0123456789ab.new"), '{"half', { mode: 0o600 })
    expect(await loadText(filesystemLayer({ folder }))).toBe("very-secret")
    await expect(save(folder, "\ud800")).rejects.toMatchObject({ code: "not-writable" })
    expect(await loadText(filesystemLayer({ folder }))).toBe("very-secret")
  })

  it("says disk-full on a full disk and keeps the old keys", async ({ skip }) => {
    if (!isRoot || process.platform !== "linux")
      skip("only root on Linux can mount the small disk that this test fills")
    const disk = mkdtempSync(join(tmpdir(), "vault-"))
    cleanups.push(() => rmSync(disk, { recursive: true }))
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", disk], { stdio: "ignore" })
    } catch {
      skip("mounting is not allowed here")
    }
    cleanups.push(() => execFileSync("umount", ["-l", disk]))
    const folder = join(disk, "live")
    await save(folder, "earlier")
    await expect(save(folder, "x".repeat(100_000))).rejects.toMatchObject({ code: "disk-full" })
    expect(await loadText(filesystemLayer({ folder }))).toBe("earlier")
    expect(readdirSync(folder)).toEqual(["identity.json"])
  })
})
