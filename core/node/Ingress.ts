/**
 * From the outside in: bytes of a link and lines of a channel become authentic inputs, or nothing.
 * It never changes the state and never lets a value through that was not verified; it reads the roster to know whom a
 * dial was meant for.
 * Everything that a stranger can make it do is bounded: bytes, time, and openings at once.
 */
import { Clock, Effect, Result, Stream } from "effect"
import type { ChannelLine } from "../../ports/ChatChannel.ts"
import type { CryptoShape } from "../../ports/Crypto.ts"
import type { Link, TransportShape } from "../../ports/Transport.ts"
import * as Base64url from "../bytes/Base64url.ts"
import { utf8 } from "../bytes/Bytes.ts"
import * as Roster from "../friend/Roster.ts"
import * as Authentic from "../identity/Authentic.ts"
import type { LocalKeys } from "../identity/Keys.ts"
import * as Name from "../identity/Name.ts"
import * as Statement from "../identity/Statement.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import * as KeySchedule from "../session/KeySchedule.ts"
import * as Opening from "../session/Opening.ts"
import * as Seal from "../session/Seal.ts"
import * as Codec from "../wire/Codec.ts"
import * as Frame from "../wire/Frame.ts"
import * as FriendLine from "../wire/FriendLine.ts"
import { isSigned } from "../wire/Message.ts"
import type { Input } from "./Input.ts"
import { isOwnKey, type State } from "./State.ts"
import * as Writer from "./Writer.ts"

/** What ingress works with; `state` reads the newest committed state. */
export interface World {
  readonly crypto: CryptoShape
  readonly keys: LocalKeys
  readonly transport: TransportShape
  readonly state: () => State
  readonly offer: (input: Input) => Effect.Effect<void>
  /** Writers of open sessions by link id; egress finds them here. */
  readonly writers: Map<string, Writer.Writer>
  /** Links whose opening is in progress. */
  readonly openings: Set<string>
  /** Whether one more link from a stranger may open now; counts it if so. */
  readonly admitStranger: (nowMs: number) => boolean
}

/** A line of a channel. Silent on everything that is no friend line, not for us, or our own. */
export const onLine = (world: World, heard: ChannelLine): Effect.Effect<void> => {
  const { author, channel, text } = heard
  const reading = FriendLine.parse(world.crypto, text)
  switch (reading.kind) {
    case "none":
      return Effect.void
    case "legacy": {
      const rejection = Rejection.make("legacy-line")
      return world.offer({ _tag: "LineRefused", channel, author, claimed: reading.from, rejection })
    }
    case "refused":
      return world.offer({ _tag: "LineRefused", channel, author, claimed: "", rejection: reading.rejection })
    case "line": {
      const { self } = world.state()
      const { line } = reading
      if (Name.fold(line.to) !== Name.fold(self.name) || isOwnKey(self, line.pubkey)) return Effect.void
      const verified = FriendLine.verify(world.crypto, line)
      return world.offer(
        Result.isSuccess(verified)
          ? { _tag: "Line", channel, author, line: verified.success }
          : { _tag: "LineRefused", channel, author, claimed: line.from, rejection: verified.failure }
      )
    }
  }
}

class Refused {
  readonly _tag = "Refused"
  readonly rejection: Rejection.Rejection
  constructor(rejection: Rejection.Rejection) {
    this.rejection = rejection
  }
}

const refuse = (code: Rejection.Code, detail = "") => Effect.fail(new Refused(Rejection.make(code, detail)))
const orRefuse = <A>(result: Result.Result<A, Rejection.Rejection>): Effect.Effect<A, Refused> =>
  Result.isSuccess(result) ? Effect.succeed(result.success) : Effect.fail(new Refused(result.failure))

/** Serves one link from its first byte to its end. Never fails; what went wrong is an input. */
export const serveLink = Effect.fnUntraced(function* (world: World, link: Link) {
  const swarmKey = Base64url.encode(link.remoteKey)
  const topics = link.topics.map(Base64url.encode)
  const expected = Roster.expectedAt(world.state().durable.roster, topics, swarmKey, link.initiator)
  const known = expected.length > 0
  // We dial friends only: a link we dialled that leads to none must not learn who we are.
  if (link.initiator && !known) return yield* link.abort
  const limit = known ? Limits.openingsMax : Limits.openingsMax - Limits.openingsReserved
  if (world.openings.size >= limit) return yield* link.abort
  if (!known && !world.admitStranger(yield* Clock.currentTimeMillis)) return yield* link.abort
  world.openings.add(link.id)
  const ended = yield* Effect.result(
    converse(world, link, link.initiator ? expected : []).pipe(
      Effect.ensuring(
        Effect.sync(() => {
          world.openings.delete(link.id)
        })
      )
    )
  )
  const opened = world.writers.delete(link.id)
  const rejection = Result.isFailure(ended) && ended.failure instanceof Refused ? ended.failure.rejection : null
  if (rejection !== null) yield* sayClearly(link, rejection)
  // Our own hang-up ends the reading while the last words are still under way: closing lets them out, aborting not.
  yield* rejection === null ? link.close : link.abort
  if (opened) return yield* world.offer({ _tag: "Closed", connection: link.id, rejection })
  if (rejection !== null) yield* world.offer({ _tag: "LinkRefused", rejection, swarmKey, topics })
})

