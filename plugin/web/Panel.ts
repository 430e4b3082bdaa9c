/**
 * The panel of a running node, for a scope: its server, its secrets, what it has seen, and `panel.json` beside the records.
 * It never fails the node: what is wrong with it is said in the log, and the node runs on without a panel.
 * The prompt's node and the host's both call this one function; closing the scope takes everything away.
 */
import { constants, unlinkSync } from "node:fs"
import { open } from "node:fs/promises"
import { join } from "node:path"
import { Cause, Clock, Effect, PubSub, Redacted, type Scope } from "effect"
import { errnoOf, inWords, replaceFile } from "../../adapters/filesystem/Files.ts"
import type { Event, Node } from "../../core/index.ts"
import { ConversationLog } from "../../ports/ConversationLog.ts"
import * as DataFolder from "../DataFolder.ts"
import * as Answers from "./Answers.ts"
import * as Assets from "./Assets.ts"
import type { View } from "./Contract.ts"
import * as Doctoring from "./Doctoring.ts"
import * as Door from "./Door.ts"
import * as Events from "./Events.ts"
import * as Http from "./Http.ts"
import * as Metrics from "./Metrics.ts"
import * as Repeats from "./Repeats.ts"
import * as Secrets from "./Secrets.ts"
import * as Seen from "./Seen.ts"
import * as Server from "./Server.ts"
import * as ViewOf from "./View.ts"
import { keepAnswer, watched } from "./Watched.ts"

export const portName = "panel.json"
export const scrapeName = "scrape.key"

export interface Settings {
  readonly dataFolder: string
  /** 0: any. Where it is taken, any other. */
  readonly port: number
  /** Origins of the host's pages, such as `http://127.0.0.1:3000`. */
  readonly origins: ReadonlyArray<string>
  readonly version: string
  readonly limits?: Partial<View["limits"]>
  /** Where page and module lie, unless beside this file. */
  readonly folders?: typeof Assets.here
}

/** The node's own side of a panel. */
export interface Panel {
  /** The node as it is to be used from now on: what is done by it is seen. */
  readonly node: Node.Node
  readonly port: number
  /** Where a host's page imports the module from; a secret. */
  readonly moduleUrl: Redacted.Redacted<string>
  /** Where a host's page may lead; a secret, good as long as the server lives. */
  readonly pageUrl: Redacted.Redacted<string>
  /** A link for one page; a secret, good once and for five minutes. */
  readonly link: Effect.Effect<Redacted.Redacted<string>>
}

/** The scrape key of a folder, made if there is none or if it is none of ours. */
const scrapeKey = async (dataFolder: string): Promise<Redacted.Redacted<string>> => {
  const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)
  const before = await open(join(dataFolder, scrapeName), flags).then(
    async (handle) => {
      try {
        const about = await handle.stat()
        return about.isFile() && about.size <= 64 && (about.mode & 0o077) === 0 ? await handle.readFile("utf8") : ""
      } finally {
        await handle.close()
      }
    },
    () => ""
  )
  if (/^[A-Za-z0-9_-]{43}\n?$/.test(before)) return Redacted.make(before.trim(), { label: "scrape key" })
  const key = Secrets.drawScrapeKey()
  await replaceFile(dataFolder, scrapeName, `${Redacted.value(key)}\n`)
  return key
}

const forgetPort = (dataFolder: string): Effect.Effect<void> =>
  Effect.sync(() => {
    try {
      unlinkSync(join(dataFolder, portName))
    } catch (error) {
      // The folder may have gone with the node.
      if (errnoOf(error) !== "ENOENT") return
    }
  })

const told = (what: string, cause: Cause.Cause<unknown>) => {
  const failure = Cause.squash(cause)
  return Effect.logWarning(`${what}: ${failure instanceof Error ? failure.message : String(failure)}`)
}

const make = (settings: Settings, node: Node.Node, channel: string | undefined) =>
  Effect.gen(function* () {
    const { dataFolder, origins, port, version } = settings
    const log = yield* ConversationLog
    const assets = yield* Effect.try({
      try: () => Assets.read(settings.folders),
      catch: (error) => new Error(inWords(error))
    })
    const secrets = Secrets.make(yield* Effect.tryPromise(() => scrapeKey(dataFolder)))
    const [events, seen, requests] = [Events.make(), Seen.make(), Metrics.requests()]
    const clock = yield* Clock.Clock
    const nowMs = () => clock.currentTimeMillisUnsafe()
    const witnessed = watched(node, log, () => events.changed(nowMs()))
    const world: Answers.World = {
      served: { node: witnessed, channel },
      log,
      secrets,
      events,
      seen,
      requests,
      version,
      repeats: yield* Repeats.make,
      doctoring: yield* Doctoring.make(dataFolder),
      limits: ViewOf.limitsOf(settings.limits),
      openapi: () => Http.openapi(version)
    }
    const note = (one: Event.Event) => {
      seen.note(one, nowMs())
      events.note(one, nowMs())
    }
    const told = yield* node.events
    // Kept before it is told: whoever is told of an answer reads the conversation.
    const noted = (one: Event.Event) =>
      Effect.andThen(
        keepAnswer(node, log, one),
        Effect.sync(() => note(one))
      )
    yield* Effect.forkScoped(Effect.forever(Effect.flatMap(PubSub.take(told), noted)))
    const server = yield* Server.start(port)
    yield* Effect.addFinalizer(() => Effect.sync(events.close))
    const api = yield* Http.make(Answers.make(world))
    server.open(Door.make({ port: server.port, origins, secrets }), { api, assets, events, requests, origins })
    const file = { port: server.port, pid: process.pid, startedAtMs: nowMs() }
    yield* Effect.acquireRelease(
      Effect.tryPromise(() => replaceFile(dataFolder, portName, `${JSON.stringify(file)}\n`)),
      () => forgetPort(dataFolder)
    )
    const origin = `http://127.0.0.1:${server.port}`
    const at = (segment: Redacted.Redacted<string>) =>
      Redacted.make(`${origin}/#${Redacted.value(segment)}`, { label: "panel link" })
    const panel: Panel = {
      node: witnessed,
      port: server.port,
      moduleUrl: Redacted.make(`${origin}/m/${Redacted.value(secrets.segment)}/panel.js`, { label: "module address" }),
      pageUrl: at(secrets.segment),
      link: Effect.sync(() => at(secrets.link(nowMs())))
    }
    return panel
  })

/** The option that another terminal needs to find a node on this folder. */
const elsewhere = (dataFolder: string): string => {
  const usual = DataFolder.choose(DataFolder.machine(), undefined)
  return usual.ok && usual.folder === dataFolder ? "" : ` --data ${dataFolder}`
}

/** Serves the panel of a node for the scope; undefined, and a warning in the log, where that cannot be. */
export const serve = (
  settings: Settings,
  node: Node.Node,
  channel: string | undefined
): Effect.Effect<Panel | undefined, never, Scope.Scope | ConversationLog> =>
  make(settings, node, channel).pipe(
    Effect.tap((panel) =>
      Effect.logInfo(
        `the panel is on port ${panel.port} of 127.0.0.1; wopr-p2p panel${elsewhere(settings.dataFolder)} prints a link`
      )
    ),
    Effect.catchCause((cause) =>
      Cause.hasInterruptsOnly(cause) ? Effect.interrupt : Effect.as(told("there is no panel", cause), undefined)
    )
  )
