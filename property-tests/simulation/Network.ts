/**
 * A rendezvous network in virtual time: who announces what, dials that find or fail, links that are slow and break.
 * It never looks at a byte and never knows who anybody is; like the Transport port it proves transport keys only.
 * Weather is a value that can change in mid-flight: faults while it storms, and a calm in which all must arrive.
 */
import type { Address } from "../../ports/Transport.ts"
import type { Chance } from "./Chance.ts"
import type { Clock } from "./Clock.ts"

/** How well the network does. Times in milliseconds. */
export interface Weather {
  /** One way, drawn for each link; each packet takes up to half as long again. */
  readonly latencyMs: readonly [number, number]
  /** How often a dial fails whose target is there. */
  readonly dialFails: number
  /** A link breaks after this long on average; infinite for never. */
  readonly breaksAfterMs: number
  /** How long it may take an end to notice that the other is gone without a word. */
  readonly noticesAfterMs: readonly [number, number]
  /** How often each of these befalls a packet; what is not named does not happen. */
  readonly mischief?: Partial<Readonly<Record<Mischief, number>>>
}

/**
 * What can befall a packet on its way: a bit flips; half of it arrives and the link breaks; it comes twice; later ones
 * overtake it; an older one comes again; everything behind it waits; nothing more arrives in this direction, unnoticed.
 */
export const mischiefs = ["corrupt", "truncate", "duplicate", "reorder", "replay", "clog", "silence"] as const
export type Mischief = (typeof mischiefs)[number]

export const calm: Weather = {
  latencyMs: [20, 80],
  dialFails: 0,
  breaksAfterMs: Number.POSITIVE_INFINITY,
  noticesAfterMs: [2_000, 12_000]
}

/** Whom to dial: a transport key, perhaps with places where it was, or whoever announces a topic. */
export type Target = {
  readonly kind: "key" | "topic"
  readonly name: string
  readonly hints?: ReadonlyArray<Address>
}

/** One end of a link, as its holder sees it. */
export interface End {
  readonly id: string
  readonly initiator: boolean
  readonly remoteKey: string
  readonly topics: ReadonlyArray<string>
  readonly remoteAddress?: Address
  /** What the transport's own handshake came to: the same at both ends, and another for each link. */
  readonly binding: Uint8Array
  send(bytes: Uint8Array): void
  /** What was sent arrives, then both ends are told that it is over. */
  close(): void
}

/** What the holder of an end is told. */
export interface Ear {
  hear(bytes: Uint8Array): void
  over(): void
}

/** A process on the network. */
export interface Guest {
  readonly swarmKey: string
  onLink(end: End): Ear
}

interface Side {
  readonly guest: Guest
  ear: Ear | undefined
  /** Whether the holder still counts on this end. */
  open: boolean
  lastArrivalMs: number
  /** The packet that came last, for whoever replays it. */
  lastPacket: Uint8Array | undefined
  /** Whether nothing arrives here any more. */
  silent: boolean
}

interface Wire {
  readonly id: string
  readonly sides: readonly [Side, Side]
  readonly latencyMs: number
  readonly sinceMs: number
  broken: boolean
}

/** Counts of what the network did. */
export interface Traffic {
  links: number
  breaks: number
  dials: number
  dialsLinked: number
  readonly mischief: Record<Mischief, number>
}

const include = <Key, One>(index: Map<Key, Set<One>>, key: Key, one: One): void => {
  const known = index.get(key)
  if (known === undefined) index.set(key, new Set([one]))
  else known.add(one)
}

const exclude = <Key, One>(index: Map<Key, Set<One>>, key: Key, one: One): void => {
  const known = index.get(key)
  known?.delete(one)
  if (known?.size === 0) index.delete(key)
}

/** Links that are this young do not keep the far end's own dial from making a second one. */
const crossingMs = 300

