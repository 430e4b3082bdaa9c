/// <reference path="./hyperswarm.d.ts" />
/**
 * One live socket per transport key: which dial goes ahead, which incoming socket is let in, who yields when both dial.
 * It never looks at bytes and never retries: when an attempt is over it is over, and the next dial starts afresh.
 * Hyperswarm's own dialling is not used: it drops peers after three failures and cannot restart an attempt that hangs.
 */
import type { NoiseSocket } from "hyperdht"
import type { Address, Link } from "../../ports/Transport.ts"
import { isHello, writeHello } from "./Flow.ts"

export interface PairsOptions {
  readonly localKey: Uint8Array
  /** Sockets kept at once, dialled and accepted together. */
  readonly linksMax: number
  /** How long an accepted socket waits for our own dial to the same key, when ours has precedence. */
  readonly glareHoldMs: number
  /** A dial joins an attempt younger than this, and replaces an older one: a refused handshake is never answered. */
  readonly attemptFreshMs: number
  /** A link younger than this may still be crossing with the far end's dial; an older one, dialled anew, was lost. */
  readonly crossingMs: number
  /** An open socket whose far end does not say hello within this is not real. */
  readonly helloLimitMs: number
  /** Begins to connect: wherever a lookup finds the key, or at a place where it may be. */
  readonly connect: (key: Buffer, place: Address | undefined) => NoiseSocket
  readonly blocked: (key: string) => boolean
  /** Makes a link of an open socket: from here on what arrives is bounded. */
  readonly wrap: (socket: NoiseSocket, topics: ReadonlyArray<Uint8Array>) => Link
  /** Hands a link over; `false` when nobody can take it, and it is dropped. */
  readonly admit: (socket: NoiseSocket, link: Link) => boolean
}

interface Attempt {
  socket: NoiseSocket
  startedAtMs: number
  readonly topics: Map<string, Uint8Array>
  readonly waiting: Set<() => void>
}

/** An open socket and the link made of it. */
interface Wrapped {
  readonly socket: NoiseSocket
  readonly link: Link
}

interface Pair {
  open: { readonly socket: NoiseSocket; readonly sinceMs: number } | undefined
  held: { readonly wrapped: Wrapped; readonly timer: NodeJS.Timeout } | undefined
  attempt: Attempt | undefined
}

