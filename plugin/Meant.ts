/**
 * Whom an operator means by `name` or `name#key` in a question, and how a peer is written so that no namesake is meant.
 * It never picks one of several: all that are meant are shown, each under an address of its own.
 * Commands go through `friend/Roster`; the comparison is that one's, so that a question and a command mean the same peer.
 */
import * as Roster from "../core/friend/Roster.ts"
import { Name } from "../core/index.ts"
import { harmless } from "./Words.ts"

interface Peer {
  readonly name: string
  readonly called?: string
  readonly identityKey: string
}

/** Those that are meant by what was typed, `@` dropped: everybody of the name, or those whose key begins so too. */
export const among = <P extends Peer>(peers: ReadonlyArray<P>, typed: string): ReadonlyArray<P> => {
  const [, name = "", keyPrefix = ""] = /^([\s\S]*?)(?:#([A-Za-z0-9_-]{1,43}))?$/.exec(typed) ?? []
  return peers.filter((peer) => Roster.isMeant(peer, name, keyPrefix))
}

/** How a peer is typed: `@name`, with the first characters of its key where another one has that name. Harmless. */
export const address = (peers: ReadonlyArray<Peer>, { identityKey, name }: Peer): string => {
  const namesakes = peers.some((one) => one.identityKey !== identityKey && Name.fold(one.name) === Name.fold(name))
  return `@${harmless(name)}${namesakes ? `#${identityKey.slice(0, 8)}` : ""}`
}

/** The members of a topic as it was typed, whose key says nothing here; "" means all. */
export const inTopic = <M extends { readonly topic: string }>(members: ReadonlyArray<M>, typed: string) => {
  const wanted = typed.toLowerCase().split("#")[0]
  return members.filter((one) => wanted === "" || one.topic === wanted)
}
