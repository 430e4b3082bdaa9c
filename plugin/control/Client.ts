/**
 * The other end of the control socket: reaches the node that runs on a data folder, and asks it.
 * It never says what it came for before the node has proven the key, and never makes a file.
 * Its socket keeps the process alive only while an answer is waited for; closed, nothing is left of it.
 */
import { randomBytes } from "node:crypto"
import { connect } from "node:net"
import type { Redacted } from "effect"
import { errnoOf } from "../../adapters/filesystem/Files.ts"
import * as Bounds from "./Bounds.ts"
import { controlError } from "./ControlError.ts"
import * as Place from "./Place.ts"
import * as Proof from "./Proof.ts"
import * as Request from "./Request.ts"
import { makeWire, type Wire } from "./Wire.ts"

/** A request without what every request has. */
export type Asked = Request.Request extends infer One
  ? One extends Request.Request
    ? Omit<One, "v" | "id">
    : never
  : never

/** A node that has proven itself. */
export interface Client {
  /** Asks one thing. Rejects `unreachable` if no answer comes: the node may or may not have done it. */
  readonly ask: (asked: Asked) => Promise<Request.Answer>
  readonly close: () => void
}

const dial = (path: string): Promise<Wire> =>
  new Promise((resolve, reject) => {
    const socket = connect(path)
    const failed = (error: Error) => {
      const code = errnoOf(error)
      reject(
        code === "ENOENT" || code === "ECONNREFUSED"
          ? controlError("not-running", `no node answers at ${path}`)
          : controlError("unreachable", `${path} cannot be reached: ${code}`)
      )
    }
    socket.once("error", failed)
    socket.once("connect", () => {
      socket.off("error", failed)
      resolve(makeWire(socket, true))
    })
  })

/** Proves the key from the client's side, once the node has. Rejects `not-proven`, `unreachable`. */
export const open = async (wire: Wire, key: Redacted.Redacted<Uint8Array>): Promise<void> => {
  const client = Uint8Array.from(randomBytes(Proof.nonceBytes))
  await wire.send(Proof.hello(client))
  const first = await wire.next(Bounds.openingBytesMax, Bounds.openingMs)
  if (first === undefined)
    throw controlError("unreachable", "the node is there, but did not answer; see: wopr-p2p doctor")
  const read = Proof.readWelcome(first.value)
  // A nonce of ours that comes back could make us prove something to ourselves.
  const isOwn = read !== undefined && Buffer.from(read.nonce).equals(client)
  const nonces = read === undefined ? undefined : { client, node: read.nonce }
  if (nonces === undefined || isOwn || !Proof.holds(key, "node", nonces, read!.proof)) {
    throw controlError(
      "not-proven",
      "what answers does not know the control key of this folder; nothing was said to it"
    )
  }
  await wire.send(Proof.answer(Proof.prove(key, "client", nonces)))
}

/** Reaches the node of a data folder. Rejects with a `ControlError`; `not-running` if none is there. */
export const reach = async (dataFolder: string, env: NodeJS.ProcessEnv = process.env): Promise<Client> => {
  Place.requireDataFolder(dataFolder)
  const { folder, path } = Place.socketPath(dataFolder, env)
  if (folder !== dataFolder) Place.requireOurs(folder, false)
  const key = await Place.readKey(dataFolder)
  if (key === undefined) throw controlError("not-running", `no node has answered at ${dataFolder} yet`)
  const wire = await dial(path)
  try {
    await open(wire, key)
  } catch (error) {
    wire.close()
    throw error
  }
  let ids = 0
  return {
    ask: async (asked) => {
      const request = { v: Proof.version, id: ++ids, ...asked } as Request.Request
      await wire.send(request)
      const waitMs = "waitMs" in request && request.waitMs !== undefined ? request.waitMs : 0
      const next = await wire.next(Bounds.answerBytesMax, waitMs + Bounds.idleMs)
      const answer = next === undefined ? undefined : Request.readAnswer(next.value)
      if (answer === undefined || answer.id !== request.id) {
        throw controlError(
          "unreachable",
          "the node went away before it answered; what was asked may be done: see wopr-p2p status"
        )
      }
      return answer
    },
    close: wire.close
  }
}
