/**
 * Everything that happened in a simulation, as one hash: two runs are the same run exactly if their hashes are.
 * It never keeps what it is told; weeks of it would not fit, and the seed brings all of it back.
 * It hashes as it goes, so that a history that went wrong can be compared with one that did not, moment by moment.
 */
import { createHash } from "node:crypto"

export class History {
  readonly #hash = createHash("sha256")
  moments = 0

  /** Something happened. Bytes and maps have no place in it: they print alike. */
  note(atMs: number, where: string, what: string): void {
    this.moments++
    this.#hash.update(`${atMs}\t${where}\t${what}\n`)
  }

  /** The hash up to now, hexadecimal. */
  digest(): string {
    return this.#hash.copy().digest("hex")
  }
}
