/**
 * Live nodes with panels on loopback for the tests of the panel's server: real Hyperswarm on a DHT of their own, real folders.
 * It never reaches behind the server: tests ask over HTTP, or over bare sockets where a client would be too polite.
 * A panel is given a small module of its own, so that these tests say nothing of the one that is shipped.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { Effect, Exit, Layer, Logger, Redacted, References, Scope } from "effect"
import { testnet } from "../../adapters/hyperswarm/LocalDht.ts"
import type * as RateLimit from "../../core/admission/RateLimit.ts"
import type { Node } from "../../core/index.ts"
import * as Layers from "../../plugin/Layers.ts"
import * as Assets from "../../plugin/web/Assets.ts"
import * as Panel from "../../plugin/web/Panel.ts"
import type { Sandbox } from "../../ports/Sandbox.ts"

export interface Life {
  readonly name: string
  readonly folder: string
  readonly port: number
  readonly node: Node.Node
  readonly moduleUrl: string
  /** A fresh one-use link. */
  readonly link: () => string
  readonly log: ReadonlyArray<string>
  readonly end: () => Promise<void>
}

/** What is around a node: a sandbox that a test scripts, a chat room in a file, and other rates of friends. */
export interface Around {
  readonly sandbox?: Layer.Layer<Sandbox>
  readonly room?: { readonly name: string; readonly file: string }
  readonly rates?: Partial<RateLimit.Rates>
}

export interface Place {
  readonly folder: string
  readonly begin: (name: string, more?: Partial<Panel.Settings>, around?: Around) => Promise<Life>
  readonly end: () => Promise<void>
}

/** An origin that the panels of these tests let in. */
export const hostOrigin = "http://127.0.0.1:3999"

/** A module in two files, to see that they are joined. */
const writeModule = (folder: string): void => {
  mkdirSync(folder, { recursive: true })
  writeFileSync(
    join(folder, "words.js"),
    'export const greeting = "hello"\nexport function loud(text) {\n  return text.toUpperCase()\n}\n'
  )
  writeFileSync(
    join(folder, "panel.js"),
    'import {\n  greeting,\n  loud\n} from "./words.js"\nexport default function panel() {\n  return loud(greeting)\n}\n'
  )
}

const quiet = (log: Array<string>) =>
  Logger.layer([
    Logger.make<unknown, void>(({ cause, message }) => void log.push(`${String(message)} ${JSON.stringify(cause)}`))
  ])

