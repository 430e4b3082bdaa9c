/**
 * What the core must not touch: clocks, chance, timers, the process and the global object.
 * It never looks into comments, strings or types' names; it looks at identifiers that stand for a value.
 * Any mention of `Date` counts, because `const D = Date` would hide the rest from a search for `Date.now`.
 */
import { at, bound, child, type Finding, isFunction, list, type Node, nameOf, type Source, walk } from "./Source.ts"

/** Global → what to use instead. */
const banned: Readonly<Record<string, string>> = {
  Date: "time is an argument (turn.nowMs), or Effect's Clock in Ingress, Egress and Node",
  performance: "time is an argument (turn.nowMs), or Effect's Clock in Ingress, Egress and Node",
  setTimeout: "waiting is Effect.sleep, on Effect's Clock",
  setInterval: "waiting is Effect.sleep, on Effect's Clock",
  setImmediate: "yielding is Effect.yieldNow",
  queueMicrotask: "yielding is Effect.yieldNow",
  globalThis: "nothing of the world but ports; take what you need as an argument",
  process: "nothing of the world but ports; take what you need as an argument",
  Buffer: "bytes are Uint8Array; see bytes/Bytes.ts",
  fetch: "the network is behind the Transport port",
  require: "import the module",
  eval: "code is not data",
  Function: "code is not data"
}

const entropy = "random bytes come from the Crypto port, or in a step from turn.entropy"

/** Whether an identifier is only a name here: a key, a property, a label, something imported under another name. */
const isOnlyName = (node: Node, parent: Node | undefined): boolean => {
  if (parent === undefined) return false
  if (parent.type === "MemberExpression") return child(parent, "property") === node && parent["computed"] !== true
  if (parent.type.startsWith("TS") && parent.type !== "TSNonNullExpression") {
    return !/^TS(As|Satisfies|Instantiation|TypeAssertion)/.test(parent.type)
  }
  if (/^(Property|PropertyDefinition|MethodDefinition)$/.test(parent.type)) {
    return child(parent, "key") === node && parent["computed"] !== true && parent["shorthand"] !== true
  }
  return /^(Import|Export)\w*Specifier$/.test(parent.type)
}

const aboutIdentifier = (name: string): string | undefined => {
  const instead = banned[name]
  return Object.hasOwn(banned, name) ? `${name} in core: ${instead}` : undefined
}

/** `Math.random` in every spelling; `Random` of Effect is the same thing with another name. */
const aboutChance = (node: Node): string | undefined => {
  if (node.type === "MemberExpression" && nameOf(child(node, "object")) === "Math") {
    const property = child(node, "property")
    const computed = node["computed"] === true
    if (computed || nameOf(property) === "random") return `Math.random in core: ${entropy}`
  }
  if (node.type === "VariableDeclarator" && nameOf(child(node, "init")) === "Math") {
    return `Math taken apart in core: write Math.max and the like where they are used, and never random: ${entropy}`
  }
  if (node.type === "ImportSpecifier" && nameOf(child(node, "imported")) === "Random") {
    return `Random of Effect in core: ${entropy}`
  }
  return undefined
}

/** Names that a function declares for itself, as parameters. */
const parameters = (above: ReadonlyArray<Node>): ReadonlyArray<string> =>
  above.filter(isFunction).flatMap((one) => list(one, "params").flatMap(bound))

/** Time, chance and the world in core. */
export const purity = (source: Source): ReadonlyArray<Finding> => {
  const found: Array<Finding> = []
  if (source.part !== "core" || source.tree === undefined) return found
  walk(source.tree, (node, above) => {
    const name = nameOf(node)
    const own = name !== undefined && (isOnlyName(node, above.at(-1)) || parameters(above).includes(name))
    const sentence = name === undefined ? aboutChance(node) : own ? undefined : aboutIdentifier(name)
    if (sentence !== undefined) found.push(at(source, node, sentence))
  })
  return found
}
