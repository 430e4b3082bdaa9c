/**
 * The loop: take an input that was worth keeping, change it, have it read, keep it if it reached something new.
 * It never stops at a finding; it collects a few, the shortest forms of them, and goes on.
 * Coverage is looked at once for many inputs, because reading the counters costs more than reading an input.
 */
import * as Chance from "../simulation/Chance.ts"
import type { Coverage } from "./Coverage.ts"
import { examine } from "./Examine.ts"
import { mutate } from "./Mutator.ts"
import type { Target } from "./Target.ts"

export interface Finding {
  readonly input: Uint8Array
  readonly what: string
}

export interface Fuzzed {
  readonly target: string
  readonly inputs: number
  readonly findings: ReadonlyArray<Finding>
  /** Inputs that reached something no other did, in the order in which they did. */
  readonly kept: ReadonlyArray<Uint8Array>
}

export interface Settings {
  readonly seed: number
  /** Whether to go on after so many inputs. */
  readonly goOn: (inputs: number) => boolean
  readonly corpus: ReadonlyArray<Uint8Array>
  readonly coverage?: Coverage
}

const together = 32
const findingsMax = 10

/** The beginning of a reading without its numbers and its longer texts. */
const kindOf = (reading: string): string =>
  reading
    .replace(/"(?:[^"\\]|\\.){9,}"/g, '""')
    .replace(/[0-9]+/g, "0")
    .slice(0, 32)

/** Fuzzes one reader. */
export const fuzz = async (target: Target, { corpus, coverage, goOn, seed }: Settings): Promise<Fuzzed> => {
  const luck = Chance.of(`fuzz ${target.name} ${seed}`)
  const kept: Array<Uint8Array> = []
  const findings: Array<Finding> = []
  const told = new Set<string>()
  /** Kinds of readings so far: where a library reads for us, its code is not ours and only the outcome is news. */
  const kinds = new Set<string>()
  const isNewKind = (reading: string): boolean => kinds.size < kinds.add(kindOf(reading)).size
  let inputs = 0
  /** Reads an input; true if what came out is of a kind that did not come before. */
  const look = async (input: Uint8Array): Promise<boolean> => {
    inputs++
    const { reading, wrong: what } = await examine(target, input, luck)
    const isNew = isNewKind(reading)
    const kind = what?.replace(/[0-9]+/g, "n").slice(0, 60)
    if (what === undefined || told.has(kind!) || findings.length >= findingsMax) return isNew
    told.add(kind!)
    findings.push({ input: await shortest(target, input, what), what })
    return isNew
  }
  /** Reads inputs; those that reached something new, each read alone, are kept. */
  const lookAt = async (many: ReadonlyArray<Uint8Array>): Promise<void> => {
    const newKinds = new Set<Uint8Array>()
    for (const input of many) if (await look(input)) newKinds.add(input)
    if (coverage === undefined || (coverage.take(false) === 0 && newKinds.size === 0)) return
    for (const input of many) {
      await examine(target, input, luck)
      if (coverage.take() > 0 || newKinds.has(input)) kept.push(input)
    }
  }
  coverage?.take()
  await lookAt([...corpus, ...Array.from({ length: 20 }, () => target.samples(luck))])
  const pool = () => (kept.length > 0 && luck.happens(0.7) ? luck.pick(kept) : target.samples(luck))
  while (goOn(inputs)) {
    await lookAt(Array.from({ length: together }, () => mutate(pool(), pool(), target.words, luck)))
  }
  return { target: target.name, inputs, findings, kept }
}

/** The same finding in fewer bytes, as far as cutting parts out goes. */
const shortest = async (target: Target, input: Uint8Array, what: string): Promise<Uint8Array> => {
  const luck = Chance.of("shortest")
  const kind = what.slice(0, 20)
  const isStill = async (shorter: Uint8Array) => (await examine(target, shorter, luck)).wrong?.startsWith(kind) === true
  let best = input
  for (let part = Math.ceil(input.length / 2); part >= 1; part = Math.floor(part / 2)) {
    for (let from = 0; from + part <= best.length; ) {
      const shorter = Uint8Array.from([...best.subarray(0, from), ...best.subarray(from + part)])
      if (await isStill(shorter)) best = shorter
      else from += part
    }
  }
  return best
}
