/**
 * The shape of a file: its header, its length, the length of its functions, the sentence above each exported function.
 * It never reads what a comment says; that a header's three sentences are true is for people to see.
 * A function's own lines are what is not inside a function within it: a factory is as long as its list of parts.
 */
import {
  at,
  child,
  children,
  type Finding,
  isFunction,
  isNode,
  isShipped,
  lineAt,
  list,
  type Node,
  nameOf,
  type Source,
  statements
} from "./Source.ts"

/** A file longer than this has more than one subject. */
export const fileLinesMax = 400
/** A function longer than this does not fit a screen. */
export const functionLinesMax = 60

/** Code without a header comment, or with one of a single sentence. */
export const header = (source: Source): ReadonlyArray<Finding> => {
  if (source.tree === undefined) return []
  const opening = /^(#!.*\n)?(\/\/\/.*\n)*\/\*\*([\s\S]*?)\*\//.exec(source.text)
  const sentences = (opening?.[3] ?? "").match(/[.!?:](?=\s|$)/g)?.length ?? 0
  const sentence =
    "open the file with a comment of three sentences: what it is, what it must never know or do, the reason that is not obvious"
  return sentences >= 2 ? [] : [{ path: source.path, line: 1, sentence }]
}

/** Shipped code that is too long to have one subject. */
export const fileLength = (source: Source): ReadonlyArray<Finding> => {
  const lines = source.text.trimEnd().split("\n").length
  return !isShipped(source) || lines <= fileLinesMax
    ? []
    : [at(source, source.text.length, `${lines} lines; more than ${fileLinesMax} hold more than one subject: split it`)]
}

/** Lines of the outermost functions below a node. */
const innerLines = (source: Source, node: Node): number =>
  children(node).reduce((sum, one) => sum + (isFunction(one) ? lines(source, one) - 1 : innerLines(source, one)), 0)

const lines = ({ text }: Source, node: Node): number => lineAt(text, node.end) - lineAt(text, node.start) + 1

const functionsBelow = (node: Node): ReadonlyArray<Node> => [
  ...(isFunction(node) ? [node] : []),
  ...children(node).flatMap(functionsBelow)
]

/** Shipped functions that do not fit a screen. */
export const functionLength = (source: Source): ReadonlyArray<Finding> =>
  !isShipped(source) || source.tree === undefined
    ? []
    : functionsBelow(source.tree).flatMap((one) => {
        const own = lines(source, one) - innerLines(source, one)
        const sentence = `a function with ${own} lines of its own; more than ${functionLinesMax} do not fit a screen: split it`
        return own <= functionLinesMax ? [] : [at(source, one, sentence)]
      })

/** Whether a value is a function: written as one, or wrapped by `Effect.fn` and its kin. */
const makesFunction = (source: Source, init: Node | undefined): boolean =>
  init !== undefined &&
  (isFunction(init) ||
    (init.type === "CallExpression" &&
      isNode(init["callee"]) &&
      /^Effect\.fn\w*/.test(source.text.slice(init["callee"].start, init["callee"].end))))

/** The exported functions of a module, by name and statement. */
const exportedFunctions = (source: Source): ReadonlyArray<{ readonly name: string; readonly whole: Node }> =>
  statements(source).flatMap(({ declared, exported, whole }) => {
    if (!exported) return []
    if (isFunction(declared)) return [{ name: nameOf(child(declared, "id")) ?? "default", whole }]
    return list(declared, "declarations")
      .filter((declarator) => makesFunction(source, child(declarator, "init")))
      .map((declarator) => ({ name: nameOf(child(declarator, "id")) ?? "", whole }))
  })

/** Exported functions of core and ports without a sentence above them. */
export const docstrings = (source: Source): ReadonlyArray<Finding> =>
  source.part !== "core" && source.part !== "ports"
    ? []
    : exportedFunctions(source)
        .filter(({ whole }) => !/\*\/\s*$/.test(source.text.slice(0, whole.start)))
        .map(({ name, whole }) =>
          at(source, whole, `${name} is exported: say in one sentence above it what it promises`)
        )