/** A DHT and a folder, gone at the end with every node that was begun here. */
export const makePlace = async (): Promise<Place> => {
  const scope = Effect.runSync(Scope.make())
  const nodes = await Effect.runPromise(Scope.provide(testnet, scope))
  const folder = mkdtempSync(join(tmpdir(), "wopr-p2p-web-"))
  const panel = join(folder, "panel")
  writeModule(panel)
  const begin: Place["begin"] = async (name, more = {}, { rates = {}, room, sandbox = Layer.empty as never } = {}) => {
    const dataFolder = join(folder, encodeURIComponent(name))
    const rooms = room === undefined ? [] : [room]
    const settings: Layers.Settings = { dataFolder, rooms, network: { kind: "bootstrap", nodes }, sandbox: "off" }
    const log: Array<string> = []
    const own = Effect.runSync(Scope.fork(scope))
    const up = Effect.gen(function* () {
      const node = yield* Layers.start(name, settings, rates)
      const wanted = {
        dataFolder,
        port: 0,
        origins: [hostOrigin],
        version: "0",
        folders: { ...Assets.here, panel },
        ...more
      }
      return { node, panel: yield* Panel.serve(wanted, node, room === undefined ? undefined : `room:${room.name}`) }
    })
    const started = await Effect.runPromise(
      Effect.flatMap(Scope.provide(Layer.build(Layer.merge(Layers.layers(settings), sandbox)), own), (context) =>
        Scope.provide(Effect.provideContext(up, context), own)
      ).pipe(Effect.provide(quiet(log)), Effect.provideService(References.MinimumLogLevel, "Debug"))
    )
    if (started.panel === undefined) throw new Error(`no panel: ${log.join("\n")}`)
    const { link, moduleUrl, node, port } = started.panel
    return {
      name,
      folder: dataFolder,
      port,
      node,
      log,
      moduleUrl: Redacted.value(moduleUrl),
      link: () => Redacted.value(Effect.runSync(link)),
      end: () => Effect.runPromise(Scope.close(own, Exit.void))
    }
  }
  return {
    folder,
    begin,
    end: async () => {
      await Effect.runPromise(Scope.close(scope, Exit.void))
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

export interface Answered {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly json: any
}

export interface Asking {
  readonly method?: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** A page of a node: it has traded a segment, and asks with its bearer. */
export class Page {
  readonly life: Pick<Life, "port">
  readonly bearer: string

  constructor(life: Pick<Life, "port">, bearer: string) {
    this.life = life
    this.bearer = bearer
  }

  ask(
    path: string,
    { body, headers = {}, method = body === undefined ? "GET" : "POST" }: Asking = {}
  ): Promise<Answered> {
    const authorization = `Bearer ${this.bearer}`
    return ask(this.life, path, { method, body, headers: { authorization, ...headers } })
  }

  /** A command under a fresh id. */
  command(line: string, waitMs?: number): Promise<Answered> {
    const id = crypto.randomUUID()
    return this.ask("/api/command", { body: { id, line, ...(waitMs === undefined ? {} : { waitMs }) } })
  }

  // biome-ignore lint/suspicious/noExplicitAny: as above
  async view(): Promise<any> {
    const { json, status, text } = await this.ask("/api/view")
    if (status !== 200) throw new Error(`no view: ${status} ${text}`)
    return json
  }
}

/** Asks a node's server as a program does. */
export const ask = async (
  life: Pick<Life, "port">,
  path: string,
  { body, headers = {}, method = "GET" }: Asking = {}
): Promise<Answered> => {
  const response = await fetch(`http://127.0.0.1:${life.port}${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) })
  })
  const text = await response.text()
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    // Not everything is JSON.
  }
  return { status: response.status, headers: response.headers, text, json }
}

/** The segment of a link or of a module's address. */
export const segmentOf = (url: string): string =>
  /#([A-Za-z0-9_-]+)$|\/m\/([A-Za-z0-9_-]+)\//.exec(url)!.slice(1).join("")

/** Signs in with a segment, by default of a fresh link. */
export const signIn = async (life: Pick<Life, "port"> & Partial<Pick<Life, "link">>, given?: string): Promise<Page> => {
  const segment = given ?? segmentOf(life.link?.() ?? "")
  const { json, status } = await ask(life, `/m/${segment}/session`, { method: "POST", body: {} })
  if (status !== 200) throw new Error(`not signed in: ${status}`)
  return new Page(life, json.bearer)
}

type One<Names, A> = { readonly [Index in keyof Names]: A }

/** Nodes of these names at a place of their own, and a page of each. */
export const makePages = async <const Names extends ReadonlyArray<string>>(...names: Names) => {
  const place = await makePlace()
  const lives = await Promise.all(names.map((name) => place.begin(name)))
  const pages = await Promise.all(lives.map((life) => signIn(life)))
  return { place, lives: lives as unknown as One<Names, Life>, pages: pages as unknown as One<Names, Page> }
}

/** Writes bytes to a node's port and gives what comes back until the far end closes, at most so long. */
export const raw = (port: number, bytes: string | Uint8Array, limitMs = 20_000): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1")
    let said = ""
    const late = setTimeout(() => socket.destroy(), limitMs)
    socket.on("data", (chunk) => {
      said += chunk.toString("latin1")
    })
    socket.on("error", () => {})
    socket.on("close", () => {
      clearTimeout(late)
      resolve(said)
    })
    socket.write(bytes)
  })

/** Waits until something holds. */
export const until = async (what: string, holds: () => boolean | Promise<boolean>, limitMs = 60_000): Promise<void> => {
  const giveUpMs = performance.now() + limitMs
  while (!(await holds())) {
    if (performance.now() > giveUpMs) throw new Error(`not within ${limitMs} ms: ${what}`)
    await pause(50)
  }
}

/** The port in `panel.json`. */
export const portIn = (folder: string): number => JSON.parse(readFileSync(join(folder, Panel.portName), "utf8")).port

export interface Frame {
  readonly id: string
  readonly kind: string
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly data: any
}

export interface Stream {
  /** The next frame that matches, from where the last one was found. */
  readonly next: (matches: (frame: Frame) => boolean, limitMs?: number) => Promise<Frame>
  readonly close: () => void
}

const frameOf = (text: string): Frame | undefined => {
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(text)?.[1]
  const [id, kind, body] = [field("id"), field("event"), field("data")]
  return id === undefined || kind === undefined || body === undefined ? undefined : { id, kind, data: JSON.parse(body) }
}

/** Reads a page's event stream as a browser would with `fetch`. */
export const read = async (
  page: Page,
  path: string,
  headers: Readonly<Record<string, string>> = {}
): Promise<Stream> => {
  const stop = new AbortController()
  const response = await fetch(`http://127.0.0.1:${page.life.port}${path}`, {
    headers: { authorization: `Bearer ${page.bearer}`, ...headers },
    signal: stop.signal
  })
  if (response.status !== 200 || response.body === null) throw new Error(`no stream: ${response.status}`)
  const frames: Array<Frame> = []
  const pull = async () => {
    let rest = ""
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      const parts = (rest + chunk).split("\n\n")
      rest = parts.pop() ?? ""
      frames.push(...parts.flatMap((part) => frameOf(part) ?? []))
    }
  }
  void pull().catch(() => undefined)
  return {
    next: async (matches, limitMs = 30_000) => {
      const giveUpMs = performance.now() + limitMs
      for (;;) {
        const index = frames.findIndex(matches)
        if (index >= 0) return frames.splice(0, index + 1).at(-1)!
        if (performance.now() > giveUpMs)
          throw new Error(`no such frame within ${limitMs} ms: ${JSON.stringify(frames)}`)
        await pause(20)
      }
    },
    close: () => stop.abort()
  }
}
