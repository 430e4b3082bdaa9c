/**
 * What a checker is: a sentence that must be true, and a look at each turn, or at the end, that finds where it is not.
 * It never changes what it looks at; a run with checkers and one without are the same run.
 * A look at a turn costs what the turn changed; whole disks and tables are looked at now and then.
 */
import type { House } from "./House.ts"
import type { Options } from "./Options.ts"
import type { Taken } from "./Process.ts"
import type { Truth } from "./Truth.ts"

/** What checkers look at. */
export interface Scene {
  readonly options: Options
  readonly houses: ReadonlyArray<House>
  readonly truth: Truth
  houseOf(name: string): House | undefined
  /** When it all began. */
  readonly startMs: number
  /** The true time, milliseconds since the epoch. */
  nowMs(): number
  /** What was on the wire, and what nonces were used under which keys: kept by those who saw it. */
  readonly seen: {
    readonly nonces: ReadonlyArray<string>
    readonly wire: ReadonlyArray<string>
  }
}

/** A turn that was just taken, and what the operator's decisions were before it. */
export interface Turned {
  readonly house: House
  readonly taken: Taken
  readonly friendsBefore: ReadonlyMap<string, string>
  readonly grantedBefore: ReadonlySet<string>
  readonly verifiedBefore: ReadonlySet<string>
  readonly demandsBefore: ReadonlySet<string>
  /** Whether it is this turn's luck to have everything looked at. */
  readonly thorough: boolean
}

export interface Checker {
  readonly name: string
  /** What must be true. */
  readonly says: string
  /** What is wrong after a turn; nothing if nothing is. */
  turn?(turned: Turned, scene: Scene): ReadonlyArray<string>
  /** What is wrong when the world has healed. */
  end?(scene: Scene): ReadonlyArray<string>
}
