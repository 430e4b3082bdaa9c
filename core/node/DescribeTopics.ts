/**
 * The topics we are in and who is known there, as a description shows them.
 * It never shows the key of a secret topic, nor takes what a member says of itself for more than its own words.
 * Apart from `Describe` because that page is long enough.
 */
import { HashMap, Option } from "effect"
import * as Directory from "../discovery/Directory.ts"
import * as Roster from "../friend/Roster.ts"
import * as Trust from "../friend/Trust.ts"
import type { RemoteIdentityKey } from "../identity/Keys.ts"
import * as Table from "../Table.ts"
import type { State } from "./State.ts"

/** A topic that we are in; the key of a secret one is not shown. */
export interface TopicView {
  readonly name: string
  readonly secret: boolean
  readonly hash: string
  readonly members: number
  readonly sinceMs: number
}

/** Somebody who is known in a topic, by its own words. */
export interface MemberView {
  readonly topic: string
  readonly name: string
  readonly description: string
  readonly tags: ReadonlyArray<string>
  readonly identityKey: RemoteIdentityKey
  /** Whether it has proven its key to us in a session; otherwise others passed its profile on. */
  readonly met: boolean
  readonly friend: boolean
  /** What our operator has made sure of, where it is a friend or was one; else null. */
  readonly trust: Trust.State | null
  readonly version: number
  readonly expiresMs: number
}

const membersOf = ({ passing }: State, hash: string): ReadonlyArray<Directory.Member> => {
  const presence = Option.getOrUndefined(HashMap.get(passing.topics, hash))
  return presence === undefined ? [] : Directory.members(presence.directory)
}

/** The topics we are in. */
export const topicsOf = (state: State): ReadonlyArray<TopicView> =>
  Table.values(state.durable.topics).map(({ hash, key, name, sinceMs }) => ({
    name,
    secret: key !== null,
    hash,
    members: membersOf(state, hash).length,
    sinceMs
  }))

const standingOf = ({ durable }: State, key: RemoteIdentityKey): Pick<MemberView, "friend" | "trust"> => {
  const record = Roster.byKey(durable.roster, key)
  return { friend: record?.standing === "Friend", trust: record === undefined ? null : Trust.of(record) }
}

/** Who is known in them, topic by topic. */
export const discoveredOf = (state: State): ReadonlyArray<MemberView> =>
  Table.values(state.durable.topics).flatMap(({ hash, name }) =>
    membersOf(state, hash).flatMap(({ met, profile: { content, expiresMs, identityKey, version } }) =>
      content === null
        ? []
        : [
            {
              topic: name,
              name: content.name,
              description: content.description,
              tags: content.tags,
              identityKey,
              met,
              ...standingOf(state, identityKey),
              version,
              expiresMs
            }
          ]
    )
  )
