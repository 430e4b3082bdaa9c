/**
 * The house's rules in one list: what `npm run check` demands of every file.
 * It never states a rule itself; each has a file beside this one and a test that plants a violation.
 * A new rule is a function from a source to findings, a line here, and two texts in rules.test.ts.
 */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { isCode } from "../../core/Rejection.ts"
import { authority, gate } from "./Authority.ts"
import { imports, undeclared } from "./Imports.ts"
import { moduleState } from "./ModuleState.ts"
import { codes, links, machines, namedTests } from "./Pages.ts"
import { purity } from "./Purity.ts"
import { docstrings, fileLength, functionLength, header } from "./Shape.ts"
import { type Finding, isShipped, type Source } from "./Source.ts"
import { words } from "./Words.ts"

export type Rule = (source: Source) => ReadonlyArray<Finding>

/** What each rule wants, in words, and how it looks. */
export const rules = (root: string): Readonly<Record<string, Rule>> => {
  const exists = (path: string): boolean => existsSync(join(root, path))
  const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  const declaredOnly = undeclared(Object.keys(dependencies))
  return {
    "imports follow the table of parts and the order of rooms": imports,
    "shipped code imports declared dependencies only": (source) => (isShipped(source) ? declaredOnly(source) : []),
    "only the verifiers prove": authority,
    "the gate is asked where its answers are noted": gate,
    "core knows no clock, no chance and no process": purity,
    "no module keeps state": moduleState,
    "every file says in its header what it is": header,
    "every file has one subject": fileLength,
    "every function fits a screen": functionLength,
    "exported functions of core and ports say what they promise": docstrings,
    "names say something": words,
    "links lead somewhere": links(exists),
    "the tests SECURITY.md names exist": namedTests(exists),
    "the codes the pages mention exist": codes(isCode),
    "nothing is true on one machine only": machines
  }
}
