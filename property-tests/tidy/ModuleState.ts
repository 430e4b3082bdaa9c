/**
 * No state that a module keeps for itself: two nodes live in one process without knowing of each other.
 * It never follows a value through calls; it finds what is declared to change, and what is changed where it was declared.
 * A constant set or map is allowed when its declared type is read-only, because then the compiler holds the promise.
 */
import {
  at,
  bound,
  child,
  children,
  type Finding,
  isFunction,
  isShipped,
  list,
  type Node,
  nameOf,
  type Source,
  statements,
  walk
} from "./Source.ts"

const container = /^(Weak)?(Map|Set)$|^Array(Buffer)?$|^(Uint|Int|BigUint|BigInt|Float)\d+(Clamped)?Array$/
const mutators =
  /^(push|pop|shift|unshift|splice|sort|reverse|fill|copyWithin|set|add|delete|clear|assign|defineProperty)$/

const instead = "make it inside the function or layer that needs it"

/** Walks what runs when the module is loaded: not the bodies of functions, nor what each instance of a class gets. */
const walkLoaded = (node: Node, visit: (node: Node) => void): void => {
  if (isFunction(node) || (node.type === "PropertyDefinition" && node["static"] !== true)) return
  visit(node)
  for (const one of children(node)) walkLoaded(one, visit)
}

const isReadonly = (source: Source, declarator: Node): boolean => {
  const annotation = child(child(declarator, "id"), "typeAnnotation")
  const written = annotation === undefined ? "" : source.text.slice(annotation.start, annotation.end)
  return /^:\s*(Readonly(Map|Set|Array)\b|readonly )/.test(written)
}

/** What is declared at the top of the module to change. */
const declared = (source: Source): ReadonlyArray<Finding> => {
  const found: Array<Finding> = []
  for (const { declared: one } of statements(source)) {
    if (one.type === "VariableDeclaration" && one["declare"] !== true && one["kind"] !== "const") {
      found.push(at(source, one, `a module-level ${String(one["kind"])}: ${instead}`))
    }
    for (const declarator of one.type === "VariableDeclaration" ? list(one, "declarations") : [one]) {
      if (declarator.type === "VariableDeclarator" && isReadonly(source, declarator)) continue
      walkLoaded(declarator, (node) => {
        const made = node.type === "NewExpression" ? nameOf(child(node, "callee")) : undefined
        if (made !== undefined && container.test(made)) {
          found.push(at(source, node, `a module-level new ${made}: ${instead}, or declare it Readonly…`))
        }
        if (node.type === "PropertyDefinition" && node["static"] === true && node["readonly"] !== true) {
          found.push(at(source, node, "a static that can be assigned: make it readonly"))
        }
      })
    }
  }
  return found
}

/** The identifier an expression reaches into: `a` of `a.b[0].c`. */
const root = (node: Node | undefined): Node | undefined =>
  node?.type === "MemberExpression" || node?.type === "TSNonNullExpression" || node?.type === "TSAsExpression"
    ? root(child(node, "object") ?? child(node, "expression"))
    : node

/** What a node changes, if it changes something: the target of an assignment, or what a mutating method is called on. */
const changed = (node: Node): Node | undefined => {
  if (node.type === "AssignmentExpression") return root(child(node, "left"))
  if (node.type === "UpdateExpression") return root(child(node, "argument"))
  if (node.type === "UnaryExpression" && node["operator"] === "delete") return root(child(node, "argument"))
  const callee = node.type === "CallExpression" ? child(node, "callee") : undefined
  if (callee?.type !== "MemberExpression" || !mutators.test(nameOf(child(callee, "property")) ?? "")) return undefined
  return nameOf(child(callee, "object")) === "Object" ? root(list(node, "arguments")[0]) : root(child(callee, "object"))
}

/** Whether a function or block between here and the module declares the name for itself. */
const isShadowed = (name: string, above: ReadonlyArray<Node>): boolean =>
  above.some((one) => {
    if (isFunction(one)) return list(one, "params").flatMap(bound).includes(name)
    const loop = child(one, "left") ?? child(one, "init")
    const inside = one.type === "BlockStatement" ? list(one, "body") : loop === undefined ? [] : [loop]
    return inside.some(
      (statement) =>
        nameOf(child(statement, "id")) === name ||
        list(statement, "declarations").some((declarator) => bound(child(declarator, "id")).includes(name))
    )
  })

/** What is changed although it was declared at the top of the module. */
const mutated = (source: Source): ReadonlyArray<Finding> => {
  const found: Array<Finding> = []
  const constants = new Set(
    statements(source).flatMap(({ declared: one }) =>
      list(one, "declarations").flatMap((declarator) => bound(child(declarator, "id")))
    )
  )
  if (source.tree === undefined) return found
  walk(source.tree, (node, above) => {
    const name = nameOf(changed(node))
    if (name === undefined || !constants.has(name) || isShadowed(name, above)) return
    found.push(at(source, node, `${name} belongs to the module and is changed here: ${instead}`))
  })
  return found
}

/** Module-level state in code that ships. */
export const moduleState = (source: Source): ReadonlyArray<Finding> =>
  isShipped(source) ? [...declared(source), ...mutated(source)] : []
