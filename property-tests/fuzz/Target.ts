/**
 * A reader under fuzzing: what it takes, honest examples of it, and what it made of some bytes.
 * It never decides what is right for one input; it says what must hold for all of them.
 * A later reader (a link, a claim, a profile, a bridge line) is one more value of this type.
 */
import type { Chance } from "../simulation/Chance.ts"

/** What a reader made of its input, in words that are the same for the same meaning: `value …` or `refused code`. */
export type Reading = string

export interface Target {
  readonly name: string
  /** What it reads, in a sentence. */
  readonly says: string
  /** Honest inputs; a mutation starts from one of them, or from the corpus. */
  readonly samples: (luck: Chance) => Uint8Array
  /** Pieces of text that make mutations meet: field names, marks, numbers at their limits. */
  readonly words: ReadonlyArray<string>
  /** Reads all of it at once. Throws only if something is wrong with the reader. */
  readonly read: (input: Uint8Array) => Reading | Promise<Reading>
  /** Reads it as it would come over a link or out of a file, piece by piece; absent where it never comes in pieces. */
  readonly readPieces?: (pieces: ReadonlyArray<Uint8Array>) => Reading
  /** An honest input with bytes behind it must be refused, where what is read has one end. */
  readonly refusesTrailing?: boolean
}

/** A promise of a reader that did not hold; the sentence says which. */
export class Broken extends Error {}

/** Fails the reading unless something holds. */
export const demand = (holds: boolean, what: string): void => {
  if (!holds) throw new Broken(what)
}

/** A reading as text: equal for equal values, whatever the order of members. */
export const value = (of: unknown): Reading =>
  `value ${JSON.stringify(of, (_, member: unknown) => {
    if (member instanceof Uint8Array) return Buffer.from(member).toString("base64")
    if (member instanceof Map) return [...member]
    return member
  })}`

/** A refusal as a reading. */
export const refused = (code: string): Reading => `refused ${code}`
