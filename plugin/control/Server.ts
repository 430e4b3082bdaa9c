/**
 * The control socket of a running node: put up at its start, answered from, and taken away with its scope.
 * It never takes a live process's socket away, never answers who has not proven the key, and never keeps the process alive.
 * What is wrong with it costs the node nothing but this door: a node without it runs on and says why it has none.
 */
import { randomBytes } from "node:crypto"
import { chmodSync, unlinkSync } from "node:fs"
import { connect, createServer, type Server, type Socket } from "node:net"
import { Cause, Effect, Exit, type Redacted, type Scope } from "effect"
import { errnoOf, hasPosixModes, inWords } from "../../adapters/filesystem/Files.ts"
import * as Answering from "./Answering.ts"
import * as Bounds from "./Bounds.ts"
import { ControlError, controlError } from "./ControlError.ts"
import * as Place from "./Place.ts"
import * as Proof from "./Proof.ts"
import * as Request from "./Request.ts"
import { makeWire, type Wire } from "./Wire.ts"

/** Whether anybody answers at a path. A socket whose process is dead refuses. */
export const isAnswered = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path)
    const done = (answered: boolean) => {
      socket.destroy()
      resolve(answered)
    }
    socket.setTimeout(Bounds.openingMs, () => done(true))
    socket.once("connect", () => done(true))
    // A full queue of connections is somebody's; only what nobody listens at is nobody's.
    socket.once("error", (error) => done(!["ECONNREFUSED", "ENOENT", "ENOTSOCK"].includes(errnoOf(error))))
  })

const listen = (server: Server, path: string): Promise<string | undefined> =>
  new Promise((resolve) => {
    const failed = (error: Error) => resolve(errnoOf(error))
    server.once("error", failed)
    server.listen(path, () => {
      server.off("error", failed)
      resolve(undefined)
    })
  })

/** Listens at the path; the socket of a dead process goes. Throws `in-use`, `unwritable`. */
const putUp = async (server: Server, path: string): Promise<void> => {
  for (const isLast of [false, true]) {
    const failure = await listen(server, path)
    if (failure === undefined) break
    if (failure !== "EADDRINUSE" || isLast) throw controlError("unwritable", `${path} cannot be a socket: ${failure}`)
    if (await isAnswered(path)) throw controlError("in-use", `another process answers at ${path}; stop that one first`)
    try {
      unlinkSync(path)
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw controlError("unwritable", `${path} is in the way: ${inWords(error)}`)
    }
  }
  if (hasPosixModes) chmodSync(path, 0o600)
}

/** Both proofs; false if the far end did not bring its own in time. */
const open = async (wire: Wire, key: Redacted.Redacted<Uint8Array>): Promise<boolean> => {
  const untilMs = performance.now() + Bounds.openingMs
  const next = async () => (await wire.next(Bounds.openingBytesMax, untilMs - performance.now()))?.value
  const client = Proof.readHello(await next())
  if (client === undefined) return false
  const nonces = { client, node: Uint8Array.from(randomBytes(Proof.nonceBytes)) }
  if (!(await wire.send(Proof.welcome(nonces.node, Proof.prove(key, "node", nonces))))) return false
  const proof = Proof.readAnswer(await next())
  return proof !== undefined && Proof.holds(key, "client", nonces, proof)
}

/** Answers requests, one at a time, until the far end goes or says something that is none. */
const serve = async (
  wire: Wire,
  respond: (request: Request.Request) => Promise<Request.Answer | undefined>
): Promise<void> => {
  for (let count = 0; count < Bounds.requestsMax; count++) {
    const next = await wire.next(Bounds.requestBytesMax, Bounds.idleMs)
    const request = next === undefined ? undefined : Request.read(next.value)
    if (request === undefined) return
    const answer = await respond(request)
    if (answer === undefined || !(await wire.send(answer))) return
  }
}

/** The connections there are, and who of them is still opening. */
interface Guard {
  readonly all: Set<Wire>
  readonly opening: Set<Wire>
}

/**
 * Puts the socket up for a node whose data folder this process holds, for the scope. The key is made if there is none.
 * Fails with a `ControlError` whose sentence names the command that mends it.
 */
export const serveControl = Effect.fnUntraced(function* (
  dataFolder: string,
  served: Answering.Served,
  env: NodeJS.ProcessEnv = process.env
): Effect.fn.Return<string, ControlError, Scope.Scope> {
  const prepared = Effect.tryPromise({
    try: async () => {
      Place.requireDataFolder(dataFolder)
      const place = Place.socketPath(dataFolder, env)
      if (place.folder !== dataFolder) Place.requireOurs(place.folder, true)
      return { key: await Place.prepareKey(dataFolder), path: place.path }
    },
    catch: asControlError
  })
  const { key, path } = yield* prepared
  const guard: Guard = { all: new Set(), opening: new Set() }
  const respond = (wire: Wire, request: Request.Request): Promise<Request.Answer | undefined> =>
    new Promise((resolve) => {
      const fiber = Effect.runFork(Answering.respond(served, request))
      wire.onGone(() => fiber.interruptUnsafe())
      fiber.addObserver((exit) => resolve(Exit.isSuccess(exit) ? exit.value : undefined))
    })
  const server = createServer((socket) => {
    void welcome(guard, socket, key, respond)
  })
  server.unref()
  yield* Effect.acquireRelease(Effect.tryPromise({ try: () => putUp(server, path), catch: asControlError }), () =>
    Effect.callback<void>((resume) => {
      // Closing also removes the socket.
      server.close(() => resume(Effect.void))
      for (const wire of guard.all) wire.close()
    })
  )
  return path
})

const asControlError = (error: unknown): ControlError =>
  error instanceof ControlError ? error : controlError("unwritable", inWords(error))

const welcome = async (
  { all, opening }: Guard,
  socket: Socket,
  key: Redacted.Redacted<Uint8Array>,
  respond: (wire: Wire, request: Request.Request) => Promise<Request.Answer | undefined>
): Promise<void> => {
  if (all.size >= Bounds.connectionsMax || opening.size >= Bounds.openingsMax) {
    socket.on("error", () => {})
    socket.destroy()
    return
  }
  const wire = makeWire(socket, false)
  all.add(wire)
  opening.add(wire)
  wire.onGone(() => {
    all.delete(wire)
    opening.delete(wire)
  })
  try {
    if (!(await open(wire, key))) return
    opening.delete(wire)
    await serve(wire, (request) => respond(wire, request))
  } catch {
    // Whoever sends what is no frame is hung up on; it is a program of ours that is broken, or none of ours.
  } finally {
    wire.close()
  }
}

/** Puts the socket up, or says why there is none: a node runs on without it. */
export const tryServe = (dataFolder: string, served: Answering.Served): Effect.Effect<void, never, Scope.Scope> =>
  serveControl(dataFolder, served).pipe(
    Effect.asVoid,
    Effect.catchCause((cause) => {
      if (Cause.hasInterruptsOnly(cause)) return Effect.void
      const failure = Cause.squash(cause)
      const why = failure instanceof Error ? failure.message : Cause.pretty(cause)
      return Effect.logWarning(`commands from another terminal do not reach this node: ${why}`)
    })
  )
