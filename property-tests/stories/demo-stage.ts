/**
 * What the stories of the demo share: what it told, an engine that is not there, and that nothing is left of it.
 * It must not believe what the demo prints about its end: processes and folders are looked at.
 * The two halves differ in length only, the interruptions at every moment being the longer.
 */
import { join } from "node:path"
import { expect } from "vitest"
import type { Told } from "../../plugin/standalone/Child.ts"
import { type Ended, isAlive, leftovers, type Place } from "./stage.ts"

/** What a demo told with `--json`. */
export const toldBy = ({ stdout }: Pick<Ended, "stdout">): ReadonlyArray<Told> =>
  stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Told)

/** The events of one name. */
export const named = (told: ReadonlyArray<Told>, event: string): ReadonlyArray<Told> =>
  told.filter((one) => one.event === event)

/** An engine's socket that is not there. */
export const engineless = (place: Place) => ({
  ...place.env,
  WOPR_P2P_DOCKER_SOCKET: join(place.folder, "no-engine.sock")
})

/** No process of the demo and none of its folders. */
export const expectNothingLeft = (place: Place, told: ReadonlyArray<Told>): void => {
  const pids = named(told, "started").flatMap((one) => one["pids"] as ReadonlyArray<number>)
  expect(pids).toHaveLength(2)
  expect(pids.filter(isAlive)).toEqual([])
  expect(leftovers(place)).toEqual([])
}
