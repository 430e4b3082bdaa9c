/**
 * Chat rooms in memory, shared by the nodes of one test.
 * A room never looks into a line; who wrote it is the account under which a node sits there, as a provider would know.
 * A room may mangle, double and drop what is said in it: that is what real rooms do, and a test says how.
 */
import { Effect, Layer, Queue, Stream } from "effect"
import { ChannelError, type ChannelLine, ChatChannel } from "../../ports/ChatChannel.ts"

export interface RoomSettings {
  /** What becomes of a line on its way to everyone: one line as a rule, none, several, or another one. */
  readonly carry?: (line: ChannelLine) => ReadonlyArray<ChannelLine>
  /** The longest line in UTF-8 bytes. Default 2,000. */
  readonly lineBytesMax?: number
}

/** A room. Everyone in it hears everything said while they are in it, their own lines included, in one order. */
export class Room {
  readonly channel: string
  readonly lineBytesMax: number
  readonly #carry: (line: ChannelLine) => ReadonlyArray<ChannelLine>
  readonly #listeners = new Set<(line: ChannelLine) => void>()
  readonly #said: Array<ChannelLine> = []

  constructor(name: string, settings: RoomSettings = {}) {
    this.channel = `room:${name}`
    this.lineBytesMax = settings.lineBytesMax ?? 2_000
    this.#carry = settings.carry ?? ((line) => [line])
  }

  /** Everything said so far, as it was said. */
  get said(): ReadonlyArray<ChannelLine> {
    return [...this.#said]
  }

  /** Says something as an account, or as nobody the provider can name; a test's way to be a person or an attacker. */
  say(author: string | null, text: string): void {
    const line = { channel: this.channel, author, text }
    this.#said.push(line)
    for (const carried of this.#carry(line)) {
      for (const listener of [...this.#listeners]) listener(carried)
    }
  }

  /** Hears from now on; gives what ends it. */
  join(listener: (line: ChannelLine) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}

/** A node's place in a room: its account there, or null in a room that cannot tell who speaks. */
export interface Seat {
  readonly room: Room
  readonly account: string | null
}

/** What a node that does not listen misses first: the oldest beyond this. */
const linesWaitingMax = 16_384

const post = (seats: ReadonlyArray<Seat>, channel: string, line: string): Effect.Effect<void, ChannelError> =>
  Effect.suspend(() => {
    const seat = seats.find(({ room }) => room.channel === channel)
    if (seat === undefined) {
      return Effect.fail(new ChannelError({ code: "no-channel", message: `there is no room ${channel}` }))
    }
    if (/[\r\n]/.test(line)) {
      return Effect.fail(new ChannelError({ code: "unwritable", message: "a line cannot hold a line break" }))
    }
    const bytes = new TextEncoder().encode(line).length
    if (bytes > seat.room.lineBytesMax) {
      const message = `the line has ${bytes} bytes; ${seat.room.lineBytesMax} fit in ${channel}`
      return Effect.fail(new ChannelError({ code: "line-too-long", message }))
    }
    return Effect.sync(() => seat.room.say(seat.account, line))
  })

/** A node that sits in some rooms for the layer's scope. */
export const layer = (seats: ReadonlyArray<Seat>): Layer.Layer<ChatChannel> =>
  Layer.effect(
    ChatChannel,
    Effect.gen(function* () {
      const heard = yield* Queue.sliding<ChannelLine>(linesWaitingMax)
      for (const { room } of seats) {
        const leave = room.join((line) => Queue.offerUnsafe(heard, line))
        yield* Effect.addFinalizer(() => Effect.sync(leave))
      }
      return {
        lines: Stream.fromQueue(heard),
        channels: Effect.succeed(seats.map(({ room }) => room.channel)),
        post: (channel: string, line: string) => post(seats, channel, line)
      }
    })
  )
