/**
 * Whom somebody means by a name, a short id or a key: one friend, nobody, or several to choose from.
 * It never picks one of several, and never finds somebody who is no friend now.
 * A key or an id is exact; a name is compared as names are everywhere, and may carry the beginning of a key.
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

const candidate = ({ identityKey, name, shortId }: Describe.FriendView): Candidate => ({ name, shortId, identityKey })

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
