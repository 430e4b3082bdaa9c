/**
 * The event stream: read by fetch, because it wants a header, and taken up again where it broke off.
 * It never loses its place: the last id that was read is where the next stream goes on.
 * Silence longer than three of the server's signs of life is a broken stream, which no socket would tell of for minutes.
 */
import { faultFrom, PanelFault, pause } from "./api.js"

/** @import { Api } from "./api.js" */
/** @import { Told } from "./shapes.js" */

const silenceMsMax = 50_000
const pauseMsFirst = 500
const pauseMsMost = 15_000

/** @typedef {{ kind: string, id: string, body: unknown }} Frame */

/** The frames of a text of Server-Sent Events. @param {string} block @returns {Frame} */
const frameOf = (block) => {
  const frame = { kind: "message", id: "", data: "" }
  for (const line of block.split("\n")) {
    const [, name, value] = /^(\w+): ?(.*)$/.exec(line) ?? []
    if (name === "event") frame.kind = value ?? ""
    if (name === "id") frame.id = value ?? ""
    if (name === "data") frame.data += value ?? ""
  }
  return { kind: frame.kind, id: frame.id, body: frame.data === "" ? undefined : JSON.parse(frame.data) }
}

/** Reads a stream to its end. @param {ReadableStream<Uint8Array>} body @param {() => void} alive @param {(frame: Frame) => void} take */
const readFrames = async (body, alive, take) => {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let text = ""
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    alive()
    text += decoder.decode(value, { stream: true })
    const blocks = text.split("\n\n")
    text = blocks.pop() ?? ""
    for (const block of blocks) if (/^(id|event|data):/m.test(block)) take(frameOf(block))
  }
}

/**
 * Follows what happens, for the page's life or until its key is not good any more.
 * @param {Api} api
 * @param {{ after: () => Promise<string>, told: (id: string, told: Told) => void, gap: () => void,
 *   live: () => void, lost: (retryAtMs: number, fault: PanelFault) => void }} on
 * @returns {() => void} what ends a pause
 */
export const follow = (api, on) => {
  /** @type {string | undefined} */
  let place
  let wake = () => {}
  const once = async () => {
    const silence = new AbortController()
    let timer = setTimeout(() => silence.abort(), silenceMsMax)
    const alive = () => {
      clearTimeout(timer)
      timer = setTimeout(() => silence.abort(), silenceMsMax)
    }
    try {
      place ??= await on.after()
      const { body } = await api.ask("GET", `/api/events?after=${encodeURIComponent(place)}`, undefined, silence.signal)
      if (body === null) return
      on.live()
      await readFrames(body, alive, ({ body: said, id, kind }) => {
        if (id !== "") place = id
        if (kind === "gap") on.gap()
        if (kind === "news") on.told(id, /** @type {Told} */ (said))
      })
    } finally {
      clearTimeout(timer)
    }
  }
  const forever = async () => {
    let pauseMs = pauseMsFirst
    for (;;) {
      let fault = new PanelFault("offline", "The connection to the node ended.")
      const beganMs = Date.now()
      await once().catch((failure) => {
        fault = faultFrom(failure)
      })
      if (Date.now() - beganMs > pauseMsMost) pauseMs = pauseMsFirst
      on.lost(Date.now() + pauseMs, fault)
      if (fault.code === "locked") return
      await Promise.race([
        pause(pauseMs),
        new Promise((resolve) => {
          wake = () => resolve(undefined)
        })
      ])
      pauseMs = Math.min(2 * pauseMs, pauseMsMost)
    }
  }
  void forever()
  return () => wake()
}
