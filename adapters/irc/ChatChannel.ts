/**
 * Chat rooms that are channels of an IRC server, for as long as the server lets us be there.
 * It never splits a line, never posts one that the server would cut, and says of no line that it is posted before it is.
 * A server confirms nothing; but it answers in order, so a ping behind each line comes back when the line was taken. That
 * also keeps us at the server's pace: one that makes us wait answers later, and never has two lines of ours in hand.
 */
import { Clock, Deferred, Effect, Layer, Queue, type Scope, Semaphore, Stream } from "effect"
import { ChannelError, type ChannelLine, ChatChannel, type ChatChannelShape } from "../../ports/ChatChannel.ts"
import type { Account, Room, Standing } from "./Session.ts"
import { lineBytesOf, objection, textBytesMax } from "./Wire.ts"

export interface Settings extends Account {
  /** Channels as the server calls them, such as `#lobby`. */
  readonly channels: ReadonlyArray<string>
  /** Lines that may go at once, and the pause after which one more may. 4 and two seconds, as servers count. */
  readonly pace?: { readonly burst: number; readonly everyMs: number }
  /** How long the start waits to be in all channels. Five seconds; afterwards it goes on behind the start. */
  readonly settleMs?: number
  /** The first pause before a new connection; it doubles up to five minutes. Five seconds. */
  readonly againMs?: number
}

const linesWaitingMax = 256
const postsWaitingMax = 16
const confirmMs = 30_000
const againMaxMs = 300_000
/** A connection that held so long was a good one: the next pause is short again. */
const goodMs = 60_000
const paceDefault = { burst: 4, everyMs: 2_000 }

/** The name of a channel among all that a node is in. */
export const roomName = ({ host }: { readonly host: string }, channel: string): string => `irc:${host}/${channel}`

const failure = (code: ChannelError["code"], message: string) => new ChannelError({ code, message })

/** Waits until one more line may go. */
const makePace = ({ burst, everyMs }: { readonly burst: number; readonly everyMs: number }): Effect.Effect<void> => {
  let fullAtMs = 0
  return Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis
    fullAtMs = Math.max(fullAtMs, nowMs) + everyMs
    const waitMs = fullAtMs - nowMs - burst * everyMs
    if (waitMs > 0) yield* Effect.sleep(waitMs)
  })
}

/** Why a text cannot be posted to a room now; undefined if it can. */
const refusalOf = (standing: Standing, room: Room, text: string): ChannelError | undefined => {
  const unfit = objection(text)
  if (unfit !== undefined) return failure("unwritable", unfit)
  const { client, mask } = standing
  if (client === undefined || mask === undefined || !room.joined)
    return failure("no-channel", `not in ${room.channel}: ${room.why}`)
  const fit = textBytesMax(mask, room.name, lineBytesOf(client.network.supports("LINELEN")))
  const bytes = Buffer.byteLength(text)
  if (bytes <= fit) return undefined
  const more = "a shorter name, nick or channel makes room; /invite needs none"
  return failure("line-too-long", `the line has ${bytes} bytes; ${fit} fit in ${room.channel}: ${more}`)
}

/** Sends a line that fits, and waits until the server has taken or refused it. */
const send = (standing: Standing, room: Room, text: string, mark: string): Effect.Effect<void, ChannelError> =>
  Effect.callback<void, ChannelError>((resume) => {
    const settle = (refusal: string | undefined): void => {
      standing.sent = undefined
      resume(refusal === undefined ? Effect.void : Effect.fail(failure("unwritable", `${room.channel}: ${refusal}`)))
    }
    standing.sent = { mark, settle }
    standing.client?.raw(`PRIVMSG ${room.name} :${text}`)
    standing.client?.raw(`PING ${mark}`)
    return Effect.sync(() => {
      if (standing.sent?.mark === mark) standing.sent = undefined
    })
  }).pipe(
    Effect.timeoutOrElse({
      duration: confirmMs,
      orElse: () => {
        const why = `the server did not answer within ${confirmMs / 1_000} s; whether the line was posted is not known`
        return Effect.fail(failure("unwritable", `${room.channel}: ${why}`))
      }
    })
  )

type Posting = (room: string, text: string) => Effect.Effect<void, ChannelError>

