/**
 * Who may call something proven: `prove` belongs to the two verifiers and to nobody else.
 * It never follows values; whoever does not import `prove` cannot call it, since its symbol is not exported.
 * Without this the type `Authentic` would be a habit and not a proof.
 */
import { at, child, type Finding, list, nameOf, type Source, stringOf, walk } from "./Source.ts"

/** The two files that verify: a signature, and a sealed record. */
export const verifiers: ReadonlyArray<string> = ["core/identity/Statement.ts", "core/session/Seal.ts"]

const sentence = `only ${verifiers.join(" and ")} may prove; verify there and pass the Authentic value on`

/** Uses of `prove` outside the verifiers: imported, re-exported, or reached through the module. */
export const authority = (source: Source): ReadonlyArray<Finding> => {
  const found: Array<Finding> = []
  const exempt = [...verifiers, "core/identity/Authentic.ts"].includes(source.path)
  if (source.tree === undefined || exempt || source.part === "property-tests") return found
  walk(source.tree, (node) => {
    const from = stringOf(child(node, "source"))
    if (from !== undefined && /(^|\/)Authentic\.ts$/.test(from)) {
      const named = list(node, "specifiers").map((one) => nameOf(child(one, "imported") ?? child(one, "local")))
      const all = node.type === "ExportAllDeclaration"
      if (named.includes("prove") || all) found.push(at(source, node, sentence))
    }
    const property = node.type === "MemberExpression" ? nameOf(child(node, "property")) : undefined
    if (property === "prove" && nameOf(child(node, "object")) === "Authentic") found.push(at(source, node, sentence))
  })
  return found
}

const gatekeeper = "core/node/Decisions.ts"

/** Calls of the gate past the one place that notes what it says: a decision would be missing in every account. */
export const gate = (source: Source): ReadonlyArray<Finding> => {
  const found: Array<Finding> = []
  if (source.tree === undefined || source.part !== "core" || source.path === gatekeeper) return found
  walk(source.tree, (node) => {
    const property = node.type === "MemberExpression" ? nameOf(child(node, "property")) : undefined
    if (property === "decide" && nameOf(child(node, "object")) === "Verdict")
      found.push(at(source, node, `only ${gatekeeper} asks the gate; use Decisions.decide, which notes the answer`))
  })
  return found
}
