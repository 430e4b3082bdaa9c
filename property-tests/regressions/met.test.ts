/**
 * Who is met in a topic: everybody that has proven its key in a session there, whether others spoke of it first or not.
 * A member that had been heard of was never met: its profile was known, so that it was not said again, and nothing else
 * counted. It stood in the list as hearsay for as long as it stayed, where a crowd of keys could push it out.
 */
import { describe, expect, it } from "vitest"
import { Describe } from "../../core/index.ts"
import { Member, Party } from "../arbitraries/party.ts"
import { profileOf, publicRoom, secretRoom } from "../arbitraries/profiles.ts"
import { crypto, person } from "../arbitraries/state.ts"

describe("members of a topic", () => {
  for (const room of [publicRoom, secretRoom]) {
    it(`are met by each other, also those that others spoke of first (${room.topic.secret === null ? "public" : "secret"})`, () => {
      const party = new Party()
      const members = Array.from({ length: 8 }, (_, index) => new Member(person(`m${index}`)))
      for (const member of members) {
        party.take(member, { _tag: "Started" })
        party.command(member, { _tag: "JoinTopic", topic: room.topic })
      }
      for (let second = 0; second < 20; second++) party.wait(1_000, ...members)
      for (const member of members) {
        const { discovered } = Describe.describe(crypto, member.state, party.nowMs)
        expect(discovered).toHaveLength(members.length - 1)
        expect(discovered.filter(({ met }) => !met).map(({ name }) => name)).toEqual([])
      }
    })
  }
  it("are not met for what somebody else says of them in a session", () => {
    const party = new Party()
    const [alice, mallory] = [new Member(person("alice")), new Member(person("mallory"), true)]
    party.take(alice, { _tag: "Started" })
    party.command(alice, { _tag: "JoinTopic", topic: publicRoom.topic })
    const { mark, version, wire } = profileOf(7, publicRoom, { issuedMs: party.nowMs }).value
    const discovered = () => Describe.describe(crypto, alice.state, party.nowMs).discovered
    for (const have of [[], [{ mark, version }]]) {
      const connection = party.meet(mallory, alice)
      party.say(mallory, connection, { kind: "TopicHello", topic: publicRoom.hash, have })
      party.say(mallory, connection, { kind: "Profiles", topic: publicRoom.hash, profiles: [wire] })
      expect(discovered()).toMatchObject([{ name: "bob", met: false }])
      party.close(connection)
      party.wait(11_000, alice)
    }
  })
})
