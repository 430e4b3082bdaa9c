/**
 * A death at every write of making, claiming and revoking an invite, on either side: never used twice, never lost.
 * `Writes` has the deaths; here is what people do, who repeat what was not acknowledged, and what must be true at the end.
 * `npm run crash-test` does the same to whole programs at every I/O call of a friendship; here each write is one point.
 */
import { Redacted } from "effect"
import { expect, it } from "vitest"
import * as Invite from "../../core/friend/Invite.ts"
import * as Table from "../../core/Table.ts"
import { holds, type Member, type Party } from "../arbitraries/party.ts"
import { person } from "../arbitraries/state.ts"
import { atEveryWrite, type Tale } from "./Writes.ts"

const names = ["alice", "bob", "carol", "dave"] as const
type Name = (typeof names)[number]
const people = new Map(names.map((name) => [name, person(name)]))

const stories = [
  { name: "for whoever holds it, once", wishes: {}, second: "" },
  { name: "with inject, for two", wishes: { inject: true, uses: 2 }, second: "carol" },
  { name: "for a key", wishes: { named: people.get("bob")!.self.identityKey }, second: "" }
] as const

/** Plays it: everybody's operator, who repeats what was not acknowledged, and whoever dies comes back. */
const play = async (story: (typeof stories)[number], tale: Tale<Name>) => {
  const { party } = tale
  const [alice, bob, carol, dave] = names.map((name) => tale.of(name)) as [Member, Member, Member, Member]
  const dared = (act: () => void) => tale.dared(act)
  for (const member of [alice, bob, carol, dave]) await dared(() => void party.take(member, { _tag: "Started" }))

  const made = async (
    wishes: Parameters<Party["invite"]>[1]
  ): Promise<{ readonly id: string; readonly link: string }> => {
    let invite: ReturnType<Party["invite"]> | undefined
    // A link that was never shown is in nobody's hands; its maker makes another one.
    while (invite === undefined) {
      await dared(() => {
        invite = party.invite(alice, wishes)
      })
    }
    return invite
  }
  /** Claims until there is an outcome that its operator was told, or sees. */
  const claimed = async (by: Member, link: string, id: string) => {
    const isClaiming = () => Table.has(by.state.durable.errands, id)
    let typed = false
    for (let turn = 0; turn < 8; turn++) {
      if (!typed) {
        await dared(() => {
          party.command(by, { _tag: "ClaimInvite", link: Redacted.make(link) })
          typed = true
        })
        typed ||= isClaiming()
      }
      await dared(() => {
        const connection = party.meet(by, alice)
        party.wait(2_000, alice, by)
        party.close(connection)
      })
      // What was under way when somebody died is tried again later; a minute also fills the budget of claims.
      await dared(() => party.wait(60_000, alice, by))
      if (typed && !isClaiming()) break
    }
    expect(isClaiming(), "the claim has an end").toBe(false)
  }
  const first = await made(story.wishes)
  await claimed(bob, first.link, first.id)
  await claimed(carol, first.link, first.id)
  await claimed(dave, first.link, first.id)
  const second = await made({ inject: true })
  const isRevoked = () => Table.get(alice.state.durable.invites, second.id)?.state === "Revoked"
  while (!isRevoked()) await dared(() => void party.command(alice, { _tag: "RevokeInvite", id: second.id }))
  await claimed(dave, second.link, second.id)

  const gives = "inject" in story.wishes ? ["inject", "message"] : ["message"]
  const friends = [bob, ...(story.second === "carol" ? [carol] : [])]
  const invite = Table.get(alice.state.durable.invites, first.id)
  expect(invite?.redemptions.map(({ peerId }) => peerId).sort(), "uses").toEqual(
    friends.map(({ person: { proof } }) => proof.signer.peerId).sort()
  )
  expect(invite?.state).toBe("Used")
  expect(Table.get(alice.state.durable.invites, second.id)?.redemptions).toEqual([])
  for (const one of [bob, carol, dave]) {
    const both = [holds(alice, one), holds(one, alice)]
    expect(both, one.person.name).toEqual(friends.includes(one) ? [gives, ["message"]] : [undefined, undefined])
  }
  for (const one of friends) {
    const names = [alice, one].map((member) => Table.values(member.state.durable.roster.friends).map((f) => f.cameOf))
    expect(names[0]).toContainEqual(names[1]?.[0])
  }
  expect(Invite.stateAt(invite!, party.nowMs)).toBe("Used")
}

it("at least a hundred points: an invite is used as often as it says, and what was claimed is a friendship", async () => {
  let points = 0
  for (const story of stories)
    points += await atEveryWrite(people, ["alice", "bob", "carol"], (tale) => play(story, tale))
  expect(points).toBeGreaterThanOrEqual(100)
  process.stdout.write(`${points} points\n`)
}, 600_000)
