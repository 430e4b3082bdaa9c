/**
 * The slash command that introduces two friends to each other.
 * It never answers an introduction: whoever was introduced is accepted and denied like whoever has asked.
 * Apart from the table of all commands because only this one names two people.
 */
import { addressed, command, mistake, noted, type Row } from "./Parsed.ts"

const usage = "/introduce @one[#key] @other[#key] [: NOTE]"

export const introduce: Row = {
  name: "introduce",
  usage,
  help: "tell two friends of each other; each decides with /accept or /deny, and you are no part of what they say then",
  parse: (rest) => {
    const said = noted(rest)
    if ("kind" in said) return said
    const one = addressed(said.head)
    const other = addressed(one?.rest ?? "")
    if (one === undefined || other === undefined || other.rest !== "") return mistake(`usage: ${usage}`)
    const [first, second] = [one, other].map(({ keyPrefix, name }) => ({ name, keyPrefix }))
    return command({ _tag: "Introduce", one: first!, other: second!, note: said.note })
  }
}
