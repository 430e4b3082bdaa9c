/**
 * A second pair of eyes on the sandbox: what the engine itself says of the containers of one owner.
 * It never starts, changes or removes anything.
 * The demo compares it with what the program inside a container reports, so that neither has to be believed alone.
 */
import { Effect, type Scope } from "effect"
import { connect, defaultSocketPath } from "./Engine.ts"
import { ownerLabel } from "./Lifetime.ts"

/** What the engine told of one container: its events in order, and its settings while it existed. */
export interface Sighting {
  readonly containerId: string
  readonly actions: ReadonlyArray<string>
  readonly user: string
  readonly network: string
  readonly readOnlyRoot: boolean
}

interface EngineEvent {
  readonly Action?: string
  readonly Actor?: { readonly ID?: string }
}

const none = { actions: [], user: "", network: "", readOnlyRoot: false }

/** Complete lines of the event stream so far, and what is left over. */
const lines = (text: string): readonly [ReadonlyArray<string>, string] => {
  const parts = text.split("\n")
  return [parts.slice(0, -1), parts.at(-1) ?? ""]
}

/**
 * Watches the containers labelled with an owner until the scope closes. Gives a function that tells what has been seen
 * so far; without an engine nothing is ever seen.
 */
export const watch = (
  ownerId: string,
  socketPath = defaultSocketPath
): Effect.Effect<() => ReadonlyArray<Sighting>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const docker = yield* connect(socketPath)
    const seen = new Map<string, Sighting>()
    const note = (containerId: string, change: (before: Sighting) => Sighting) =>
      seen.set(containerId, change(seen.get(containerId) ?? { containerId, ...none }))
    const look = async (id: string) => {
      const { Config, HostConfig } = await docker.getContainer(id).inspect()
      note(id, (before) => ({
        ...before,
        user: Config.User,
        network: HostConfig.NetworkMode ?? "",
        readOnlyRoot: HostConfig.ReadonlyRootfs === true
      }))
    }
    const onLine = (line: string) => {
      const { Action: action, Actor: actor } = JSON.parse(line) as EngineEvent
      const id = actor?.ID
      if (id === undefined || action === undefined) return
      note(id, (before) => ({ ...before, actions: [...before.actions, action] }))
      if (action === "create" || action === "start") look(id).catch(() => {})
    }
    const filters = JSON.stringify({ type: ["container"], label: [`${ownerLabel}=${ownerId}`] })
    const stream = yield* Effect.promise(() => docker.getEvents({ filters }).catch(() => undefined))
    if (stream === undefined) return () => []
    let rest = ""
    stream.on("error", () => {})
    stream.on("data", (chunk: Buffer) => {
      const [whole, left] = lines(rest + chunk.toString())
      rest = left
      whole.filter((line) => line !== "").forEach(onLine)
    })
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        if ("destroy" in stream && typeof stream.destroy === "function") stream.destroy()
      })
    )
    return () => [...seen.values()]
  })
