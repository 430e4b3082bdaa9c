/**
 * Chat rooms behind the WOPR host: every channel provider that is there, or comes later, as one ChatChannel.
 * It never tells an author that the provider did not name, and never splits a line that is too long for the system.
 * A room is named `provider:channel`. Lines that an owner of ours posts are passed on, not written, by that owner: they
 * come without an author, because the account says nothing of who wrote them.
 */
import { Effect, Layer, Queue, Stream } from "effect"
import { ChannelError, type ChannelLine, ChatChannel } from "../../ports/ChatChannel.ts"
import * as Grafts from "./Grafts.ts"
import { ask, type Heard, type Host, type Parser, type Provider, providers } from "./Host.ts"
import * as Systems from "./Systems.ts"

export interface Settings {
  readonly host: Host
  /** What is listened to; everything unless told. Called for each line of every channel, so it has to be quick. */
  readonly wants?: (text: string) => boolean
  /** Whether an account of a provider is an owner of ours, whose lines are passed on. */
  readonly isOwner?: (provider: string, account: string) => boolean
  /** Rooms to list before anything was heard in them. */
  readonly rooms?: ReadonlyArray<string>
  /** How long after the start a line waits for its provider to appear: plugins come up one after the other. Default 0. */
  readonly arrivalMs?: number
  readonly lookEveryMs?: number
}

/** Our parser's name at the providers. */
export const parserId = "p2p-friend-lines"

/** What waits for the node to read it; beyond it the oldest is lost, as in a room that scrolls. */
const linesWaitingMax = 1_024
/** Rooms that are remembered as heard of. */
const roomsMax = 1_000
/** A longer text is no line. */
const charactersMax = 65_536
const lookForProviderMs = 100

/** What a provider says, checked: it is not typed by anybody we know. */
const lineOf = (provider: Provider, heard: Heard, settings: Settings): ChannelLine | undefined => {
  const { channel, content, sender } = heard
  if (typeof channel !== "string" || typeof content !== "string" || content.length > charactersMax) return undefined
  const account = typeof sender === "string" && sender !== "" ? sender : null
  const vouched =
    account !== null && Systems.of(provider).seesAuthors && settings.isOwner?.(provider.id, account) !== true
  return { channel: `${provider.id}:${channel}`, author: vouched ? account : null, text: content }
}

const graftParser =
  (settings: Settings, onLine: (line: ChannelLine) => void) =>
  (provider: Provider): Grafts.Graft => {
    const { addMessageParser, removeMessageParser } = provider
    if (typeof addMessageParser !== "function") throw new Error("nothing can be heard here")
    const wants = settings.wants ?? (() => true)
    const parser: Parser = {
      id: parserId,
      pattern: (text) => typeof text === "string" && wants(text),
      handler: async (heard) => {
        const line = ask(() => lineOf(provider, heard, settings))
        if (line !== undefined) onLine(line)
      }
    }
    // A copy of us that died without a word may have left its own under our name.
    ask(() => removeMessageParser?.call(provider, parserId))
    addMessageParser.call(provider, parser)
    return {
      isInPlace: () => provider.getMessageParsers === undefined || provider.getMessageParsers().includes(parser),
      remove: () => {
        // By now another copy's may lie there under the same name.
        if (provider.getMessageParsers?.().includes(parser) !== false) removeMessageParser?.call(provider, parserId)
      }
    }
  }

const failed = (code: ChannelError["code"], message: string) => Effect.fail(new ChannelError({ code, message }))

/** Posts a line through a provider that is there. */
const postThrough = (provider: Provider, channel: string, line: string): Effect.Effect<void, ChannelError> => {
  const bytes = Buffer.byteLength(line)
  const bytesMax = Systems.lineBytesMax(provider, channel)
  if (/[\r\n]/.test(line)) return failed("unwritable", "a line cannot hold a line break")
  if (bytes > bytesMax) {
    return failed("line-too-long", `the line has ${bytes} bytes; ${bytesMax} fit in ${provider.id}:${channel}`)
  }
  return Effect.tryPromise({
    try: async () => provider.send?.(channel, line),
    catch: (error) =>
      new ChannelError({
        code: "unwritable",
        message: `${provider.id} did not take the line: ${error instanceof Error ? error.message : String(error)}`
      })
  })
}

/** The provider of a room, waited for until `untilMs`. */
const find = (host: Host, id: string, untilMs: number): Effect.Effect<Provider, ChannelError> =>
  Effect.suspend(() => {
    const found = providers(host).find((one) => one.id === id && typeof one.send === "function")
    if (found !== undefined) return Effect.succeed(found)
    if (performance.now() >= untilMs) return failed("no-channel", `there is no channel provider ${id}`)
    return Effect.andThen(Effect.sleep(lookForProviderMs), find(host, id, untilMs))
  })

const listen = Effect.fnUntraced(function* (settings: Settings) {
  const { arrivalMs = 0, host, lookEveryMs, rooms = [] } = settings
  const heard = yield* Queue.sliding<ChannelLine>(linesWaitingMax)
  const known = new Set(rooms)
  const onLine = (line: ChannelLine) => {
    if (known.size < roomsMax) known.add(line.channel)
    Queue.offerUnsafe(heard, line)
  }
  const untilMs = performance.now() + arrivalMs
  yield* Grafts.keep({
    host,
    graft: graftParser(settings, onLine),
    ...(lookEveryMs === undefined ? {} : { lookEveryMs })
  })
  return {
    lines: Stream.fromQueue(heard),
    channels: Effect.sync(() => {
      const present = new Set(providers(host).map(({ id }) => id))
      return [...known].filter((room) => present.has(room.slice(0, room.indexOf(":"))))
    }),
    post: (room: string, line: string) => {
      const [, id = "", channel = ""] = /^([^:]+):([\s\S]+)$/.exec(room) ?? []
      return Effect.flatMap(find(host, id, untilMs), (provider) => postThrough(provider, channel, line))
    }
  }
})

/** The host's channels for the layer's scope. Never fails: a host without channels is a silent one. */
export const layer = (settings: Settings): Layer.Layer<ChatChannel> => Layer.effect(ChatChannel, listen(settings))
