/**
 * Whom somebody means by a name, a short id or a key: one friend, nobody, or several to choose from.
 * It never picks one of several, and never finds somebody who is no friend now.
 * A key or an id is exact; a name is compared as names are everywhere, and may carry the beginning of a key.
 * Somebody else has chosen a friend's name, and a model may read an order in it: outside of quotations it is told only where it
 * is too short and plain to be much of one, else the short id stands in its place.
 */
import { Result } from "effect"
import * as Roster from "../../core/friend/Roster.ts"
import type { Describe } from "../../core/index.ts"

export interface Candidate {
  readonly name: string
  readonly shortId: string
  readonly identityKey: string
}

export type Missed = { readonly code: "unknown-peer" | "ambiguous-name"; readonly candidates: ReadonlyArray<Candidate> }

const plain = /^[A-Za-z0-9_.-]{1,20}$/

/** A name that somebody chose for itself, as a model is told it; `instead` where it could say more than who it is. */
export const toldName = (name: string, instead: string): string => (plain.test(name) ? name : instead)

/** A friend's own name as a model is told it. */
export const nameOf = ({ name, shortId }: Pick<Describe.FriendView, "name" | "shortId">): string =>
  toldName(name, shortId)

/** A friend's conversations as a model is told them: the one there is, unless its label holds a name that is not told. */
export const conversationsOf = (friend: Describe.FriendView): ReadonlyArray<string> =>
  plain.test(friend.name) ? [friend.conversation] : []

const candidate = (friend: Describe.FriendView): Candidate => ({
  name: nameOf(friend),
  shortId: friend.shortId,
  identityKey: friend.identityKey
})

/** The one friend meant. */
export const find = (
  friends: ReadonlyArray<Describe.FriendView>,
  asked: string
): Result.Result<Describe.FriendView, Missed> => {
  const typed = asked.trim()
  const exact = friends.filter(({ identityKey, peerId }) => identityKey === typed || peerId === typed)
  const [, name = "", prefix = ""] = /^@?([^#]*)#?([A-Za-z0-9_-]*)$/.exec(typed) ?? []
  const named = friends.filter((friend) => name !== "" && Roster.isMeant(friend, name, prefix))
  const byId = friends.filter(({ shortId }) => shortId === typed.toLowerCase())
  // Somebody may take another's short id as a name: then both are meant.
  const found = exact.length > 0 ? exact : [...new Set([...named, ...byId])]
  if (found.length === 1) return Result.succeed(found[0]!)
  const code = found.length === 0 ? "unknown-peer" : "ambiguous-name"
  return Result.fail({ code, candidates: (found.length === 0 ? friends.slice(0, 20) : found).map(candidate) })
}
