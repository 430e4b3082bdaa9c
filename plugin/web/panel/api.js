/**
 * The panel's side of the HTTP API: trades the segment of the module's address for a bearer, asks, and asks again.
 * It never stores the bearer anywhere but here, and never sends it to another origin.
 * A command keeps its id when an answer was lost, so that what is asked for twice is done once.
 */
/** @import { Answer } from "./shapes.js" */

/** Why the server did not do what was asked, or was not reached (`offline`). */
export class PanelFault extends Error {
  /** @param {string} code @param {string} why @param {number} retryAfterMs */
  constructor(code, why, retryAfterMs = 0) {
    super(why)
    this.code = code
    this.retryAfterMs = retryAfterMs
  }
}

/** @param {unknown} failure @returns {PanelFault} */
export const faultFrom = (failure) =>
  failure instanceof PanelFault ? failure : new PanelFault("offline", "The node does not answer. See that it runs.")

/** @param {Response} response */
const faultIn = async (response) => {
  const { code, retryAfterMs, why } = await response.json().catch(() => ({}))
  return new PanelFault(
    String(code ?? response.status),
    String(why ?? "The node could not answer."),
    Number(retryAfterMs ?? 0)
  )
}

/** @param {number} ms */
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** An id for a wish that nobody had before. */
const freshId = () => {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")
}

const attemptsMax = 3
const answerTimeoutMs = 45_000
const waitForTurnMsMax = 10_000

/** @typedef {ReturnType<typeof makeApi>} Api */

/** The API of one server, for one page. @param {string} origin @param {string} segment */
export const makeApi = (origin, segment) => {
  /** @type {string | undefined} */
  let bearer
  /** @type {Promise<string> | undefined} */
  let trading
  const trade = async () => {
    const response = await fetch(`${origin}/m/${segment}/session`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
      cache: "no-store"
    })
    if (response.status === 404)
      throw new PanelFault("locked", "This page's link is used up, or the node was started anew.")
    if (!response.ok) throw await faultIn(response)
    return String((await response.json()).bearer)
  }
  const signedIn = async () => {
    if (bearer !== undefined) return bearer
    trading ??= trade().finally(() => {
      trading = undefined
    })
    bearer = await trading
    return bearer
  }
  /** @param {string} method @param {string} path @param {unknown} body @param {AbortSignal} signal */
  const send = async (method, path, body, signal) => {
    const key = await signedIn()
    const response = await fetch(`${origin}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { "content-type": "application/json" })
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      cache: "no-store",
      signal
    })
    if (response.status === 401 && bearer === key) bearer = undefined
    return response
  }
  /** An answer of status 200. @param {string} method @param {string} path @param {unknown} body @param {AbortSignal} signal */
  const ask = async (method, path, body = undefined, signal = AbortSignal.timeout(answerTimeoutMs)) => {
    const first = await send(method, path, body, signal)
    if (first.ok) return first
    const fault = await faultIn(first)
    const mayWait = fault.retryAfterMs > 0 && fault.retryAfterMs <= waitForTurnMsMax
    if (first.status !== 401 && !mayWait) throw fault
    await pause(fault.retryAfterMs)
    const second = await send(method, path, body, signal)
    if (second.ok) return second
    throw await faultIn(second)
  }
  /** Asks again, under the same id, where no answer came. @param {string} path @param {Record<string, unknown>} body */
  const wish = async (path, body) => {
    const identified = { id: freshId(), ...body }
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await (await ask("POST", path, identified)).json()
      } catch (failure) {
        if (failure instanceof PanelFault || attempt === attemptsMax) throw failure
        await pause(500 * attempt)
      }
    }
  }
  return {
    ask,
    wish,
    /** @param {string} path */
    read: async (path) => (await ask("GET", path)).json(),
    /** @param {string} name @param {string} rest @returns {Promise<Answer>} */
    command: (name, rest) => wish("/api/command", { name, rest }),
    /** @param {string} line @returns {Promise<Answer>} */
    line: (line) => wish("/api/command", { line })
  }
}
