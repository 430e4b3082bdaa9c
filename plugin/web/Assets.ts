/**
 * What a browser is given as files: the page, its script and style, and the panel's module, read once at the start.
 * It never reads a path that a request names; there are four names, and they stand here.
 * The module is joined from plain files without a build step, because a host imports one address and nothing beside it.
 */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { Asset } from "./Door.ts"

/** A file as it is sent. */
export interface File {
  readonly type: string
  readonly text: string
}

/** Every asset; the module is missing in a build without a panel. */
export type Assets = { readonly [Name in Exclude<Asset, "module">]: File } & { readonly module: File | undefined }

const importLine = /^import\s*\{[^}]*\}\s*from\s*"\.\/([A-Za-z0-9-]+\.js)";?[ \t]*$/gm

/** The files that a file of the panel imports, by name. Throws where it imports anything else. */
const importsOf = (name: string, text: string): ReadonlyArray<string> => {
  const rest = text.replace(importLine, "")
  if (/^\s*import\b|^\s*export\s*[*{]|\bimport\s*\(/m.test(rest))
    throw new Error(`${name}: a file of the panel imports { names } from "./file.js" and nothing else`)
  return [...text.matchAll(importLine)].map((match) => match[1]!)
}

/** The files of the panel as one module: each after those that it imports, only the last one exports. */
export const joined = (folder: string, entry: string): string => {
  const done = new Map<string, string>()
  const visit = (name: string, above: ReadonlyArray<string>): void => {
    if (done.has(name)) return
    if (above.includes(name)) throw new Error(`${[...above, name].join(" → ")}: files of the panel import in a circle`)
    const text = readFileSync(join(folder, name), "utf8")
    for (const other of importsOf(name, text)) visit(other, [...above, name])
    const body = text.replace(importLine, "")
    done.set(name, name === entry ? body : body.replace(/^export (?=(async |function|const|let|class))/gm, ""))
  }
  visit(entry, [])
  return [...done.values()].join("\n")
}

const javascript = "text/javascript; charset=utf-8"

/** The folders beside this file, in the sources and in dist alike. */
export const here = { page: join(import.meta.dirname, "page"), panel: join(import.meta.dirname, "panel") }

/** Reads every asset. Throws where the page is missing or the panel's files cannot be joined. */
export const read = (folders: { readonly page: string; readonly panel: string } = here): Assets => {
  const page = (name: string, type: string): File => ({ type, text: readFileSync(join(folders.page, name), "utf8") })
  const entry = "panel.js"
  const hasPanel = existsSync(join(folders.panel, entry))
  return {
    "/": page("index.html", "text/html; charset=utf-8"),
    "/page.css": page("page.css", "text/css; charset=utf-8"),
    "/page.js": page("page.js", javascript),
    module: hasPanel ? { type: javascript, text: joined(folders.panel, entry) } : undefined
  }
}
