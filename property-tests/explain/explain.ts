/**
 * `npm run explain -- "LINE or HEX"`: takes a friend line or bytes of a link apart and says where they fail, and why.
 * It holds no logic but its options; the stations are beside it, and the readers they describe are the shipped ones.
 * Exit codes: 0 accepted as far as one can see, 1 refused, incomplete or not ours, 2 asked in a way we do not understand.
 */
import { readFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { sodium } from "../arbitraries/keys.ts"
import { explainBytes, type Form } from "./ByteStations.ts"
import { type Explanation, print } from "./Explanation.ts"
import { explainLine } from "./LineStations.ts"

const usage = `npm run explain -- "LINE or HEX" [options]

  A friend line as it stands in a chat, or bytes in hexadecimal; - reads standard input.

  --as FORM   line, frames, record (a record frame's body), envelopes (a record's plaintext) or message;
              without it the input decides: hexadecimal digits are bytes, everything else is a line
  --now MS    the clock that a line is held against, milliseconds since 1970 (default: now)
  --json      {"what", "verdict", "code", "stations": [{"station", "holds", "says", "code"}]}
`

const forms: ReadonlyArray<string> = ["line", "frames", "record", "envelopes", "message"]
const options = {
  as: { type: "string" },
  now: { type: "string" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false }
} as const

const bytesOf = (text: string): Uint8Array | undefined => {
  const digits = text.replace(/[\s:]|^0x/g, "")
  return digits !== "" && digits.length % 2 === 0 && /^[0-9a-f]+$/i.test(digits)
    ? Buffer.from(digits, "hex")
    : undefined
}

const explained = (text: string, form: string | undefined, nowMs: number): Explanation => {
  const bytes = form === "line" ? undefined : bytesOf(text)
  if (bytes !== undefined) return explainBytes(bytes, form as Form | undefined)
  if (form === undefined || form === "line") return explainLine(sodium, text, nowMs)
  if (form === "message") return explainBytes(Buffer.from(text), "message")
  throw new Error(`--as ${form} takes hexadecimal digits, two a byte`)
}

const main = (args: ReadonlyArray<string>): number => {
  const { positionals, values } = parseArgs({ args: [...args], options, strict: true, allowPositionals: true })
  if (values.help) {
    process.stdout.write(usage)
    return 0
  }
  const [given, ...more] = positionals
  if (given === undefined || more.length > 0) throw new Error("one line or hexadecimal text is expected, in quotes")
  if (values.as !== undefined && !forms.includes(values.as))
    throw new Error(`--as ${values.as}: one of ${forms.join(", ")}`)
  const nowMs = values.now === undefined ? Date.now() : Number(values.now)
  if (!Number.isSafeInteger(nowMs)) throw new Error(`--now ${values.now}: whole milliseconds are expected`)
  const text = given === "-" ? readFileSync(0, "utf8") : given
  const explanation = explained(text, values.as, nowMs)
  const lines = values.json ? [JSON.stringify(explanation)] : print(explanation)
  process.stdout.write(`${lines.join("\n")}\n`)
  return explanation.verdict === "accepted" ? 0 : 1
}

try {
  process.exitCode = main(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`)
  process.exitCode = 2
}