export class Network {
  weather: Weather
  readonly traffic: Traffic = {
    links: 0,
    breaks: 0,
    dials: 0,
    dialsLinked: 0,
    mischief: { corrupt: 0, truncate: 0, duplicate: 0, reorder: 0, replay: 0, clog: 0, silence: 0 }
  }
  /** Whether links say where their far end is, and whether anybody answers a lookup. */
  addressing = false
  lookups = true
  /** How many announcers one lookup tells of at most, drawn anew each time: a DHT node answers with a few. */
  answersMax = Number.POSITIVE_INFINITY
  /** Sees every packet as it is sent: what somebody on the path could write down. */
  tap: ((link: string, fromInitiator: boolean, bytes: Uint8Array) => void) | undefined
  readonly #clock: Clock
  readonly #chance: Chance
  readonly #guests = new Map<Guest, { readonly topics: Set<string>; readonly blocked: Set<string> }>()
  readonly #wires = new Set<Wire>()
  /** Guests by transport key and by topic, and wires by guest: each in the order in which they came. */
  readonly #byKey = new Map<string, Set<Guest>>()
  readonly #byTopic = new Map<string, Set<Guest>>()
  readonly #wiresOf = new Map<Guest, Set<Wire>>()
  readonly #ports = new Map<string, number>()
  #portsGiven = 0

  constructor(clock: Clock, chance: Chance, weather: Weather) {
    this.#clock = clock
    this.#chance = chance
    this.weather = weather
  }

