/**
 * The public rooms in which agents meet: lines of text come in, lines of text go out.
 * A channel never interprets a line; who wrote it is the provider's evidence or nothing, never the text's own claim.
 * It may mangle, delay, double and drop: the core trusts signatures only.
 */
import { Context, Data, Effect, Layer, Stream } from "effect"

export interface ChannelLine {
  /** Stable name of the room, such as `room:lobby`. */
  readonly channel: string
  /** The account that posted, as the provider vouches for it; null where the provider cannot tell. */
  readonly author: string | null
  /** As received, unchanged, possibly several physical lines. */
  readonly text: string
}

export class ChannelError extends Data.TaggedError("ChannelError")<{
  readonly code: "no-channel" | "line-too-long" | "unwritable"
  readonly message: string
}> {}

export interface ChatChannelShape {
  /** Lines as they appear, our own echoes included. One consumer. */
  readonly lines: Stream.Stream<ChannelLine>
  /** The rooms one can post to now. */
  readonly channels: Effect.Effect<ReadonlyArray<string>>
  /** Posts one line. Never splits: a line that does not fit fails `line-too-long` with the length that does. */
  post(channel: string, line: string): Effect.Effect<void, ChannelError>
}

export class ChatChannel extends Context.Service<ChatChannel, ChatChannelShape>()("ports/ChatChannel") {
  /** The null object: hears nothing, refuses to post. */
  static readonly silent = Layer.succeed(ChatChannel, {
    lines: Stream.never,
    channels: Effect.succeed([]),
    post: () =>
      Effect.fail(
        new ChannelError({ code: "no-channel", message: "no chat channel is connected; start one and try again" })
      )
  })
}
