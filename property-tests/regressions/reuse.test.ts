/**
 * Whose container a question may go on in: that of the same friend, under the same grant.
 * It must never be told by anything a friend sends, nor outlive a grant that was withdrawn.
 * The sandbox is a script that notes what each job was told; what a real one does with that is tried with the real one.
 */
import { Effect } from "effect"
import { expect, it } from "vitest"
import * as MemoryModel from "../../adapters/memory/Model.ts"
import * as MemorySandbox from "../../adapters/memory/Sandbox.ts"
import { type Actor, befriend, makeWorld, says } from "../world/World.ts"

it("a question goes on where the friend's last one ended, until the grant is another", async () => {
  const world = makeWorld()
  const told: Array<string | undefined> = []
  const talker: MemorySandbox.Talker = ({ reuse }, { print, read }) =>
    Effect.gen(function* () {
      told.push(reuse)
      yield* read
      for (const line of [{ kind: "ready", version: 1 }, { kind: "text", text: "x" }, { kind: "end" }])
        yield* print(JSON.stringify(line))
    })
  const [alice, carol] = [await world.start("alice"), await world.start("carol")]
  const bob = await world.start("bob", {
    sandbox: MemorySandbox.layer(() => new Uint8Array(0), { talker }),
    model: MemoryModel.layer(new MemoryModel.Script([])),
    agent: { instructions: "be bob" }
  })
  for (const friend of [alice, carol]) await befriend(friend, bob)
  for (const name of ["alice", "carol"]) await bob.command(says.grant(name, "inject"))
  const ask = async (friend: Actor) => {
    const reply = await friend.command(says.inject("bob", "?"))
    if (!reply.ok) return expect.fail(reply.rejection.code)
    await friend.wait("Answered", ({ id }) => id === reply.id)
  }
  await ask(alice)
  await ask(alice)
  await ask(carol)
  await bob.command(says.revoke("alice", "inject"))
  await bob.command(says.grant("alice", "inject"))
  await ask(alice)
  await ask(carol)
  await world.end()
  const [first, again, carols, anew, carolsAgain] = told
  expect(first).toMatch(/^.{20,}$/)
  expect(again).toBe(first)
  expect(carolsAgain).toBe(carols)
  expect(new Set([first, carols, anew]).size).toBe(3)
}, 30_000)
