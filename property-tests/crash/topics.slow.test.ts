/**
 * A death at every write of joining and leaving a topic and of asking, accepting, denying and answering a request in it.
 * `Writes` has the deaths; here is what people do, who repeat what was not acknowledged, and what must be true at the end.
 * What was acknowledged is never lost, a friendship is one, and who was denied or has left is not brought back by a start.
 */
import { expect, it } from "vitest"
import { Describe, type Input, type Topic } from "../../core/index.ts"
import * as Table from "../../core/Table.ts"
import { holds, type Member } from "../arbitraries/party.ts"
import { publicRoom, roomOf, secretRoom } from "../arbitraries/profiles.ts"
import { crypto, person } from "../arbitraries/state.ts"
import { atEveryWrite, type Tale } from "./Writes.ts"

const names = ["alice", "bob", "carol"] as const
type Name = (typeof names)[number]
const people = new Map(names.map((name) => [name, person(name)]))

const stories = [
  { name: "one asks in a public topic", room: publicRoom, answers: "operator", mutual: false },
  { name: "both ask in a secret topic", room: secretRoom, answers: "operator", mutual: true },
  { name: "a rule answers", room: publicRoom, answers: "rule", mutual: false }
] as const

const side = roomOf("go")

const play = async (story: (typeof stories)[number], tale: Tale<Name>, point: string): Promise<void> => {
  const { party } = tale
  const [alice, bob, carol] = names.map((name) => tale.of(name)) as [Member, Member, Member]
  const dared = (act: () => void) => tale.dared(act)
  const pass = async (seconds: number) => {
    for (let at = 0; at < seconds; at++) await dared(() => party.wait(1_000, ...tale.members))
  }
  /** Types a command until what it wants is there; what was acknowledged is not typed again. */
  const done = async (by: Member, command: Input.Command, isThere: () => boolean) => {
    for (let tries = 0; tries < 4 && !isThere(); tries++) {
      await dared(() => void party.command(by, command))
    }
    expect(isThere(), `${point}: ${command._tag} by ${by.person.name}`).toBe(true)
  }
  const isIn = ({ state }: Member, hash: string) => Table.has(state.durable.topics, hash)
  const join = (by: Member, room: { readonly topic: Topic.Topic; readonly hash: string }) =>
    done(by, { _tag: "JoinTopic", topic: room.topic }, () => isIn(by, room.hash))
  const seen = (by: Member) =>
    Describe.describe(crypto, by.state, party.nowMs)
      .discovered.filter(({ topic }) => topic === "chess")
      .map(({ name }) => name)
      .sort()
  /** Whoever has asked reaches whom it asked, and the other way round, as their nodes do within ten minutes. */
  const reach = async (one: Member, other: Member) => {
    for (const [from, to] of [
      [one, other],
      [other, one]
    ] as const) {
      await dared(() => {
        const connection = party.meet(from, to)
        party.wait(3_000, ...tale.members)
        party.close(connection)
        party.settle()
      })
      await dared(() => party.wait(660_000, ...tale.members))
    }
  }
  const wants = (by: Member, of: Member) =>
    Table.values(by.state.durable.errands).some(({ key }) => key === of.person.self.identityKey)
  const connect = (by: Member, to: Member) => {
    const command = { _tag: "Connect", name: to.person.name, keyPrefix: "", topic: "", note: "hello" } as const
    return done(by, command, () => wants(by, to) || holds(by, to) !== undefined)
  }
  const asks = (of: Member, by: Member) =>
    Describe.describe(crypto, of.state, party.nowMs).requests.some(
      ({ identityKey }) => identityKey === by.person.self.identityKey
    )

  for (const member of tale.members) await dared(() => void party.take(member, { _tag: "Started" }))
  for (const member of tale.members) await join(member, story.room)
  await join(bob, side)
  if (story.answers === "rule") {
    const rule = { channel: "topic:chess", key: bob.person.self.identityKey, unproven: true }
    await done(alice, { _tag: "AddRule", rule }, () => Table.size(alice.state.durable.roster.rules) > 0)
  }
  await pass(6)
  for (const member of tale.members) expect(seen(member), `${point}: ${member.person.name}`).toHaveLength(2)

  // Bob asks and is answered; carol asks and is denied.
  await connect(bob, alice)
  if (story.mutual) await connect(alice, bob)
  await connect(carol, alice)
  await reach(bob, alice)
  await reach(carol, alice)
  if (story.answers === "operator" && !story.mutual) {
    await done(alice, { _tag: "Accept", name: "bob", keyPrefix: "" }, () => holds(alice, bob) !== undefined)
  }
  expect(asks(alice, carol), `${point}: the question is there`).toBe(true)
  await done(alice, { _tag: "Deny", name: "carol", keyPrefix: "" }, () => !asks(alice, carol))
  await reach(bob, alice)
  await reach(carol, alice)

  await done(bob, { _tag: "LeaveTopic", topic: story.room.topic }, () => !isIn(bob, story.room.hash))
  await pass(70)
  // All start once more, on what they have.
  for (const member of tale.members) await dared(() => party.revive(member))
  await pass(70)

  const which = (member: Member) => Table.values(member.state.durable.topics).map(({ hash }) => hash)
  expect(which(bob), point).toEqual([side.hash])
  for (const member of [alice, carol]) expect(which(member), point).toEqual([story.room.hash])
  expect(party.isAnnounced(bob, story.room.hash), point).toBe(false)
  expect(Table.size(bob.state.durable.left), point).toBe(0)
  expect(seen(alice), point).toEqual(["carol"])
  expect(seen(carol), point).toEqual(["alice"])

  expect([holds(alice, bob), holds(bob, alice)], point).toEqual([["message"], ["message"]])
  expect([holds(alice, carol), holds(carol, alice)], point).toEqual([undefined, undefined])
  expect(asks(alice, carol), `${point}: who was denied does not ask again`).toBe(false)
  expect(wants(bob, alice), `${point}: the request has an end`).toBe(false)
  const cameOf = ({ state }: Member) => Table.values(state.durable.roster.friends).flatMap((one) => one.cameOf)
  expect(
    cameOf(alice).some((name) => cameOf(bob).includes(name)),
    `${point}: one friendship`
  ).toBe(true)
  // Two profiles of one version would be taken for somebody who signs twice.
  for (const { told } of tale.members) {
    expect(told.filter(({ _tag }) => _tag === "ProfileConflict")).toEqual([])
  }
}

it("at least a hundred points: what was joined, left, asked and answered is so, once, whoever dies at which write", async () => {
  let points = 0
  for (const story of stories) {
    points += await atEveryWrite(people, names, (tale, point) => play(story, tale, `${story.name}/${point}`))
  }
  expect(points).toBeGreaterThanOrEqual(100)
  process.stdout.write(`${points} points\n`)
}, 900_000)
