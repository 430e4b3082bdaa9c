/**
 * Reads the whole house and says what is untidy: the third part of `npm run check`.
 * It never repairs; each finding is a file, a line and a sentence that says what to do.
 * The rules and their own tests are in property-tests/tidy; here they meet the real files.
 */
import { expect, it } from "vitest"
import { rules } from "./tidy/rules.ts"
import { projectRoot, sources } from "./tidy/Tree.ts"

const house = sources(projectRoot)

it("reads the house", () => {
  const parts = new Set(house.filter(({ tree }) => tree !== undefined).map(({ part }) => part))
  for (const part of ["core", "ports", "adapters", "plugin", "property-tests", "bench"]) {
    expect(parts, `no code of ${part} was read`).toContain(part)
  }
})

for (const [name, rule] of Object.entries(rules(projectRoot))) {
  it(name, () => {
    const findings = house.flatMap(rule).map(({ line, path, sentence }) => `${path}:${line} ${sentence}`)
    if (findings.length > 0) expect.fail(`\n${findings.join("\n")}\n`)
  })
}
