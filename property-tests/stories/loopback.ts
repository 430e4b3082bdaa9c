/**
 * A DHT of a story's own on loopback and a folder for its programs, both gone when the story's file is done.
 * It starts no program and knows no story: how each node is started, and in which room, stands in the story.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Exit, Scope } from "effect"
import { afterAll, beforeAll } from "vitest"
import { testnet } from "../../adapters/hyperswarm/LocalDht.ts"

/** Call it at the top of a test file. Gives the folder, and the program's options that name the DHT, once tests run. */
export const loopback = (label: string) => {
  const scope = Effect.runSync(Scope.make())
  const folder = mkdtempSync(join(tmpdir(), `wopr-p2p-${label}-`))
  const bootstrap: Array<string> = []
  beforeAll(async () => {
    const nodes = await Effect.runPromise(Scope.provide(testnet, scope))
    bootstrap.push(...nodes.flatMap(({ host, port }) => ["--bootstrap", `${host}:${port}`]))
  })
  afterAll(async () => {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    rmSync(folder, { recursive: true, force: true })
  })
  return { folder, bootstrap }
}
