/**
 * What the former plugin left in the host's database, taken over before the node's first start inside that host.
 * It never writes there: the rows stay what they were, so that whoever goes back to the former plugin finds them.
 * Read as plain SQL, because the host's own repositories exist only for who declares the tables, and declaring makes them.
 */
import { existsSync } from "node:fs"
import { join } from "node:path"
import { Data, Effect } from "effect"
import { type HostContext, say } from "../host/Context.ts"
import * as FormerFiles from "./FormerFiles.ts"
import * as Migrate from "./Migrate.ts"

type Row = Readonly<Record<string, unknown>>

/** The host's own database answers at once; one that does not is left to the next start. */
const answerMs = 2_000
const rowsMax = 10_000

const isRow = (value: unknown): value is Row => typeof value === "object" && value !== null && !Array.isArray(value)

/** Lists are texts of JSON in the tables. */
const unfolded = (row: Row): Row =>
  Object.fromEntries(
    Object.entries(row).map(([key, value]) => {
      if (typeof value !== "string" || !/^[[{]/.test(value)) return [key, value]
      try {
        return [key, JSON.parse(value)]
      } catch {
        return [key, value]
      }
    })
  )

/** Why nothing can be said of what the tables hold. */
class SilentError extends Data.TaggedError("SilentError")<{ readonly message: string }> {}

const asked = ({ storage }: HostContext, sql: string): Effect.Effect<ReadonlyArray<Row>, Error | SilentError> =>
  Effect.tryPromise({
    try: async () => storage?.raw?.(sql),
    catch: (error) => new Error(`the host's database could not be read: ${String(error)}`)
  }).pipe(
    Effect.timeoutOrElse({
      duration: answerMs,
      orElse: () => Effect.fail(new SilentError({ message: "the host's database did not answer" }))
    }),
    Effect.map((found) => (Array.isArray(found) ? found.filter(isRow).map(unfolded) : []))
  )

/** Which tables of the former plugin there are; none in a host that has another database, or none to ask. */
const tablesThere = (context: HostContext) =>
  asked(context, "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'p2p\\_%' ESCAPE '\\'").pipe(
    Effect.map((found) => new Set(found.map(({ name }) => name))),
    Effect.catchIf(
      (error) => !(error instanceof SilentError),
      () => Effect.succeed(new Set<unknown>())
    )
  )

const read = Effect.fnUntraced(function* (context: HostContext) {
  const there = yield* tablesThere(context)
  const rows = (table: string) =>
    there.has(table) ? asked(context, `SELECT * FROM "${table}" LIMIT ${rowsMax}`) : Effect.succeed([])
  return FormerFiles.checked({
    identity: yield* rows("p2p_identity"),
    friends: {
      friends: yield* rows("p2p_friends"),
      pendingIn: yield* rows("p2p_pending_requests"),
      autoAccept: yield* rows("p2p_auto_accept")
    },
    peers: yield* rows("p2p_peers"),
    grants: yield* rows("p2p_access_grants")
  })
})

const isLasting = (error: unknown): boolean => error instanceof Migrate.MigrateError && error.code !== "unwritable"

/**
 * Takes over what the host's tables hold of the former plugin, if the folder has no identity of ours yet.
 * Says in the host's log what was taken and what was not. What cannot be taken at all is said, and the node starts as a
 * new one; what may succeed later fails, so that no new identity comes in the way of the former one.
 */
export const takeOver = (context: HostContext, dataFolder: string): Effect.Effect<void, unknown> =>
  Effect.gen(function* () {
    if (existsSync(join(dataFolder, "identity.json")) && !FormerFiles.isFormer(dataFolder)) return
    const tables = yield* read(context)
    if (tables.identity === undefined) return
    for (const line of yield* Migrate.takeOver(dataFolder, tables))
      say(context, "info", `p2p, from the former plugin: ${line}`)
  }).pipe(
    Effect.catchIf(isLasting, (error) =>
      Effect.sync(() => say(context, "warn", `p2p: nothing of the former plugin was taken over: ${String(error)}`))
    )
  )
