/**
 * Introductions as an operator may see them: whom, by whom, under which key, and what there is to compare.
 * It never shows one that was answered: a yes is an errand, and a no is nothing to look at.
 * Apart from `Describe` because that page is long enough.
 */
import type { CryptoShape } from "../../ports/Crypto.ts"
import type * as Introduction from "../friend/Introduction.ts"
import * as Roster from "../friend/Roster.ts"
import * as Fingerprint from "../identity/Fingerprint.ts"
import type { RemoteIdentityKey } from "../identity/Keys.ts"
import * as Table from "../Table.ts"
import type { State } from "./State.ts"

export interface IntroductionView {
  readonly id: string
  readonly introducedBy: string
  /** What its introducer calls it. */
  readonly name: string
  readonly note: string
  readonly identityKey: RemoteIdentityKey
  readonly fingerprint: Fingerprint.Fingerprint
  /** Never more: nobody has compared, and whoever introduces cannot have. */
  readonly trust: "unverified"
  /** Whether the key was a friend's once. */
  readonly former: boolean
  readonly receivedAtMs: number
  readonly expiresAtMs: number
}

/** The introductions that wait for our operator. Who has asked by now is among the requests instead. */
export const waiting = ({ durable: { introductions, roster } }: State): ReadonlyArray<Introduction.Introduction> => {
  const asked = new Set(
    Table.values(roster.askedBy)
      .filter(Roster.isOpen)
      .map(({ identityKey, introducedBy }) => introducedBy?.key ?? identityKey)
  )
  return Table.values(introductions).filter((one) => one.state === "Open" && !asked.has(one.key))
}

/** The same, as an operator sees them. */
export const viewsOf = (crypto: CryptoShape, state: State): ReadonlyArray<IntroductionView> => {
  const { roster } = state.durable
  return waiting(state)
    .map(
      ({ by, expiresAtMs, id, key, name, note, receivedAtMs }): IntroductionView => ({
        id,
        introducedBy: by.name,
        name,
        note,
        identityKey: key,
        fingerprint: Fingerprint.between(crypto, state.self.identityKey, key),
        trust: "unverified",
        former: Roster.byKey(roster, key) !== undefined,
        receivedAtMs,
        expiresAtMs
      })
    )
    .sort((a, b) => a.receivedAtMs - b.receivedAtMs)
}
