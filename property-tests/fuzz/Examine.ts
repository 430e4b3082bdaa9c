/**
 * What must hold for every input of every reader: a value or a refusal, the same in pieces as at once, in bounded time.
 * It never knows a reader; whatever it finds is a sentence about the input.
 */
import { Rejection } from "../../core/index.ts"
import * as Fault from "../../plugin/web/Fault.ts"
import type { Chance } from "../simulation/Chance.ts"
import { bytewise, cutAnywhere } from "./Mutator.ts"
import type { Reading, Target } from "./Target.ts"

/** An input takes longer than this only if something grows that must not: honest ones take a millisecond. */
export const slowMs = 2_000
/** Longer inputs are not read byte by byte: an hour of fuzzing would be one of them. */
const bytewiseBytesMax = 4_096

/** Codes of readers that belong to files, which are no peers' and have no row in the table of rejections. */
const fileCodes: ReadonlySet<string> = new Set(["damage", "record", "document", "none"])

const isReading = (reading: Reading): boolean => {
  const [kind, code = ""] = reading.split(" ")
  return (
    kind === "value" ||
    (kind === "refused" &&
      ([Rejection.table, Fault.table].some((table) => Object.hasOwn(table, code)) || fileCodes.has(code)))
  )
}

const shortened = (text: string): string => (text.length > 200 ? `${text.slice(0, 200)}…` : text)

const inPieces = (target: Target, input: Uint8Array, whole: Reading, luck: Chance): string | undefined => {
  if (target.readPieces === undefined) return undefined
  const ways = [
    ["at once", [input]],
    ["in pieces", cutAnywhere(input, luck)],
    ...(input.length <= bytewiseBytesMax ? ([["byte by byte", bytewise(input)]] as const) : [])
  ] as const
  for (const [way, pieces] of ways) {
    const reading = target.readPieces(pieces)
    if (reading !== whole) return `${way} it is read as ${shortened(reading)}, and not as ${shortened(whole)}`
  }
  return undefined
}

const trailing = async (target: Target, input: Uint8Array, whole: Reading): Promise<string | undefined> => {
  if (target.refusesTrailing !== true || !whole.startsWith("value")) return undefined
  for (const more of [[0], [0x7d], [0x61, 0x62], [0xff]]) {
    const reading = await target.read(Uint8Array.from([...input, ...more]))
    if (reading.startsWith("value"))
      return `with bytes ${more.join(" ")} behind it, it is still read: ${shortened(reading)}`
  }
  return undefined
}

/** What a reader made of an input, and what is wrong with that, if anything is. */
export interface Examined {
  readonly reading: Reading
  readonly wrong: string | undefined
}

/** Reads an input in every way it may come, and holds the reader to its promises. */
export const examine = async (target: Target, input: Uint8Array, luck: Chance): Promise<Examined> => {
  const startedAt = performance.now()
  try {
    const reading = await target.read(input)
    if (!isReading(reading))
      return { reading, wrong: `neither a value nor a refusal with a code: ${shortened(reading)}` }
    const wrong = inPieces(target, input, reading, luck) ?? (await trailing(target, input, reading))
    const tookMs = performance.now() - startedAt
    return { reading, wrong: wrong ?? (tookMs > slowMs ? `it takes ${Math.round(tookMs)} ms` : undefined) }
  } catch (error) {
    const wrong = `it throws ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`
    return { reading: wrong, wrong }
  }
}
