/**
 * The keys of a node, and everything else it keeps, on a real disk: nobody else on the machine can read them.
 * It looks at the folder as another user would, file by file; it asks no adapter what it believes.
 * The former plugin kept its keys in a database that everybody could read; the title is its promise.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Layer, Redacted } from "effect"
import { expect, it } from "vitest"
import * as FileConversationLog from "../../adapters/filesystem/ConversationLog.ts"
import * as FileKeyVault from "../../adapters/filesystem/KeyVault.ts"
import * as FileRecordStore from "../../adapters/filesystem/RecordStore.ts"
import * as Sodium from "../../adapters/sodium/Crypto.ts"
import { Base64url, Node } from "../../core/index.ts"
import * as Layers from "../../plugin/Layers.ts"
import { ConversationLog } from "../../ports/ConversationLog.ts"
import { RecordStore } from "../../ports/RecordStore.ts"

/** Every path below a folder, the folder itself first. */
const below = (folder: string): ReadonlyArray<string> => [
  folder,
  ...readdirSync(folder, { withFileTypes: true }).flatMap((one) => {
    const path = join(folder, one.name)
    return one.isDirectory() ? below(path) : [path]
  })
]

it("21 · keys are mode 0600, alone in their file, and so is everything beside them", async () => {
  const home = mkdtempSync(join(tmpdir(), "wopr-p2p-modes-"))
  const folder = join(home, "p2p")
  const layers = Layer.mergeAll(
    FileConversationLog.layer({ folder }),
    Layer.mergeAll(Sodium.layer, FileKeyVault.layer({ folder }))
  ).pipe(Layer.provideMerge(FileRecordStore.layer({ folder, views: Layers.views })))
  const umask = process.umask(0)
  try {
    const use = Effect.gen(function* () {
      const keys = yield* Node.loadKeys
      yield* (yield* RecordStore).commit([{ collection: "friends", key: "a", value: "{}" }])
      const entry = { id: "1", conversation: "c", label: "l", atMs: 0, from: "bob", text: "private words" }
      yield* (yield* ConversationLog).append([entry])
      return [keys.identitySeed, keys.agreementScalar].map((secret) => Base64url.encode(Redacted.value(secret)))
    })
    const secrets = await Effect.runPromise(use.pipe(Effect.provide(layers)))
    const paths = below(folder)
    expect(paths.length).toBeGreaterThan(6)
    for (const path of paths) {
      const about = statSync(path)
      expect((about.mode & 0o777).toString(8), path).toBe(about.isDirectory() ? "700" : "600")
      if (about.isDirectory()) continue
      const holds = secrets.some((secret) => readFileSync(path, "utf8").includes(secret))
      expect(holds, path).toBe(path.endsWith("identity.json"))
    }
  } finally {
    process.umask(umask)
    rmSync(home, { recursive: true })
  }
})
