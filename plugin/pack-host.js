#!/usr/bin/env node
/**
 * Packs the package a second time under the name that the WOPR host asks the registry for.
 * It never builds: it takes the tarball that `npm pack` makes, and changes the name in it and nothing else.
 * The host turns whatever name it is given into `@wopr-network/plugin-<name>`, which is not the name of this repository's package.
 */
import { spawnSync } from "node:child_process"
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const hostName = "@wopr-network/plugin-p2p"
const project = fileURLToPath(new URL("..", import.meta.url))

/**
 * Runs a program to its end.
 * @param {string} folder where
 * @param {string} program what
 * @param {ReadonlyArray<string>} given its arguments
 * @returns {string} what it printed
 */
const run = (folder, program, ...given) => {
  const { error, status, stderr, stdout } = spawnSync(program, given, { cwd: folder, encoding: "utf8" })
  if (status !== 0) throw new Error(`${program} ${given.join(" ")}: ${error?.message ?? stderr}`)
  return stdout
}

const draft = mkdtempSync(join(tmpdir(), "wopr-p2p-pack-"))
try {
  run(project, "npm", "pack", "--pack-destination", draft)
  const [first] = run(draft, "ls").trim().split("\n")
  run(draft, "tar", "-xzf", first ?? "")
  const path = join(draft, "package", "package.json")
  const manifest = JSON.parse(readFileSync(path, "utf8"))
  writeFileSync(path, `${JSON.stringify({ ...manifest, name: hostName }, null, 2)}\n`)
  run(join(draft, "package"), "npm", "pack", "--ignore-scripts", "--pack-destination", draft)
  const made = `${hostName.replace("@", "").replace("/", "-")}-${manifest.version}.tgz`
  cpSync(join(draft, made), join(project, made))
  process.stdout.write(`${made}\n`)
} finally {
  rmSync(draft, { recursive: true, force: true })
}
