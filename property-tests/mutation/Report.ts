/**
 * What mutants came to: how many died, and for each that lived, why it may, or that nobody has said so.
 * It never runs anything; it reads the report of the mutation tool and the list of reasons beside it.
 * A mutant is known by its file, the text it replaces and the replacement, so that lines may move.
 */
import { readFileSync } from "node:fs"

/** A mutant as the tool's report holds it (the mutation testing report schema, version 2). */
interface Mutant {
  readonly mutatorName: string
  readonly replacement?: string
  readonly status: string
  readonly location: { readonly start: Place; readonly end: Place }
}
interface Place {
  readonly line: number
  readonly column: number
}
export interface ToolReport {
  readonly files: Readonly<Record<string, { readonly source: string; readonly mutants: ReadonlyArray<Mutant> }>>
}

/** Why a mutant may live. */
export interface Reason {
  readonly file: string
  readonly original: string
  readonly replacement: string
  readonly why: string
}

export interface Survivor {
  readonly file: string
  readonly line: number
  readonly original: string
  readonly replacement: string
  readonly why: string | undefined
}

export interface Summary {
  readonly mutants: number
  readonly killed: number
  readonly survivors: ReadonlyArray<Survivor>
  /** Reasons for mutants that do not live any more. */
  readonly idle: ReadonlyArray<Reason>
}

/** The committed reasons. */
export const reasons = (): ReadonlyArray<Reason> =>
  JSON.parse(readFileSync(new URL("reasons.json", import.meta.url), "utf8"))

const dead: ReadonlySet<string> = new Set(["Killed", "Timeout", "RuntimeError", "CompileError"])

/** The text between two places, lines and columns from one, as one line. */
const between = (source: string, { end, start }: Mutant["location"]): string => {
  const lines = source.split("\n").slice(start.line - 1, end.line)
  const last = lines.length - 1
  if (lines[last] !== undefined) lines[last] = lines[last].slice(0, end.column - 1)
  if (lines[0] !== undefined) lines[0] = lines[0].slice(start.column - 1)
  return lines.map((line) => line.trim()).join(" ")
}

/** Reads a report against the reasons. */
export const summarise = ({ files }: ToolReport, known: ReadonlyArray<Reason>): Summary => {
  const survivors: Array<Survivor> = []
  const used = new Set<Reason>()
  let [mutants, killed] = [0, 0]
  for (const [file, { mutants: all, source }] of Object.entries(files)) {
    for (const { location, replacement = "", status } of all) {
      if (status === "Ignored") continue
      mutants++
      if (dead.has(status)) {
        killed++
        continue
      }
      const original = between(source, location)
      const flat = replacement
        .split("\n")
        .map((line) => line.trim())
        .join(" ")
      const reason = known.find((one) => one.file === file && one.original === original && one.replacement === flat)
      if (reason !== undefined) used.add(reason)
      survivors.push({ file, line: location.start.line, original, replacement: flat, why: reason?.why })
    }
  }
  const idle = known.filter((one) => Object.hasOwn(files, one.file) && !used.has(one))
  return { mutants, killed, survivors, idle }
}

const shortened = (text: string): string => (text.length > 90 ? `${text.slice(0, 90)}…` : text)

/** The summary for people. */
export const report = (room: string, { idle, killed, mutants, survivors }: Summary): ReadonlyArray<string> => {
  const open = survivors.filter(({ why }) => why === undefined)
  return [
    `${room}: ${killed} of ${mutants} mutants died, ${survivors.length - open.length} live for a reason, ${open.length} for none`,
    ...open.map(
      ({ file, line, original, replacement }) =>
        `  ${file}:${line}  ${shortened(original)}  →  ${replacement === "" ? "nothing" : shortened(replacement)}`
    ),
    ...idle.map(({ file, original }) => `  a reason that no mutant needs: ${file}  ${shortened(original)}`)
  ]
}
