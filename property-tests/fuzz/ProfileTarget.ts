/**
 * The reader of profiles, as a member of a public and of a secret topic: what a stranger's session brings, or passes on.
 * It never takes a profile for read unless the same reader reads its own output to the same value.
 * The first byte chooses the topic, so that one corpus serves both.
 */
import { Result } from "effect"
import fc from "fast-check"
import { Base64url, Profile } from "../../core/index.ts"
import { keysOf, sodium } from "../arbitraries/keys.ts"
import { content, publicRoom, secretRoom, unsigned } from "../arbitraries/profiles.ts"
import { noonMs } from "../arbitraries/state.ts"
import { demand, refused, type Target, value } from "./Target.ts"

const roomOf = (first: number | undefined) => ((first ?? 0) % 2 === 0 ? publicRoom : secretRoom)

export const profileTarget: Target = {
  name: "profile",
  says: "a profile of a member of a topic, public or secret",
  samples: (luck) => {
    const first = luck.whole(0, 1)
    const room = roomOf(first)
    const keys = keysOf(luck.whole(0, 5))
    const words = fc.sample(content, { numRuns: 1, seed: luck.whole(0, 2 ** 30) })[0]!
    const change = { content: luck.happens(0.1) ? null : words, version: luck.whole(0, 9) }
    const { wire } = Profile.sign(sodium, keys, room.topic, unsigned(keys, room, change))
    return Uint8Array.from([first, ...(Base64url.decode(wire) ?? [])])
  },
  words: [
    '"topic":"',
    '"identity":"',
    '"swarm":"',
    '"version":',
    '"issued":',
    '"expires":',
    '"content":null',
    '"tags":[]',
    '"signature":"',
    "__proto__",
    "9007199254740991",
    "\\u202e"
  ],
  read: (input) => {
    const room = roomOf(input[0])
    const read = Profile.read(sodium, room.topic, room.hash, Base64url.encode(input.subarray(1)), noonMs)
    if (Result.isFailure(read)) return refused(read.failure.code)
    const again = Profile.read(sodium, room.topic, room.hash, read.success.value.wire, noonMs)
    demand(
      Result.isSuccess(again) && value(again.success.value) === value(read.success.value),
      "read again it says something else"
    )
    demand(read.success.value.topic === room.hash, "it is of another topic")
    return value(read.success.value)
  }
}
