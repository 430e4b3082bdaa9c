/**
 * What those who make trouble see of a simulation: its clock, its luck, its houses, and the truth about them.
 * It never holds anything; the simulator does.
 */
import type { Input } from "../../core/index.ts"
import type { Chance } from "./Chance.ts"
import type { Clock } from "./Clock.ts"
import type { House } from "./House.ts"
import type { Options } from "./Options.ts"
import type { Truth } from "./Truth.ts"

export const minute = 60_000
export const hour = 60 * minute

export interface Stage {
  readonly options: Options
  readonly clock: Clock
  readonly chance: Chance
  readonly houses: ReadonlyArray<House>
  readonly truth: Truth
  /** Whether the troubles are over. */
  readonly healed: boolean
  /** Whom a house is to be friends with. */
  friendsOf(house: House): ReadonlyArray<House>
  /** An operator's command; it is lost if the house has no process. */
  command(house: House, command: Input.Command, ref?: string): void
  /** Asks for friendship, in the room that the two share. */
  ask(house: House, other: House): void
  /** One more thing of a kind has gone wrong. */
  count(fault: string): void
}
