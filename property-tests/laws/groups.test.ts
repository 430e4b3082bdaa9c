/**
 * What is typed behind the host's words `friend` and `p2p`, as arguments of the program.
 * It never runs anything; that each word does what it says, with a daemon and without, is in `host/cli.slow.test.ts`.
 */
import { describe, expect, it } from "vitest"
import * as Commands from "../../plugin/Commands.ts"
import * as Groups from "../../plugin/control/Groups.ts"
import * as VerbOptions from "../../plugin/control/VerbOptions.ts"

const meaning = (line: string) => {
  const [group = "", ...typed] = line.split(" ")
  if (!Groups.isGroup(group)) throw new Error(`no group ${group}`)
  return Groups.meaning(group, typed)?.join(" ")
}

describe("the host's words", () => {
  it.each([
    ["friend list", "friends"],
    ["friend list --json", "friends --json"],
    ["friend --json list", "friends --json"],
    ["friend --data /tmp/list pending", "requests --data /tmp/list"],
    ["friend accept @bob", "accept @bob"],
    ["friend deny bob", "deny bob"],
    ["friend remove @bob", "unfriend @bob"],
    ["friend grant @bob inject", "grant @bob inject"],
    ["friend verify @bob sas yes", "verify @bob sas yes"],
    ["friend auto-accept", "auto-accept list"],
    ["friend auto-accept --data /d --json", "auto-accept list --data /d --json"],
    ["friend auto-accept add *", "auto-accept add *"],
    ["friend @bob", "friend @bob"],
    ["friend message @bob hello there", "message @bob hello there"],
    ["friend wait 00ff", "wait 00ff"],
    ["p2p panel --json", "panel --json"],
    ["p2p peers", "friends"],
    ["p2p topics", "topic list"],
    ["p2p topics join chess", "topic join chess"],
    ["p2p identity", "identity show"],
    ["p2p identity rotate --compromise", "identity rotate --compromise"],
    ["p2p doctor --offline", "doctor --offline"],
    ["p2p claim -", "claim -"],
    ["friend", undefined],
    ["friend --json", undefined],
    ["friend bob", undefined],
    ["p2p help", undefined],
    ["p2p help-me", undefined]
  ])("%s → %s", (line, expected) => expect(meaning(line)).toBe(expected))

  it("lead to commands of the table, to doctor and to identity; and reach every verb", () => {
    const known = [...Commands.table.map(({ name }) => name), "doctor", "identity"]
    for (const [group, rows] of Object.entries(Groups.groups)) {
      for (const { alone = [], leads, word } of rows) {
        expect(known).toContain(leads[0])
        if (alone.length > 0) expect(known).toContain(alone[0])
        expect(Groups.help(group as Groups.Group, "wopr")).toContain(`  ${word} `)
      }
    }
    for (const { name } of VerbOptions.verbs) expect(meaning(`p2p ${name} x`)?.split(" ")[0]).toBe(name)
  })
})
