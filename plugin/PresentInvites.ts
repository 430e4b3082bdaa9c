/**
 * Invites of ours, and claims of ours that wait, in words.
 * It never shows a link: what is in one is shown when it is made, and at no other time.
 * Apart from `Present` because that page is long enough.
 */
import type { Describe } from "../core/index.ts"
import { at, harmless } from "./Words.ts"

/** What we want of somebody who is no friend yet, in words. */
export const errandInWords = {
  claim: "your claim of an invite",
  connect: "your request to connect",
  introduced: "your yes to an introduction"
} as const

/** What the maker of an invite hears of a claim that got nothing: which of the reasons it was, that the claimer is not told. */
export const turnedDown = (name: string, why: string): string =>
  `${name} tried an invite of yours and got nothing: ${why}. It is not told why; /invites lists yours`

/** The answer to `/invites`, a line each. */
export const inviteLines = (node: Describe.Description): ReadonlyArray<string> => {
  const made = node.invites.map(({ capabilities, expiresAtMs, id, named, redeemedBy, state, uses, usesMax }) => {
    const whom = named === null ? "whoever holds the link" : `the key ${named.slice(0, 8)}`
    const by = redeemedBy.length === 0 ? "" : ` by ${redeemedBy.map((name) => `@${harmless(name)}`).join(", ")}`
    return (
      `${id.slice(0, 8)}  ${state.toLowerCase()}, for ${whom}, gives ${capabilities.join(", ")}; ` +
      `used ${uses} of ${usesMax}${by}; until ${at(expiresAtMs)}`
    )
  })
  const claimed = node.errands
    .filter(({ kind }) => kind === "claim")
    .map(
      ({ expiresAtMs, id, identityKey, reached }) =>
        `${id.slice(0, 8)}  you claim it from the key ${identityKey.slice(0, 8)}: ` +
        `${reached ? "asked" : "not reached yet"}; until ${at(expiresAtMs)}, or /cancel it`
    )
  return made.length + claimed.length === 0 ? ["no invites; make one with /invite"] : [...made, ...claimed]
}
