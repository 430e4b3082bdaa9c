/**
 * A value whose signer has been proven: the only thing replay memory, budgets and grants accept.
 * It never proves anything itself; `prove` is called by `identity/Statement` and `session/Seal` alone (a tidy rule).
 * The symbol is not exported, so no other code can write an object of this type.
 */

import type { RemoteIdentityKey } from "./Keys.ts"
import type { PeerId } from "./PeerId.ts"

const proven: unique symbol = Symbol("proven")

/** Who signed, with everything that follows from the key alone. */
export interface Signer {
  readonly key: RemoteIdentityKey
  /** The id this key would have if it were verified here for the first time. */
  readonly peerId: PeerId
  /** The rendezvous topic of the key, base64url. */
  readonly topic: string
}

export interface Authentic<A> {
  readonly [proven]: true
  readonly signer: Signer
  readonly value: A
}

/** Marks a value as proven. Only the two verifiers may call this. */
export const prove = <A>(signer: Signer, value: A): Authentic<A> => ({ [proven]: true, signer, value })

/** What follows from a proven value is proven by the same signer. */
export const map = <A, B>(authentic: Authentic<A>, follow: (value: A) => B): Authentic<B> => ({
  [proven]: true,
  signer: authentic.signer,
  value: follow(authentic.value)
})
