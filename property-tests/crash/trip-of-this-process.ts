/**
 * The one trip of a process that was started to die: its preload and its responder count with it.
 * It never exists outside such a process; nothing but the preload and what it puts in place may import it.
 * One module, because both must count with the same one.
 */
import { makeTrip } from "./Trip.ts"

export const trip = makeTrip({
  death: process.env["CRASH_AT"] ?? "",
  waits: process.env["CRASH_WAITS"] === "yes",
  record: process.env["CRASH_RECORD"] ?? "/dev/null"
})
