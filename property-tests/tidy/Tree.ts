/**
 * The project's files: those that git knows or would take up, or all that are there where git is not.
 * It never reads what the project ignores, and never writes.
 * The test of a copy and the test of the package need the same answer to "what belongs to us", so it is given here once.
 */
import { spawnSync } from "node:child_process"
import { existsSync, lstatSync, readdirSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { type Source, source } from "./Source.ts"

/** The project's root, wherever it was cloned to. */
export const projectRoot = resolve(import.meta.dirname, "../..")

const ignored = /^(node_modules|dist|coverage|\.git)$|\.(tgz|log)$/

const walked = (root: string, below = ""): ReadonlyArray<string> =>
  readdirSync(join(root, below), { withFileTypes: true }).flatMap((entry) => {
    const path = below === "" ? entry.name : `${below}/${entry.name}`
    if (ignored.test(entry.name)) return []
    return entry.isDirectory() ? walked(root, path) : [path]
  })

/** Paths of the project's files, relative to its root, with `/`. `others`: also those not yet added to git. */
export const paths = (root: string, others: boolean): ReadonlyArray<string> => {
  if (!existsSync(join(root, ".git"))) return walked(root)
  const which = others ? ["--cached", "--others", "--exclude-standard"] : ["--cached"]
  const listed = spawnSync("git", ["ls-files", "-z", ...which], { cwd: root, encoding: "utf8" })
  // No git, or one that does not trust the folder's owner, as in some containers: what is there is all we know.
  if (listed.status !== 0) return walked(root)
  return listed.stdout
    .split("\0")
    .filter((path) => path !== "" && existsSync(join(root, path)) && lstatSync(join(root, path)).isFile())
}

/** The project's text files, parsed where they are code. */
export const sources = (root: string): ReadonlyArray<Source> =>
  paths(root, true).flatMap((path) => {
    const text = readFileSync(join(root, path), "utf8")
    return text.includes("\0") ? [] : [source(path, text)]
  })
