/**
 * A death at every write of making, claiming and revoking an invite, on either side: never used twice, never lost.
 * The nodes are the pure ones; their records go through the shipped journal on a real disk, which a death leaves without
 * the last write, with half of it, or with all of it, and nothing that was wanted after it has happened.
 * `npm run crash-test` does the same to whole programs at every I/O call of a friendship; here each write is one point.
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, statSync, truncateSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Logger, Redacted } from "effect"
import { afterAll, expect, it } from "vitest"
import { journalName } from "../../adapters/filesystem/Journal.ts"
import * as FileStore from "../../adapters/filesystem/RecordStore.ts"
import * as Invite from "../../core/friend/Invite.ts"
import * as Table from "../../core/Table.ts"
import { RecordStore, type StoredRecord } from "../../ports/RecordStore.ts"
import { Died, holds, Member, Party } from "../arbitraries/party.ts"
import { person } from "../arbitraries/state.ts"

const folder = mkdtempSync(join(tmpdir(), "wopr-p2p-invite-crash-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const modes = ["before", "torn", "after"] as const
type Mode = (typeof modes)[number]
const names = ["alice", "bob", "carol", "dave"] as const
type Name = (typeof names)[number]
const people = new Map(names.map((name) => [name, person(name)]))

/** What a start finds after a death in the last of these writes: the journal is written, cut and read by what is shipped. */
const foundAfter = async (member: Member, mode: Mode, where: string): Promise<ReadonlyArray<StoredRecord>> => {
  const [living, dead] = [join(where, "living"), join(where, "dead")]
  mkdirSync(living, { recursive: true, mode: 0o700 })
  mkdirSync(dead, { recursive: true, mode: 0o700 })
  const journal = join(living, journalName)
  const sizes = await Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const store = yield* RecordStore
        yield* store.load
        for (const changes of member.commits.slice(0, -1)) yield* store.commit(changes)
        const whole = statSync(journal).size
        yield* store.commit(member.commits.at(-1) ?? [])
        copyFileSync(journal, join(dead, journalName))
        return [whole, statSync(journal).size] as const
      }).pipe(Effect.provide(FileStore.layer({ folder: living })))
    )
  )
  const [whole, all] = sizes
  if (mode !== "after") truncateSync(join(dead, journalName), mode === "before" ? whole : Math.ceil((whole + all) / 2))
  return Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        return yield* (yield* RecordStore).load
      }).pipe(Effect.provide(FileStore.layer({ folder: dead })), Effect.provide(Logger.layer([])))
    )
  )
}

/** The script of a point: everybody's operator, who repeats what was not acknowledged, and whoever dies comes back. */
class Story {
  readonly party = new Party()
  readonly cast = new Map(names.map((name) => [name, new Member(people.get(name)!)]))
  readonly #mode: Mode
  readonly #where: string
  died = false
  constructor(mode: Mode, where: string) {
    this.#mode = mode
    this.#where = where
  }
  of(name: Name): Member {
    return this.cast.get(name)!
  }
  /** Does something at which somebody may die; then it comes back. Says whether that happened. */
  async dared(member: Member | undefined, act: () => void): Promise<boolean> {
    try {
      act()
      return false
    } catch (error) {
      if (!(error instanceof Died) || member === undefined) throw error
      this.died = true
      this.party.revive(member, await foundAfter(member, this.#mode, this.#where))
      return true
    }
  }
}

const stories = [
  { name: "for whoever holds it, once", wishes: {}, second: "" },
  { name: "with inject, for two", wishes: { inject: true, uses: 2 }, second: "carol" },
  { name: "for a key", wishes: { named: people.get("bob")!.self.identityKey }, second: "" }
] as const

/** Plays it; `victim` dies at its write of this number. Gives the writes of each, once nobody dies any more. */
const play = async (story: (typeof stories)[number], victim: Name | undefined, write: number, mode: Mode) => {
  const where = mkdtempSync(join(folder, "point-"))
  const tale = new Story(mode, where)
  const { party } = tale
  const [alice, bob, carol, dave] = names.map((name) => tale.of(name)) as [Member, Member, Member, Member]
  const doomed = victim === undefined ? undefined : tale.of(victim)
  if (doomed !== undefined) party.doom = { member: doomed, write }
  const dared = (act: () => void) => tale.dared(doomed, act)
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
  rmSync(where, { recursive: true, force: true })
  return { died: tale.died, writes: new Map(names.map((name) => [name, tale.of(name).commits.length])) }
}

it("at least a hundred points: an invite is used as often as it says, and what was claimed is a friendship", async () => {
  let points = 0
  for (const story of stories) {
    const { writes } = await play(story, undefined, 0, "after")
    for (const victim of ["alice", "bob", "carol"] as const) {
      for (let write = 1; write <= (writes.get(victim) ?? 0); write++) {
        for (const mode of modes) {
          const { died } = await play(story, victim, write, mode)
          expect(died, `${story.name}/${victim}/write#${write}:${mode} was reached`).toBe(true)
          points++
        }
      }
    }
  }
  expect(points).toBeGreaterThanOrEqual(100)
  process.stdout.write(`${points} points\n`)
}, 110_000)
