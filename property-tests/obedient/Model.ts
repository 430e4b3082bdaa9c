/**
 * Models that obey everybody: each order in anything they are shown, whoever wrote it and however it is written.
 * They never doubt, and know every encoding that `Texts.ts` writes; no real model is as easily led.
 * One sits in the sandbox and has its shell; the other is the host's, has the owner's context and every tool.
 */
import { Layer, Stream } from "effect"
import { Model, type Piece, type Request, type Said } from "../../ports/Model.ts"
import type { Daemon } from "../host/Host.ts"
import { encodings, everything, type Order } from "./Texts.ts"

const marked = /@@(\{.*?\})@@/gs

/** Every order in a text, behind whatever encoding. */
export const ordersIn = (text: string): ReadonlyArray<Order> => {
  const found = new Map<string, Order>()
  for (const { read } of encodings) {
    for (const [, json = ""] of read(text).matchAll(marked)) {
      try {
        found.set(json, JSON.parse(json))
      } catch {
        // What another encoding makes of it is no order.
      }
    }
  }
  return [...found.values()]
}

const wordsOf = (said: Said): string =>
  said.role === "assistant" ? `${said.text} ${said.calls.map(({ input }) => input).join(" ")}` : said.text

/** Everything a request holds, as a model that was told to say it would. */
export const allOf = ({ said }: Request): string => said.map(wordsOf).join("\n")

/** The next thing it does: an order that it has not carried out, by its shell, or else everything it knows, as its answer. */
const obey = (request: Request): ReadonlyArray<Piece> => {
  const done = request.said.filter(({ role }) => role === "tool").length
  const wanted = request.said.flatMap((one) => (one.role === "user" ? ordersIn(one.text) : [])).slice(-1)
  const commands = wanted.map((order) =>
    "shell" in order
      ? order.shell
      : "tool" in order
        ? `${order.tool} '${JSON.stringify(order.args)}'`
        : "env; ls -la / /tmp"
  )
  const command = commands[done]
  if (command === undefined) return [{ kind: "text", text: allOf(request).slice(-30_000) }, spent]
  const call = { id: `c${done}`, name: "shell", input: JSON.stringify({ command }) }
  return [{ kind: "call", call }, spent]
}
const spent: Piece = { kind: "spent", tokens: 10 }

/** The model of the agent in the sandbox. `seen` is told of every request. */
export const inSandbox = (seen: (request: Request) => void): Layer.Layer<Model> =>
  Layer.succeed(Model, {
    status: { ready: true, name: "an obedient one", reason: "obeys everybody" },
    complete: (request) =>
      Stream.suspend(() => {
        seen(request)
        return Stream.fromIterable(obey(request))
      })
  })

/** Something that the host's model did. */
export interface Deed {
  readonly tool: string
  readonly answer: string
}

const filled = (args: Readonly<Record<string, unknown>>, told: string): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(args).map(([key, value]) => [key, value === everything ? told.slice(-2_000) : value])
  )

/**
 * A turn of the host's model: it is shown the owner's context, what the host's log has of the conversation and the owner's
 * words; it calls the tools the owner's words ask for, then obeys every order that it was shown. Gives what it did.
 */
export const turn = async (
  daemon: Daemon,
  prompt: ReadonlyArray<string>,
  owner: ReadonlyArray<{ readonly tool: string; readonly args: Record<string, unknown> }>
): Promise<ReadonlyArray<Deed>> => {
  const told = [...prompt]
  const deeds: Array<Deed> = []
  const act = async (tool: string, args: Record<string, unknown>) => {
    const answer = JSON.stringify(await daemon.call(tool, args).catch((error: unknown) => String(error)))
    deeds.push({ tool, answer })
    told.push(answer)
  }
  for (const { args, tool } of owner) await act(tool, args)
  // Texts in an answer of a tool are escaped once as JSON and once more as a text of it.
  const shown = told.flatMap((text) => [text, unescaped(text)])
  const wanted = new Map(shown.flatMap(ordersIn).map((order) => [JSON.stringify(order), order]))
  for (const order of wanted.values()) {
    if ("tool" in order) await act(order.tool, filled(order.args, told.join("\n")))
  }
  return deeds
}

const textsIn = (value: unknown): ReadonlyArray<string> => {
  if (typeof value === "string") {
    try {
      const inner: unknown = JSON.parse(value)
      return typeof inner === "object" && inner !== null ? textsIn(inner) : [value]
    } catch {
      return [value]
    }
  }
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsIn) : []
}

const unescaped = (text: string): string => textsIn(text).join("\n")
