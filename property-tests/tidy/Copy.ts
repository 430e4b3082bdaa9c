/**
 * Copies of the project in folders of their own: to plant faults in, to pack, to load as a stranger would.
 * It never writes to the project itself, and shares its installed packages but not their caches.
 * A build in the working copy would shadow the sources for every other test that runs; so nothing is built there.
 */
import { type SpawnSyncReturns, spawnSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { onTestFinished } from "vitest"
import { paths, projectRoot } from "./Tree.ts"

/** A new folder that is gone when the test ends. */
export const scratch = (purpose: string): string => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), `wopr-p2p-${purpose}-`)))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const installed = join(projectRoot, "node_modules")

/** Links installed packages, by name, into a folder's own node_modules. */
export const link = (folder: string, names: ReadonlyArray<string>): void => {
  for (const name of names) {
    const place = join(folder, "node_modules", name)
    mkdirSync(dirname(place), { recursive: true })
    symlinkSync(realpathSync(join(installed, name)), place)
  }
}

/** A copy with everything installed. `others`: with files that git does not know yet; without, what a clone would hold. */
export const copy = (purpose: string, others: boolean): string => {
  const folder = scratch(purpose)
  for (const path of paths(projectRoot, others)) cpSync(join(projectRoot, path), join(folder, path))
  link(folder, [".bin", ...readdirSync(installed).filter((name) => !name.startsWith("."))])
  return folder
}

/** Runs a program in a folder to its end, with plain output and nothing of this test run in its environment. */
export const run = (folder: string, program: string, ...given: ReadonlyArray<string>): SpawnSyncReturns<string> => {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_|npm_)/.test(name))
  const env = {
    ...Object.fromEntries(inherited),
    NO_COLOR: "1",
    npm_config_offline: "true",
    npm_config_loglevel: "error"
  }
  return spawnSync(program, given, { cwd: folder, encoding: "utf8", env, timeout: 180_000 })
}

/** Everything a finished program printed. */
export const printed = ({ stderr, stdout }: SpawnSyncReturns<string>): string => `${stdout}${stderr}`
