/**
 * A file as the house's rules see it: its path, its text and, for code, its syntax tree.
 * It never judges; the rules do, each a pure function from sources to findings, so that each is tested on planted text.
 * The tree is the one the test runner itself parses with: TypeScript 7 has no parser that a program could call.
 */
import { parseAst } from "vitest/node"

/** What a rule has to say: where, and what to do about it. */
export interface Finding {
  readonly path: string
  readonly line: number
  readonly sentence: string
}

/** A node of the syntax tree (ESTree with TypeScript); rules look only at what they have checked to be there. */
export interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [key: string]: unknown
}

export interface Source {
  readonly path: string
  readonly text: string
  /** Its first folder: the part of the house it belongs to; empty for files at the root. */
  readonly part: string
  readonly tree: Node | undefined
}

/** What the rules of the house's own code apply to; tests and bench are held to less. */
export const shippedParts: ReadonlyArray<string> = ["core", "ports", "adapters", "plugin"]

const languageOf = (path: string): "ts" | "dts" | "js" | undefined =>
  path.endsWith(".d.ts") ? "dts" : path.endsWith(".ts") ? "ts" : path.endsWith(".js") ? "js" : undefined

/** Parses a text as the file of that path. Text that is no code has no tree; broken code throws. */
export const source = (path: string, text: string): Source => {
  const lang = languageOf(path)
  const tree = lang === undefined ? undefined : (parseAst(text, { lang }, path) as unknown as Node)
  return { path, text, part: path.includes("/") ? path.slice(0, path.indexOf("/")) : "", tree }
}

/** Whether it is code that ships. Declarations of a vendor's types are not. */
export const isShipped = ({ path, part, tree }: Source): boolean =>
  tree !== undefined && shippedParts.includes(part) && !path.endsWith(".d.ts")

/** The number of the line on which an offset lies. */
export const lineAt = (text: string, offset: number): number => text.slice(0, offset).split("\n").length

/** A finding at a node or an offset. */
export const at = ({ path, text }: Source, where: Node | number, sentence: string): Finding => ({
  path,
  line: lineAt(text, typeof where === "number" ? where : where.start),
  sentence
})

/** Whether a value is a node of the tree. */
export const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && "type" in value && typeof value.type === "string"

/** The nodes directly below a node. */
export const children = (node: Node): ReadonlyArray<Node> =>
  Object.values(node).flatMap((value) => (Array.isArray(value) ? value.filter(isNode) : isNode(value) ? [value] : []))

/** Visits a node and all below it, each with the nodes above it, the nearest last. */
export const walk = (
  node: Node,
  visit: (node: Node, above: ReadonlyArray<Node>) => void,
  above: ReadonlyArray<Node> = []
): void => {
  visit(node, above)
  const path = [...above, node]
  for (const child of children(node)) walk(child, visit, path)
}

/** The child of a node under a key, if there is one. */
export const child = (node: Node | undefined, key: string): Node | undefined => {
  const value = node?.[key]
  return isNode(value) ? value : undefined
}

/** The list of children of a node under a key. */
export const list = (node: Node | undefined, key: string): ReadonlyArray<Node> => {
  const value = node?.[key]
  return Array.isArray(value) ? value.filter(isNode) : []
}

/** The name an identifier spells, if the node is one. */
export const nameOf = (node: Node | undefined): string | undefined =>
  node?.type === "Identifier" && typeof node["name"] === "string" ? node["name"] : undefined

/** The text of a literal string, if the node is one. */
export const stringOf = (node: Node | undefined): string | undefined =>
  node?.type === "Literal" && typeof node["value"] === "string" ? node["value"] : undefined

/** Whether a node is a function with a body of its own. */
export const isFunction = ({ type }: Node): boolean =>
  type === "FunctionDeclaration" || type === "FunctionExpression" || type === "ArrowFunctionExpression"

/** Every name a pattern binds: `a`, `{ a, b: c }`, `[a, ...rest]`, `a = 1`. */
export const bound = (pattern: Node | undefined): ReadonlyArray<string> => {
  if (pattern === undefined) return []
  switch (pattern.type) {
    case "Identifier":
      return [nameOf(pattern) ?? ""]
    case "ObjectPattern":
      return list(pattern, "properties").flatMap((one) => bound(child(one, "value") ?? child(one, "argument")))
    case "ArrayPattern":
      return list(pattern, "elements").flatMap(bound)
    case "AssignmentPattern":
      return bound(child(pattern, "left"))
    case "RestElement":
      return bound(child(pattern, "argument"))
    default:
      return []
  }
}

/** A statement of the module's top level, and whether it is exported. */
export interface Statement {
  readonly whole: Node
  readonly declared: Node
  readonly exported: boolean
}

/** The statements at the top of a module, with what an `export` wraps. */
export const statements = ({ tree }: Source): ReadonlyArray<Statement> =>
  list(tree, "body").map((whole) => {
    const exported = whole.type === "ExportNamedDeclaration" || whole.type === "ExportDefaultDeclaration"
    return { whole, declared: (exported ? child(whole, "declaration") : undefined) ?? whole, exported }
  })
