/**
 * A sign of life on a terminal for what takes longer than a second.
 * It never prints where nobody watches: to a pipe, under --json, or before a second is over.
 * It is on standard error and takes itself away, so that what a person copies from the screen is the answer alone.
 */

const frames = ["|", "/", "-", "\\"] as const
const beginsAfterMs = 1_000
const turnsEveryMs = 150

/** Gives what `work` gives; meanwhile shows that it goes on, and for how long it has. */
export const waiting = async <A>(work: Promise<A>, quiet: boolean): Promise<A> => {
  if (quiet || process.stderr.isTTY !== true) return work
  const startedMs = performance.now()
  let turns = 0
  const timer = setInterval(() => {
    const goneMs = performance.now() - startedMs
    if (goneMs < beginsAfterMs) return
    process.stderr.write(`\r${frames[turns++ % frames.length]} ${Math.floor(goneMs / 1_000)} s `)
  }, turnsEveryMs)
  try {
    return await work
  } finally {
    clearInterval(timer)
    if (turns > 0) process.stderr.write("\r\u001b[K")
  }
}
