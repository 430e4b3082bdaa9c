/**
 * From the outside in: bytes of a link and lines of a channel become authentic inputs, or nothing.
 * It never changes the state and never lets a value through that was not verified; it reads the roster to know whom a
 * dial was meant for.
 * Everything that a stranger can make it do is bounded: bytes, time, and openings at once.
 */
import { Clock, Effect, HashMap, Result, Stream } from "effect"
import type { ChannelLine } from "../../ports/ChatChannel.ts"
import type { CryptoShape } from "../../ports/Crypto.ts"
import type { Link, TransportShape } from "../../ports/Transport.ts"
import type * as Openings from "../admission/Openings.ts"
import * as Base64url from "../bytes/Base64url.ts"
import { utf8 } from "../bytes/Bytes.ts"
import * as Errand from "../friend/Errand.ts"
import * as Roster from "../friend/Roster.ts"
import type { LocalKeys } from "../identity/Keys.ts"
import * as Name from "../identity/Name.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import * as Opening from "../session/Opening.ts"
import type * as Seal from "../session/Seal.ts"
import * as Frame from "../wire/Frame.ts"
import * as FriendLine from "../wire/FriendLine.ts"
import * as Guests from "./Guests.ts"
import type { Input } from "./Input.ts"
import { isOwnKey, type State } from "./State.ts"
import * as Talk from "./Talk.ts"
import * as Writer from "./Writer.ts"

/** What ingress works with; `state` reads the newest committed state. */
export interface World {
  readonly crypto: CryptoShape
  readonly keys: LocalKeys
  readonly transport: TransportShape
  readonly state: () => State
  readonly offer: (input: Input) => Effect.Effect<void>
  /** Several at once, in order; waits while the turns are behind. */
  readonly offerAll: (inputs: ReadonlyArray<Input>) => Effect.Effect<void>
  /** Writers of open sessions by link id; egress finds them here. */
  readonly writers: Map<string, Writer.Writer>
  /** Links whose opening is in progress. */
  readonly openings: Set<string>
  /** Whether one more link from this source may open now; counts it if so. */
  readonly admitLink: (source: Openings.Source, nowMs: number) => boolean
}

/** A line of a channel. Silent on everything that is no friend line, not for us, or our own. */
export const onLine = (world: Pick<World, "crypto" | "offer" | "state">, heard: ChannelLine): Effect.Effect<void> => {
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
  const { errands, roster } = world.state().durable
  const friends = Roster.expectedAt(roster, topics, swarmKey, link.initiator)
  const expected = link.initiator ? [...friends, ...Errand.expectedAt(errands, topics)] : friends
  const known = friends.length > 0
  // We dial friends, whom we have an errand to, and members of topics: any other link we dialled must not learn who we are.
  const sought = link.initiator && expected.length === 0 && Guests.isSought(world.state(), swarmKey)
  if (link.initiator && expected.length === 0 && !sought) return yield* link.abort
  const limit = known ? Limits.openingsMax : Limits.openingsMax - Limits.openingsReserved
  if (world.openings.size >= limit) return yield* link.abort
  // What we dial has a pace of its own.
  const nowMs = yield* Clock.currentTimeMillis
  const [friend] = friends
  const source = friend === undefined ? { key: swarmKey, host: link.remoteAddress?.host } : { friend: friend.key }
  if (!link.initiator && !world.admitLink(source, nowMs)) return yield* link.abort
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
  let talk = Talk.accept(local, link.id)
  let [admitted, early] = [false, 0]
  /** A session is let in by a turn. Until then no budget counts what comes on it, and anybody can open one. */
  const countEarly = (messages: number): Effect.Effect<void, Refused> => {
    const { connections, guests } = world.state().passing
    admitted ||= HashMap.has(connections, link.id) || HashMap.has(guests, link.id)
    if (admitted) return Effect.void
    early += messages
    return early > Limits.earlyMessagesMax ? refuse("flooding", "before it was let in") : Effect.void
  }
  const onHeard = Effect.fnUntraced(function* (heard: Talk.Heard) {
    talk = heard.talk
    for (const bytes of heard.send) yield* link.send(bytes)
    if (heard.opened !== undefined) yield* open(world, link, heard.opened)
    if (heard.inputs.length === 0) return
    yield* countEarly(heard.inputs.length)
    yield* world.offerAll(heard.inputs)
  })
  if (link.initiator) yield* onHeard(yield* orRefuse(Talk.dial(local, link.id, expected)))

  const onChunk = Effect.fnUntraced(function* (chunk: Uint8Array) {
    talk = Talk.push(talk, chunk)
    for (;;) {
      const heard = yield* orRefuse(Talk.next(talk, yield* Clock.currentTimeMillis))
      if (heard === undefined) return
      yield* onHeard(heard)
    }
  })

  const lateOpening = Effect.sleep(Limits.openingTimeMs).pipe(
    Effect.andThen(Effect.suspend(() => (talk.session === undefined ? refuse("opening-timeout") : Effect.never)))
  )
  yield* Effect.raceFirst(Stream.runForEach(link.receive, onChunk), lateOpening)
})

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
    handshakeHash: Base64url.encode(session.handshakeHash),
    peer: session.peer,
    ...(link.remoteAddress && { address: link.remoteAddress })
  })
})
