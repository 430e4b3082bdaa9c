/**
 * Topics, members and profiles as a person reads them: lists for questions, and lines for what happens.
 * It never shows a topic's key, and says of every member that its name is its own word.
 * What members write comes from strangers, so all of it is made harmless here.
 */
import type { Describe } from "../core/index.ts"
import * as Meant from "./Meant.ts"
import { counted, harmless } from "./Words.ts"

const short = (key: string): string => key.slice(0, 8)

/** The topics we are in. */
export const topicLines = ({ topics }: Describe.Description): ReadonlyArray<string> =>
  topics.length === 0
    ? ["in no topic; join one with /topic join NAME"]
    : topics.map(
        ({ members, name, secret }) =>
          `${harmless(name)}${secret ? " (secret)" : ""}: ${counted(members, "member")} known`
      )

/** What we say of ourselves. */
export const profileLines = ({ profile }: Describe.Description): ReadonlyArray<string> => [
  `@${harmless(profile.name)}${profile.tags.length === 0 ? "" : ` [${profile.tags.map((one) => harmless(one)).join(", ")}]`}`,
  ...(profile.description === "" ? [] : [harmless(profile.description)])
]

/** Who is known in topics, or in one of them. */
export const discoveredLines = ({ discovered }: Describe.Description, topic: string): ReadonlyArray<string> => {
  const shown = Meant.inTopic(discovered, topic)
  return shown.length === 0
    ? ["nobody is known there yet"]
    : shown.map(
        ({ description, friend, identityKey, met, name, tags, topic: where, trust }) =>
          `@${harmless(name)}#${short(identityKey)} in ${harmless(where)}` +
          `${tags.length === 0 ? "" : ` [${tags.map((one) => harmless(one)).join(", ")}]`}` +
          `${description === "" ? "" : `: ${harmless(description)}`}` +
          ` (${friend ? `your friend, ${trust}` : met ? "has proven its key; its name is its own word" : "heard of through others"})`
      )
}

/** What leads an operator to where a request came from. */
export const whereInWords = (where: string): string =>
  where.startsWith("topic:") ? `in topic ${harmless(where.slice(6))}` : "in a session"
