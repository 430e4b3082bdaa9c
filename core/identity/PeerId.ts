/**
 * How this node names a peer, for ever: a hash of the identity key under which it first verified the peer.
 * It never travels and never changes; on the wire a peer is named by its current key.
 * The rendezvous topic is derived here too, because it is the same construction under another label.
 */
import type { Brand } from "effect"
import type { CryptoShape } from "../../ports/Crypto.ts"
import { hex } from "../bytes/Bytes.ts"
import * as Transcript from "../bytes/Transcript.ts"
import { keyBytes, type RemoteIdentityKey } from "./Keys.ts"

/** 64 hexadecimal digits. */
export type PeerId = string & Brand.Brand<"PeerId">

/** SHA-256 over the labelled identity key. */
export const of = (crypto: Pick<CryptoShape, "sha256">, key: RemoteIdentityKey): PeerId =>
  hex(crypto.sha256(Transcript.encode("wop/3 peer id", [keyBytes(key)]))) as PeerId

/** The first 8 digits, for one's own screen only. */
export const short = (id: PeerId): string => id.slice(0, 8)

/** The topic under which the holder of an identity key is found: SHA-256 over the labelled key, 32 bytes. */
export const topicOf = (crypto: Pick<CryptoShape, "sha256">, identityKey: Uint8Array): Uint8Array =>
  crypto.sha256(Transcript.encode("wop/3 rendezvous", [identityKey]))
