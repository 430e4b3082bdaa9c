/**
 * Signed friend lines of both kinds, as a node would post them.
 * It never posts a line with a wrong signature: spoiling one is the business of a law.
 * The keys come from a seed of their own, so that a failing line shrinks in its names and time alone.
 */
import fc from "fast-check"
import { Base64url, FriendLine } from "../../core/index.ts"
import { agreementOf, entropyOf, identityOf, keysOf, sodium } from "./keys.ts"
import { validName } from "./names.ts"

/** What a line says before it is signed. */
export interface Wording {
  readonly kind: FriendLine.FriendLine["kind"]
  readonly to: string
  readonly from: string
  readonly tsMs: number
  readonly seed: number
}

/** The line of a wording, signed by the keys of its seed. */
export const signedLine = ({ from, kind, seed, to, tsMs }: Wording): FriendLine.FriendLine => {
  const keys = keysOf(seed)
  const common = { to, from, pubkey: identityOf(keys), encryptPub: agreementOf(keys), tsMs }
  const half = entropyOf("request", seed)
  const requestSignature = Base64url.encode(new Uint8Array([...half, ...half]))
  return kind === "request"
    ? { kind, ...common, signature: FriendLine.sign(sodium, keys, { kind, ...common }) }
    : {
        kind,
        ...common,
        requestSignature,
        signature: FriendLine.sign(sodium, keys, { kind, ...common, requestSignature })
      }
}

/** Wordings with names of a kind. */
export const wording = (name: fc.Arbitrary<string>): fc.Arbitrary<Wording> =>
  fc.record({
    kind: fc.constantFrom("request" as const, "accept" as const),
    to: name,
    from: name,
    tsMs: fc.oneof(fc.integer({ min: 1_700_000_000_000, max: 1_900_000_000_000 }), fc.constantFrom(0, 1, 2 ** 53 - 1)),
    seed: fc.nat(1_000)
  })

/** Signed lines between any two valid names. */
export const friendLine: fc.Arbitrary<FriendLine.FriendLine> = wording(validName).map(signedLine)