  join(guest: Guest): void {
    this.#guests.set(guest, { topics: new Set(), blocked: new Set() })
    include(this.#byKey, guest.swarmKey, guest)
  }

  /** A guest is gone. In order: its links are closed. Otherwise nobody is told, and they find out in their own time. */
  leave(guest: Guest, inOrder: boolean): void {
    for (const topic of this.#guests.get(guest)?.topics ?? []) exclude(this.#byTopic, topic, guest)
    exclude(this.#byKey, guest.swarmKey, guest)
    this.#guests.delete(guest)
    for (const wire of this.#with(guest)) {
      const index = wire.sides.findIndex((side) => side.guest === guest)
      const side = wire.sides[index]
      if (side === undefined) continue
      side.ear = undefined
      if (inOrder) this.#close(wire, index)
      else this.#break(wire)
    }
  }

  /** Where the holder of a key is: the same place each time, until it moves. */
  addressOf(swarmKey: string): Address {
    const port = this.#ports.get(swarmKey) ?? this.move(swarmKey)
    return { host: "simulation", port }
  }

  /** The holder of a key is at a place where nobody has been. */
  move(swarmKey: string): number {
    this.#portsGiven++
    this.#ports.set(swarmKey, this.#portsGiven)
    return this.#portsGiven
  }

  announce(guest: Guest, topic: string): void {
    const known = this.#guests.get(guest)
    if (known === undefined) return
    known.topics.add(topic)
    include(this.#byTopic, topic, guest)
  }

  withdraw(guest: Guest, topic: string): void {
    this.#guests.get(guest)?.topics.delete(topic)
    exclude(this.#byTopic, topic, guest)
  }

  /** The transport keys that announce a topic now. */
  announcers(topic: string): ReadonlyArray<string> {
    return [...(this.#byTopic.get(topic) ?? [])].map((guest) => guest.swarmKey)
  }

  block(guest: Guest, swarmKey: string): void {
    this.#guests.get(guest)?.blocked.add(swarmKey)
    for (const wire of this.#with(guest)) {
      if (wire.sides.some((side) => side.guest.swarmKey === swarmKey)) this.#break(wire)
    }
  }

  unblock(guest: Guest, swarmKey: string): void {
    this.#guests.get(guest)?.blocked.delete(swarmKey)
  }

  /**
   * Tries once to reach a target: whoever holds a key, or everybody who announces a topic. `done` when the attempt is over,
   * whatever came of it.
   */
  dial(guest: Guest, target: Target, done: () => void): void {
    this.traffic.dials++
    const found = this.#find(guest, target)
    const missing = found.filter((other) => !this.#isLinked(guest, other, 0))
    if (found.length > 0 && missing.length === 0) {
      this.#clock.after(this.#chance.whole(1, 200), done)
      return
    }
    const reaches = found.length > 0 && !this.#chance.happens(this.weather.dialFails)
    const takesMs = reaches ? this.#chance.whole(100, 1_500) : this.#chance.whole(500, 8_000)
    this.#clock.after(takesMs, () => {
      // Either may be gone by now, and whoever was found may have got through to us.
      if (reaches && this.#guests.has(guest)) {
        const still = this.#find(guest, target)
        for (const other of missing) {
          if (!still.includes(other) || this.#isLinked(guest, other, crossingMs)) continue
          this.traffic.dialsLinked++
          this.#link(guest, other, target.kind === "topic" ? [target.name] : [])
        }
      }
      done()
    })
  }

  /** Tells who announces a topic, as the network knows it when the answer is there; nobody, where the weather is bad. */
  lookUp(guest: Guest, topic: string, done: (keys: ReadonlyArray<string>) => void): void {
    const answers = this.lookups && !this.#chance.happens(this.weather.dialFails)
    this.#clock.after(this.#chance.whole(100, 1_500), () => {
      const found = answers && this.#guests.has(guest) ? this.#find(guest, { kind: "topic", name: topic }) : []
      const keys = [...new Set(found.map((other) => other.swarmKey))].sort()
      while (keys.length > this.answersMax) keys.splice(this.#chance.whole(0, keys.length - 1), 1)
      done(keys)
    })
  }

  #find(guest: Guest, { hints = [], kind, name }: Target): ReadonlyArray<Guest> {
    if (!this.lookups) {
      const { port } = this.addressOf(name)
      if (kind === "topic" || !hints.some((hint) => hint.port === port)) return []
    }
    const own = this.#guests.get(guest)
    return [...((kind === "key" ? this.#byKey : this.#byTopic).get(name) ?? [])].filter((other) => {
      const isShut = this.#guests.get(other)?.blocked.has(guest.swarmKey) || own?.blocked.has(other.swarmKey)
      return other !== guest && isShut !== true
    })
  }

  /** The wires that end at a guest, as a list of their own: what is done to them may change which they are. */
  #with(guest: Guest): ReadonlyArray<Wire> {
    return [...(this.#wiresOf.get(guest) ?? [])]
  }

  /** Whether a guest counts on a link to the other's key, which may be broken unnoticed. */
  #isLinked(guest: Guest, other: Guest, atLeastMs: number): boolean {
    return this.#with(guest).some(
      ({ sides, sinceMs }) =>
        this.#clock.nowMs - sinceMs >= atLeastMs &&
        sides.some(
          (side, index) => side.guest === guest && side.open && sides[1 - index]!.guest.swarmKey === other.swarmKey
        )
    )
  }

  #link(initiator: Guest, responder: Guest, topics: ReadonlyArray<string>): void {
    this.traffic.links++
    const id = `link ${this.traffic.links}`
    const side = (guest: Guest): Side => ({
      guest,
      ear: undefined,
      open: true,
      lastArrivalMs: 0,
      lastPacket: undefined,
      silent: false
    })
    const wire: Wire = {
      id,
      sides: [side(initiator), side(responder)],
      latencyMs: this.#chance.whole(...this.weather.latencyMs),
      sinceMs: this.#clock.nowMs,
      broken: false
    }
    this.#wires.add(wire)
    for (const { guest } of wire.sides) include(this.#wiresOf, guest, wire)
    const { breaksAfterMs } = this.weather
    if (Number.isFinite(breaksAfterMs)) {
      this.#clock.after(this.#chance.gap(breaksAfterMs), () => {
        if (wire.broken || !this.#wires.has(wire) || !Number.isFinite(this.weather.breaksAfterMs)) return
        this.traffic.breaks++
        this.#break(wire)
      })
    }
    // The accepting side listens first: the other begins to speak at once.
    for (const index of [1, 0]) {
      const own = wire.sides[index]!
      const end = {
        id,
        initiator: index === 0,
        remoteKey: wire.sides[1 - index]!.guest.swarmKey,
        topics: index === 0 ? topics : [],
        ...(this.addressing && { remoteAddress: this.addressOf(wire.sides[1 - index]!.guest.swarmKey) }),
        binding: new TextEncoder().encode(id),
        send: (bytes: Uint8Array) => this.#send(wire, index, bytes),
        close: () => this.#close(wire, index)
      }
      own.ear = own.guest.onLink(end)
    }
  }

  /** In order, however long a packet takes: a link is a stream. */
  #arrive(wire: Wire, to: Side, act: () => void): void {
    const takesMs = this.#chance.whole(wire.latencyMs, Math.ceil(wire.latencyMs * 1.5))
    to.lastArrivalMs = Math.max(to.lastArrivalMs, this.#clock.nowMs + takesMs)
    this.#clock.after(to.lastArrivalMs - this.#clock.nowMs, () => {
      if (!wire.broken) act()
    })
  }

  #send(wire: Wire, from: number, bytes: Uint8Array): void {
    const to = wire.sides[1 - from]!
    if (!wire.sides[from]!.open || wire.broken) return
    this.tap?.(wire.id, from === 0, bytes)
    this.#mishandle(wire, to, bytes)
  }

  /** Brings a packet to the other end, or does to it what the weather has in mind for it. */
  #mishandle(wire: Wire, to: Side, bytes: Uint8Array): void {
    const bring = (packet: Uint8Array) => this.#arrive(wire, to, () => to.silent || to.ear?.hear(packet))
    const { mischief } = this.weather
    const what = mischief === undefined ? undefined : mischiefs.find((one) => this.#chance.happens(mischief[one] ?? 0))
    const earlier = to.lastPacket
    to.lastPacket = bytes
    if (what === undefined) {
      bring(bytes)
      return
    }
    this.traffic.mischief[what]++
    switch (what) {
      case "corrupt": {
        const flipped = bytes.slice()
        const at = this.#chance.whole(0, bytes.length - 1)
        flipped[at] = flipped[at]! ^ (1 << this.#chance.whole(0, 7))
        bring(flipped)
        return
      }
      case "truncate":
        bring(bytes.slice(0, Math.floor(bytes.length / 2)))
        this.#clock.after(wire.latencyMs * 2, () => this.#break(wire))
        return
      case "duplicate":
        bring(bytes)
        bring(bytes)
        return
      case "reorder":
        this.#clock.after(wire.latencyMs * 3, () => wire.broken || to.silent || to.ear?.hear(bytes))
        return
      case "replay":
        bring(bytes)
        if (earlier !== undefined) bring(earlier)
        return
      case "clog":
        to.lastArrivalMs = Math.max(to.lastArrivalMs, this.#clock.nowMs) + this.#chance.whole(1_000, 8_000)
        bring(bytes)
        return
      case "silence":
        to.silent = true
        this.#clock.after(this.#chance.whole(...this.weather.noticesAfterMs), () => this.#break(wire))
        return
    }
  }

  #over(wire: Wire, side: Side): void {
    if (!side.open) return
    side.open = false
    if (wire.sides.every((one) => !one.open)) {
      this.#wires.delete(wire)
      for (const { guest } of wire.sides) exclude(this.#wiresOf, guest, wire)
    }
    side.ear?.over()
  }

  #close(wire: Wire, from: number): void {
    const own = wire.sides[from]!
    const to = wire.sides[1 - from]!
    if (!own.open) return
    if (!wire.broken) this.#arrive(wire, to, () => this.#over(wire, to))
    this.#clock.after(0, () => this.#over(wire, own))
  }

  #break(wire: Wire): void {
    if (wire.broken) return
    wire.broken = true
    for (const side of wire.sides) {
      this.#clock.after(this.#chance.whole(...this.weather.noticesAfterMs), () => this.#over(wire, side))
    }
  }
}
