/**
 * What waits, in words: messages and questions of ours, and questions of friends that wait for our owner.
 * It never shows a text: what a held question asks is in the conversation.
 * Apart from `Present` because that page is long enough.
 */
import type { Describe } from "../core/index.ts"
import { at, bytes, harmless } from "./Words.ts"

const states = {
  waiting: "waits for them to appear",
  sent: "sent, not confirmed yet",
  givenUp: "given up after it was sent; they will be asked whether it arrived",
  running: "arrived, not answered yet",
  held: "waits for the word of their owner"
} as const

const kinds: Readonly<Record<string, string>> = { Inject: "inject", Introduce: "introduction" }

const queueLine = ({ bytes: size, id, kind, name, state }: Describe.QueueView): string =>
  `${id.slice(0, 8)}  ${kinds[kind] ?? "message"} to @${harmless(name)}` +
  `${size === 0 ? "" : `, ${bytes(size)}`}: ${states[state]}`

/** The answer to `/queue`, a line each. */
export const queueLines = (node: Describe.Description): ReadonlyArray<string> =>
  node.queue.length + node.refusals.length === 0
    ? ["nothing waits, and everything was delivered"]
    : [
        ...(node.queue.length === 0 ? ["nothing waits"] : node.queue.map(queueLine)),
        ...node.refusals.map(
          ({ atMs, code, id, kind, name }) =>
            `${id.slice(0, 8)}  ${kinds[kind] ?? "message"} to @${harmless(name)}: ` +
            `not delivered, ${code} (${at(atMs)})`
        )
      ]

/** The answer to `/held`, a line each. */
export const heldLines = (node: Describe.Description): ReadonlyArray<string> =>
  node.held.length === 0
    ? ["no question waits for you"]
    : node.held.map(
        ({ bytes: size, expiresAtMs, id, name, reason, trust }) =>
          `${id.slice(0, 8)}  @${harmless(name)} asks (${reason === "" ? "" : `${harmless(reason)}, `}${bytes(size)}; ${trust}; ` +
          `read it in the conversation): /approve or /refuse it until ${at(expiresAtMs)}`
      )
