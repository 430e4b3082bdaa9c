/**
 * The slash command that introduces two friends to each other.
 * It never answers an introduction: whoever was introduced is accepted and denied like whoever has asked.
 * Apart from the table of all commands because only this one names two people.
 */
import { Limits, Rejection } from "../core/index.ts"
import { command, mistake, type Row } from "./Parsed.ts"

const usage = "/introduce @one[#key] @other[#key] [: NOTE]"
const named = String.raw`@?(\S+?)(?:#([A-Za-z0-9_-]{1,43}))?`
const two = new RegExp(String.raw`^${named}\s+${named}$`, "u")

export const introduce: Row = {
  name: "introduce",
  usage,
  help: "tell two friends of each other; each decides with /accept or /deny, and you are no part of what they say then",
  parse: (rest) => {
    const [head = "", ...words] = rest.split(/\s:\s/)
    const match = two.exec(head.trim())
    if (match === null) return mistake(`usage: ${usage}`)
    const note = words.join(" : ").trim()
    if (Array.from(note).length > Limits.connectNoteMax) {
      return mistake(Rejection.sentence(Rejection.make("note-too-long")))
    }
    const one = { name: match[1]!, keyPrefix: match[2] ?? "" }
    return command({ _tag: "Introduce", one, other: { name: match[3]!, keyPrefix: match[4] ?? "" }, note })
  }
}