/** The two refusals that go out in the clear: to a version we do not speak, and to the former plugin. */
const sayClearly = (link: Link, rejection: Rejection.Rejection): Effect.Effect<void> => {
  const legacy = `${JSON.stringify({ v: 2, type: "reject", reason: "protocol wop/3 is needed; please upgrade" })}\n`
  const bytes =
    rejection.code === "legacy-peer"
      ? utf8(legacy)
      : rejection.code === "no-common-version" && !link.initiator
        ? Frame.encode(Opening.rejectFrame("no-common-version"))
        : undefined
  if (bytes === undefined) return Effect.void
  return link.send(bytes).pipe(
    Effect.andThen(link.close),
    Effect.timeoutOption(Limits.openingTimeMs),
    Effect.catch(() => Effect.void),
    Effect.asVoid
  )
}

/** Reads the link to its end: the opening within its time, then records. */
const converse = Effect.fnUntraced(function* (world: World, link: Link, expected: Opening.Expected) {
  const { crypto, keys, transport } = world
  const local: Opening.Local = {
    crypto,
    keys,
    swarmKey: transport.localKey,
    binding: link.binding,
    remoteSwarmKey: link.remoteKey,
    entropy: crypto.randomBytes(32)
  }
  let reader = Frame.reader
  let opening: Opening.Opening | undefined
  let talk: Talk | undefined
  if (link.initiator) {
    const dialled = yield* orRefuse(Opening.dial(local, expected))
    opening = dialled.opening
    for (const frame of dialled.send) yield* link.send(Frame.encode(frame))
  } else {
    opening = Opening.accept(local)
  }

  const onFrame = Effect.fnUntraced(function* (frame: Frame.Frame) {
    if (talk !== undefined) {
      talk = yield* onRecord(world, link, talk, frame)
      return
    }
    if (opening === undefined) return yield* refuse("frame-out-of-place")
    const progress = yield* orRefuse(Opening.receive(opening, frame, yield* Clock.currentTimeMillis))
    opening = progress.opening
    for (const reply of progress.send) yield* link.send(Frame.encode(reply))
    if (progress.session !== undefined) talk = yield* open(world, link, progress.session)
  })

  const onChunk = Effect.fnUntraced(function* (chunk: Uint8Array) {
    reader = Frame.push(reader, chunk)
    for (;;) {
      const {
        frame,
        reader: rest,
        rejection
      } = Frame.next(reader, talk === undefined ? Limits.openingFrameBytesMax : Limits.frameBytesMax)
      reader = rest
      if (rejection !== undefined) return yield* Effect.fail(new Refused(rejection))
      if (frame === undefined) return
      yield* onFrame(frame)
    }
  })

  const lateOpening = Effect.sleep(Limits.openingTimeMs).pipe(
    Effect.andThen(Effect.suspend(() => (talk === undefined ? refuse("opening-timeout") : Effect.never)))
  )
  yield* Effect.raceFirst(Stream.runForEach(link.receive, onChunk), lateOpening)
})

/** An open session on a link: what the receiving half needs. */
interface Talk {
  readonly session: Seal.Session
  readonly receive: Seal.Session["receive"]
}

/** A session has opened: its writer runs beside the reader, and the state hears of it. */
const open = Effect.fnUntraced(function* (world: World, link: Link, session: Seal.Session) {
  const writer = yield* Writer.make(world.crypto, world.keys, session, link, Clock.currentTimeMillis)
  yield* Effect.forkChild(writer.run)
  world.writers.set(link.id, writer)
  world.openings.delete(link.id)
  yield* world.offer({
    _tag: "Opened",
    connection: link.id,
    initiator: session.role === "initiator",
    version: session.version,
    peer: session.peer
  })
  return { session, receive: session.receive } satisfies Talk as Talk
})

/** Opens one record and hands its messages on, each with its own signature checked where its kind has one. */
const onRecord = Effect.fnUntraced(function* (world: World, link: Link, talk: Talk, frame: Frame.Frame) {
  const { session } = talk
  if (frame.type !== "record") return yield* refuse("frame-out-of-place", frame.type)
  const nowMs = yield* Clock.currentTimeMillis
  if (nowMs - session.sinceMs > Limits.sessionAgeMs) return yield* refuse("session-expired")
  const opened = yield* orRefuse(Seal.open(world.crypto, session.peer, talk.receive, nowMs, frame.body))
  for (const envelope of yield* orRefuse(Codec.unpack(opened.plaintext.value))) {
    yield* onEnvelope(
      world,
      link,
      session,
      Authentic.map(opened.plaintext, () => envelope)
    )
  }
  return { session, receive: KeySchedule.leave(world.crypto, talk.receive, opened.direction) } satisfies Talk as Talk
})

const onEnvelope = Effect.fnUntraced(function* (
  world: World,
  link: Link,
  session: Seal.Session,
  authentic: Authentic.Authentic<Codec.Envelope>
) {
  const { crypto } = world
  const envelope = authentic.value
  const message = yield* orRefuse(Codec.decode(envelope.body))
  if (message === undefined) return
  if (isSigned(message.kind) && "number" in message && message.number !== undefined) {
    const sender = session.role === "initiator" ? "responder" : "initiator"
    const numbered = { stream: message.stream ?? "", number: message.number }
    const statement = Writer.messageStatement(session, sender, numbered, envelope.body)
    const holds =
      envelope.signature !== undefined &&
      Statement.holds(crypto, session.peer.signer.key, statement, envelope.signature)
    if (!holds) return yield* refuse("signature-invalid")
  }
  yield* world.offer({
    _tag: "Received",
    connection: link.id,
    message: Authentic.map(authentic, () => message),
    bytes: envelope.body.length,
    hash: Base64url.encode(crypto.sha256(envelope.body).subarray(0, 16))
  })
})