const makePosting = (
  standing: Standing,
  pace: Effect.Effect<void>,
  turn: Semaphore.Semaphore,
  echo: (room: Room, text: string) => void
): Posting => {
  let [waiting, count] = [0, 0]
  const attempt = (room: Room, text: string): Effect.Effect<void, ChannelError> =>
    Effect.suspend(() => {
      const refusal = refusalOf(standing, room, text)
      return refusal === undefined ? Effect.void : Effect.fail(refusal)
    })
  const inTurn = (room: Room, text: string) =>
    attempt(room, text).pipe(
      Effect.andThen(pace),
      // While we waited the server may have gone, or shown us in another way.
      Effect.andThen(attempt(room, text)),
      Effect.andThen(Effect.suspend(() => send(standing, room, text, `wopr-${++count}`))),
      Effect.andThen(Effect.sync(() => echo(room, text)))
    )
  return (channel, text) =>
    Effect.suspend(() => {
      const room = standing.rooms.find((one) => one.channel === channel)
      const known = standing.rooms.map((one) => one.channel).join(", ")
      if (room === undefined)
        return Effect.fail(failure("no-channel", `there is no channel ${channel}; the channels are: ${known}`))
      if (waiting >= postsWaitingMax)
        return Effect.fail(failure("unwritable", `${waiting} lines wait for the pace of the server; try again later`))
      waiting++
      const done = Effect.sync(() => {
        waiting--
      })
      return attempt(room, text).pipe(Effect.andThen(turn.withPermits(1)(inTurn(room, text))), Effect.ensuring(done))
    })
}

/** Connects again and again, later each time. */
const stay = (settings: Settings, connect: Effect.Effect<{ why: string; mayHelp: boolean }>, ended: () => void) =>
  Effect.gen(function* () {
    const firstMs = settings.againMs ?? 5_000
    let waitMs = firstMs
    for (;;) {
      const fromMs = yield* Clock.currentTimeMillis
      const { mayHelp, why } = yield* connect
      if ((yield* Clock.currentTimeMillis) - fromMs > goodMs) waitMs = firstMs
      if (!mayHelp) waitMs = againMaxMs
      const when = `trying again in ${Math.ceil(waitMs / 1_000)} s`
      yield* Effect.logWarning(`irc: ${settings.host}:${settings.port}: ${why}; ${when}`)
      ended()
      yield* Effect.sleep(waitMs)
      waitMs = Math.min(waitMs * 2, againMaxMs)
    }
  })

const join = Effect.fnUntraced(function* (settings: Settings): Effect.fn.Return<ChatChannelShape, never, Scope.Scope> {
  const Session = yield* Effect.promise(() => import("./Session.ts"))
  const heard = yield* Queue.sliding<ChannelLine>(linesWaitingMax)
  const said = yield* Queue.sliding<string>(linesWaitingMax)
  const settled = yield* Deferred.make<void>()
  const connecting = `still connecting to ${settings.host}:${settings.port}`
  const standing: Standing = {
    rooms: settings.channels.map((name) => ({
      name,
      channel: roomName(settings, name),
      joined: false,
      why: connecting
    })),
    client: undefined,
    mask: undefined,
    account: undefined,
    sent: undefined
  }
  const settle = (): void => {
    Deferred.doneUnsafe(settled, Effect.void)
  }
  const listen = (line: ChannelLine): void => void Queue.offerUnsafe(heard, line)
  const connect = Session.run(settings, standing, {
    heard: listen,
    said: (text) => void Queue.offerUnsafe(said, text),
    moved: () => {
      if (standing.rooms.every(({ why }) => why !== connecting)) settle()
    }
  })
  yield* Effect.forkScoped(Effect.forever(Effect.flatMap(Queue.take(said), (text) => Effect.logInfo(text))))
  yield* Effect.forkScoped(stay(settings, connect, settle))
  yield* Effect.timeoutOption(Deferred.await(settled), settings.settleMs ?? 5_000)
  const echo = ({ channel }: Room, text: string): void => {
    const { account, client, mask } = standing
    if (client === undefined || mask === undefined) return
    const tags = account === undefined ? {} : { account }
    // The server sends us everybody's lines but our own; this is what it says to others of ours.
    listen({ channel, author: Session.authorOf(client, { nick: mask.nick, tags }), text })
  }
  const turn = yield* Semaphore.make(1)
  return {
    lines: Stream.fromQueue(heard),
    channels: Effect.sync(() => standing.rooms.filter(({ joined }) => joined).map(({ channel }) => channel)),
    post: makePosting(standing, makePace(settings.pace ?? paceDefault), turn, echo)
  }
})

/** Channels of a server, for the layer's scope. Never fails: a server that is away is tried again, and posting says why not. */
export const layer = (settings: Settings): Layer.Layer<ChatChannel> => Layer.effect(ChatChannel, join(settings))
