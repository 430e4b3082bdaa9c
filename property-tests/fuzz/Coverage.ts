/**
 * Which blocks of our own code have run, and how often by orders of magnitude, as V8 counts them.
 * It never instruments anything: the counters of the engine that runs the tests are read between inputs.
 * Why not a fuzzing engine of its own: those that exist bring a native build for one version of Node, and this is a page.
 */
import { Session } from "node:inspector"
import { fileURLToPath } from "node:url"

const ours = ["core", "adapters", "plugin/control", "plugin/web"].map(
  (room) => new URL(`../../${room}/`, import.meta.url).href
)

interface Counted {
  readonly result: ReadonlyArray<{
    readonly url: string
    readonly functions: ReadonlyArray<{
      readonly ranges: ReadonlyArray<{
        readonly startOffset: number
        readonly endOffset: number
        readonly count: number
      }>
    }>
  }>
}

/** 1, 2, 3–4, 5–8 … as one step each, so that a loop that runs longer is news a few times and not for ever. */
const magnitude = (count: number): number => Math.ceil(Math.log2(count + 1))

export class Coverage {
  readonly #session = new Session()
  readonly #seen = new Set<string>()

  constructor() {
    this.#session.connect()
    this.#session.post("Profiler.enable")
    this.#session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true })
  }

  /** How many blocks, by magnitude, have run so far. */
  get size(): number {
    return this.#seen.size
  }

  /** How many are new since the last time. `learn: false` looks and forgets. */
  take(learn = true): number {
    let news = 0
    this.#session.post("Profiler.takePreciseCoverage", (error: Error | null, taken: unknown) => {
      if (error !== null) throw error
      for (const { functions, url } of (taken as Counted).result) {
        if (!ours.some((room) => url.startsWith(room))) continue
        const file = fileURLToPath(url)
        for (const { ranges } of functions) {
          for (const { count, endOffset, startOffset } of ranges) {
            if (count === 0) continue
            const key = `${file}:${startOffset}-${endOffset}:${magnitude(count)}`
            if (this.#seen.has(key)) continue
            news++
            if (learn) this.#seen.add(key)
          }
        }
      }
    })
    return news
  }

  end(): void {
    this.#session.post("Profiler.stopPreciseCoverage")
    this.#session.disconnect()
  }
}
