/**
 * Finds the built code of an installed package, or the TypeScript sources of a git clone, and loads it.
 * It never builds anything: Node ≥ 22.19 runs the sources as they are, except below node_modules, where dist is.
 * A query in the caller's own address is passed on, so that a host that reloads a plugin gets a fresh entry module.
 */
import { existsSync } from "node:fs"

/**
 * Loads `plugin/<name>`.
 * @param {string} name module name without extension
 * @param {string} caller the caller's import.meta.url
 */
export const load = async (name, caller) => {
  const built = new URL(`../dist/plugin/${name}.js`, import.meta.url)
  const entry = existsSync(built) ? built : new URL(`./${name}.ts`, import.meta.url)
  const [major, minor] = process.versions.node.split(".").map(Number)
  if (major < 22 || (major === 22 && minor < 19)) {
    throw new Error(
      `Node ${process.versions.node} is too old: this program needs 22.19 or newer. In a clone, "npm start" brings its own.`
    )
  }
  entry.search = new URL(caller).search
  return import(entry.href)
}