export interface Pairs {
  /** Takes an incoming socket, or destroys it. */
  accept(socket: NoiseSocket): void
  /**
   * Dials a key now, at a place if one is given and no attempt is under way, and calls `over` once when that is over; the
   * result stops waiting, and the attempt if unwanted.
   */
  dial(key: Uint8Array, topic: Uint8Array | undefined, over: () => void, place?: Address): () => void
  /** Whether there is a link with a key. */
  isOpen(key: Uint8Array): boolean
  /** Destroys whatever exists with a key. */
  drop(key: string): void
  /** Refuses everything from now on, and destroys what is not open yet. */
  shut(): void
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex")

const quiet = (socket: NoiseSocket) => void socket.on("error", () => {})

/** Waits for the far end's hello; calls back once, with whether it came. A socket without one is destroyed. */
const awaitHello = (socket: NoiseSocket, limitMs: number, answer: (came: boolean) => void): void => {
  const timer = setTimeout(() => settle(false), limitMs)
  const hear = (message: Buffer) => {
    if (message.length > 0) settle(isHello(message))
  }
  const gone = () => settle(false)
  const settle = (came: boolean) => {
    clearTimeout(timer)
    socket.off("data", hear)
    socket.off("close", gone)
    if (!came) socket.destroy()
    answer(came)
  }
  socket.on("data", hear)
  socket.once("close", gone)
}

/** The table of pairs of one transport. */
export const makePairs = (options: PairsOptions): Pairs => {
  const pairs = new Map<string, Pair>()
  const localKey = hex(options.localKey)
  const strangers = new Set<NoiseSocket>()
  let shutDown = false

  const pairOf = (key: string): Pair => {
    const known = pairs.get(key)
    if (known !== undefined) return known
    const pair: Pair = { open: undefined, held: undefined, attempt: undefined }
    pairs.set(key, pair)
    return pair
  }
  const forgetIfEmpty = (key: string, pair: Pair) => {
    if (pair.open || pair.held || pair.attempt) return
    if (pairs.get(key) === pair) pairs.delete(key)
  }
  const release = (waiting: Set<() => void>) => {
    for (const over of [...waiting]) over()
  }

  const wrap = (socket: NoiseSocket, topics: ReadonlyArray<Uint8Array>): Wrapped => ({
    socket,
    link: options.wrap(socket, topics)
  })
  const install = (key: string, pair: Pair, { link, socket }: Wrapped) => {
    pair.open?.socket.destroy()
    pair.open = { socket, sinceMs: performance.now() }
    socket.once("close", () => {
      if (pair.open?.socket === socket) pair.open = undefined
      forgetIfEmpty(key, pair)
    })
    if (!socket.isInitiator) socket.write(writeHello())
    if (!options.admit(socket, link)) socket.destroy()
  }
  const takeHeld = (pair: Pair): Wrapped | undefined => {
    const held = pair.held
    pair.held = undefined
    if (held === undefined) return undefined
    clearTimeout(held.timer)
    return held.wrapped.socket.destroying ? undefined : held.wrapped
  }
  /** Ends the attempt. A socket held back for its sake is let in, unless something better came. */
  const endAttempt = (key: string, pair: Pair, attempt: Attempt, winner: Wrapped | undefined) => {
    if (pair.attempt !== attempt) return
    pair.attempt = undefined
    if (winner?.socket !== attempt.socket) attempt.socket.destroy()
    const held = takeHeld(pair)
    if (winner !== undefined) held?.socket.destroy()
    const wrapped = winner ?? held
    if (wrapped !== undefined) install(key, pair, wrapped)
    release(attempt.waiting)
    forgetIfEmpty(key, pair)
  }
  const hold = (key: string, pair: Pair, wrapped: Wrapped, attempt: Attempt) => {
    takeHeld(pair)?.socket.destroy()
    const timer = setTimeout(() => endAttempt(key, pair, attempt, undefined), options.glareHoldMs)
    pair.held = { wrapped, timer }
  }
  /** Starts the attempt's socket, in place of an earlier one if there is one. */
  const launch = (key: string, pair: Pair, attempt: Attempt) => {
    const socket = attempt.socket
    const isCurrent = () => pair.attempt === attempt && attempt.socket === socket
    quiet(socket)
    const heard = (came: boolean) => {
      if (!isCurrent()) return void socket.destroy()
      endAttempt(key, pair, attempt, came ? wrap(socket, [...attempt.topics.values()]) : undefined)
    }
    let opened = false
    socket.once("open", () => {
      opened = true
      if (!isCurrent()) return void socket.destroy()
      socket.write(writeHello())
      awaitHello(socket, options.helloLimitMs, heard)
    })
    socket.once("close", () => {
      if (!opened && isCurrent()) endAttempt(key, pair, attempt, undefined)
    })
  }
  const relaunch = (key: string, pair: Pair, attempt: Attempt, place: Address | undefined) => {
    const stale = attempt.socket
    attempt.socket = options.connect(Buffer.from(key, "hex"), place)
    attempt.startedAtMs = performance.now()
    stale.destroy()
    launch(key, pair, attempt)
  }

  /** Whether an incoming socket replaces the open one of the same key. */
  const replaces = (key: string, open: NonNullable<Pair["open"]>): boolean =>
    open.socket.destroying ||
    !open.socket.isInitiator ||
    performance.now() - open.sinceMs > options.crossingMs ||
    key > localKey

  const decide = (key: string, socket: NoiseSocket) => {
    const full = !pairs.has(key) && pairs.size >= options.linksMax
    if (shutDown || full || options.blocked(key)) return void socket.destroy()
    const pair = pairOf(key)
    if (pair.open !== undefined) {
      if (replaces(key, pair.open)) install(key, pair, wrap(socket, []))
      else socket.destroy()
      return
    }
    if (pair.attempt === undefined) return install(key, pair, wrap(socket, []))
    // Glare: both ends dial. Both must keep the same one: that of the greater key.
    if (key > localKey) endAttempt(key, pair, pair.attempt, wrap(socket, []))
    else hold(key, pair, wrap(socket, []), pair.attempt)
  }
  const accept = (socket: NoiseSocket) => {
    quiet(socket)
    const key = hex(socket.remotePublicKey)
    if (shutDown || key === localKey || strangers.size >= options.linksMax) return void socket.destroy()
    strangers.add(socket)
    awaitHello(socket, options.helloLimitMs, (came) => {
      strangers.delete(socket)
      if (came) decide(key, socket)
    })
  }

  const attemptFor = (key: string, pair: Pair, place: Address | undefined): Attempt | undefined => {
    const now = performance.now()
    const running = pair.attempt
    if (running !== undefined) {
      if (now - running.startedAtMs >= options.attemptFreshMs) relaunch(key, pair, running, place)
      return running
    }
    if (pairs.size > options.linksMax) return undefined
    const socket = options.connect(Buffer.from(key, "hex"), place)
    const attempt = {
      socket,
      startedAtMs: now,
      topics: new Map(),
      waiting: new Set<() => void>()
    }
    pair.attempt = attempt
    launch(key, pair, attempt)
    return attempt
  }

  const dial: Pairs["dial"] = (remoteKey, topic, over, place) => {
    const key = hex(remoteKey)
    const nothing = () => {}
    if (shutDown || key === localKey || options.blocked(key)) {
      over()
      return nothing
    }
    const pair = pairOf(key)
    const attempt = pair.open === undefined || pair.open.socket.destroying ? attemptFor(key, pair, place) : undefined
    if (attempt === undefined) {
      forgetIfEmpty(key, pair)
      over()
      return nothing
    }
    if (topic !== undefined) attempt.topics.set(hex(topic), topic)
    attempt.waiting.add(over)
    return () => {
      attempt.waiting.delete(over)
      if (attempt.waiting.size === 0) endAttempt(key, pair, attempt, undefined)
    }
  }

  const isOpen = (key: Uint8Array) => {
    const open = pairs.get(hex(key))?.open
    return open !== undefined && !open.socket.destroying
  }
  const drop = (key: string) => {
    const pair = pairs.get(key)
    if (pair === undefined) return
    takeHeld(pair)?.socket.destroy()
    if (pair.attempt !== undefined) endAttempt(key, pair, pair.attempt, undefined)
    pair.open?.socket.destroy()
  }
  const shut = () => {
    shutDown = true
    for (const socket of strangers) socket.destroy()
    for (const [key, pair] of [...pairs]) {
      takeHeld(pair)?.socket.destroy()
      if (pair.attempt !== undefined) endAttempt(key, pair, pair.attempt, undefined)
    }
  }
  return { accept, dial, isOpen, drop, shut }
}
