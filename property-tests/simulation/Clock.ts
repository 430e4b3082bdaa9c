/**
 * Virtual time: a queue of what happens when, carried out in order, as fast as the machine can.
 * It never looks at real time; nothing happens between two events, so weeks take seconds.
 * Events of one moment happen in the order in which they were asked for: the same seed is the same history.
 */

interface Event {
  readonly atMs: number
  readonly order: number
  act: (() => void) | undefined
}

const isSooner = (one: Event, other: Event): boolean =>
  one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order)

const hourMs = 3_600_000

export class Clock {
  nowMs: number
  readonly #eventsPerHourMax: number
  #hour = { number: 0, events: 0 }
  #orders = 0
  /** A binary heap: no event is later than those at twice its place. */
  readonly #heap: Array<Event> = []

  /** More events than `eventsPerHourMax` are somebody who never comes to rest, and would keep a simulation for days. */
  constructor(startMs: number, eventsPerHourMax = 100_000) {
    this.nowMs = startMs
    this.#eventsPerHourMax = eventsPerHourMax
  }

  /** Something happens after a while; gives a way to take it back. */
  after(ms: number, act: () => void): () => void {
    const event: Event = { atMs: this.nowMs + Math.max(0, Math.round(ms)), order: ++this.#orders, act }
    this.#push(event)
    return () => {
      event.act = undefined
    }
  }

  /** Carries out everything that happens up to a time. */
  runUntil(ms: number): void {
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= ms; next = this.#heap[0]) {
      this.#pop()
      if (next.act === undefined) continue
      this.nowMs = next.atMs
      this.#count()
      next.act()
    }
    this.nowMs = ms
  }

  #count(): void {
    const number = Math.floor(this.nowMs / hourMs)
    if (number !== this.#hour.number) this.#hour = { number, events: 0 }
    if (++this.#hour.events > this.#eventsPerHourMax) {
      throw new Error(`more than ${this.#eventsPerHourMax} events in an hour of virtual time: something never rests`)
    }
  }

  #push(event: Event): void {
    const heap = this.#heap
    let place = heap.length
    while (place > 0) {
      const above = (place - 1) >> 1
      if (!isSooner(event, heap[above]!)) break
      heap[place] = heap[above]!
      place = above
    }
    heap[place] = event
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let place = 0
    for (;;) {
      let below = 2 * place + 1
      if (below >= heap.length) break
      if (below + 1 < heap.length && isSooner(heap[below + 1]!, heap[below]!)) below++
      if (!isSooner(heap[below]!, last)) break
      heap[place] = heap[below]!
      place = below
    }
    heap[place] = last
  }
}
