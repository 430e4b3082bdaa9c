/**
 * Who may import whom: the table between the parts of the house, and the order of the rooms inside the core.
 * It never follows an import; a specifier and the place it stands in are enough.
 * Types count too: a type that crosses a wall is knowledge that crosses it.
 */
import { posix } from "node:path"
import { at, child, type Finding, isNode, lineAt, type Node, type Source, stringOf, walk } from "./Source.ts"

/** The rooms of the core: each may import itself and those before it. */
export const rooms: ReadonlyArray<string> = [
  "bytes",
  "identity",
  "wire",
  "session",
  "admission",
  "friend",
  "discovery",
  "delivery",
  "agent",
  "node"
]

/** Files at the core's root that every room may import; they import no room. */
export const aboveAllRooms: ReadonlyArray<string> = ["core/Limits.ts", "core/Rejection.ts", "core/Table.ts"]

/** Adapter → the packages it may import besides `effect` and `node:`: one vendor each. */
export const vendors: Readonly<Record<string, ReadonlyArray<string>>> = {
  docker: ["dockerode", "tar-stream"],
  hyperswarm: ["hyperswarm", "hyperdht"],
  irc: ["irc-framework"],
  noble: ["@noble/ciphers", "@noble/curves", "@noble/hashes"],
  sodium: ["sodium-native"]
}

/** Part → parts it may import besides itself. What is not in the table may import everything. */
const parts: Readonly<Record<string, ReadonlyArray<string>>> = {
  ports: [],
  core: ["ports"],
  adapters: ["ports"],
  plugin: ["core", "ports", "adapters"],
  bench: ["core", "ports", "adapters", "plugin"],
  "property-tests": ["core", "ports", "adapters", "plugin"]
}

interface Import {
  readonly from: Node | number
  readonly specifier: string | undefined
}

/** Every import of a file: static, re-exported, dynamic, of a type, and by reference comment. */
const importsOf = ({ text, tree }: Source): ReadonlyArray<Import> => {
  const found: Array<Import> = []
  if (tree === undefined) return found
  walk(tree, (node) => {
    const named = node.type === "ImportDeclaration" || node.type.startsWith("Export")
    if (named && isNode(node["source"])) found.push({ from: node, specifier: stringOf(child(node, "source")) })
    else if (node.type === "ImportExpression") found.push({ from: node, specifier: stringOf(child(node, "source")) })
    else if (node.type === "TSImportType") {
      const argument = child(node, "source") ?? child(node, "argument")
      found.push({ from: node, specifier: stringOf(argument) ?? stringOf(child(argument, "literal")) })
    }
  })
  for (const match of text.matchAll(/^\/\/\/\s*<reference path="([^"]+)"/gm)) {
    found.push({ from: match.index, specifier: match[1] ?? "" })
  }
  return found
}

const packageOf = (specifier: string): string =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/")

/** What is wrong with a package imported from a place, if anything. */
const aboutPackage = (path: string, part: string, specifier: string): string | undefined => {
  const name = packageOf(specifier)
  if (name === "effect") return undefined
  if (part === "ports" || part === "core") {
    return `${part} imports ${specifier}; it may import no package but effect: put what needs it behind a port`
  }
  if (part !== "adapters" || specifier.startsWith("node:")) return undefined
  const folder = path.split("/")[1] ?? ""
  const allowed = vendors[folder] ?? []
  return allowed.includes(name)
    ? undefined
    : `adapters/${folder} imports ${specifier}; an adapter has one vendor (property-tests/tidy/Imports.ts names it): make another folder`
}

/** What is wrong between two files of the core, if anything. */
const insideCore = (path: string, target: string): string | undefined => {
  if (path === "core/index.ts") return undefined
  if (target === "core/index.ts") return "core/index.ts is for embedders; import the room's module itself"
  const [fromRoom, toRoom] = [path, target].map((one) => (one.split("/").length > 2 ? (one.split("/")[1] ?? "") : ""))
  if (toRoom === "") {
    return aboveAllRooms.includes(target) ? undefined : `${target} is no module that rooms share; move it into a room`
  }
  if (fromRoom === "") return `${path} stands above the rooms and may import none of them; move it into ${toRoom}`
  const [from, to] = [rooms.indexOf(fromRoom ?? ""), rooms.indexOf(toRoom ?? "")]
  if (from < 0 || to < 0) return `${from < 0 ? path : target} is in no room of the list in core/README.md`
  return to <= from
    ? undefined
    : `core/${fromRoom} imports core/${toRoom}, a room below it; the rooms' order is ${rooms.join(", ")}`
}

/** What is wrong with a file imported from another, if anything. */
const aboutFile = (path: string, part: string, target: string): string | undefined => {
  const toPart = target.split("/")[0] ?? ""
  if (toPart !== part) {
    const allowed = parts[part]
    if (allowed === undefined || allowed.includes(toPart)) return undefined
    return `${part} imports ${target}; it may import ${["effect", ...allowed].join(", ")} and itself only`
  }
  if (part === "core") return insideCore(path, target)
  if (part !== "adapters" || path.split("/")[1] === target.split("/")[1]) return undefined
  return `${path} imports ${target}, another adapter's folder; adapters share ports only`
}

/** Imports that cross a wall. */
export const imports = (source: Source): ReadonlyArray<Finding> =>
  importsOf(source).flatMap(({ from, specifier }) => {
    if (parts[source.part] === undefined) return []
    const sentence =
      specifier === undefined
        ? source.part === "core" || source.part === "ports"
          ? "an import whose name is computed; name the module, so that everybody can see what is imported"
          : undefined
        : specifier.startsWith(".") || (typeof from === "number" && !specifier.startsWith("/"))
          ? aboutFile(source.path, source.part, posix.normalize(posix.join(posix.dirname(source.path), specifier)))
          : aboutPackage(source.path, source.part, specifier)
    return sentence === undefined ? [] : [at(source, from, sentence)]
  })

/** Packages that shipped code imports and that package.json does not give to those who install it. */
export const undeclared =
  (dependencies: ReadonlyArray<string>) =>
  (source: Source): ReadonlyArray<Finding> =>
    importsOf(source).flatMap(({ from, specifier }) => {
      if (specifier === undefined || typeof from === "number" || /^(\.|\/|node:)/.test(specifier)) return []
      const name = packageOf(specifier)
      // A type of a package without types of its own comes from @types, which a running program does not need.
      if (dependencies.includes(name) || from["importKind"] === "type") return []
      const sentence = `${name} is imported but no dependency of package.json; an installed package would not start`
      return [{ path: source.path, line: lineAt(source.text, from.start), sentence }]
    })
