/**
 * The audit log says whom the owner's word was about, also where a friend had introduced them.
 * It never names anybody where two different people can be meant.
 * Without it a yes to an introduction was a line about nobody, and what the gate let in afterwards came from nowhere.
 * Whom a command can mean is asked for each message: with a whole description, a third as many messages went out.
 */
import { Effect } from "effect"
import { expect, it } from "vitest"
import type { Said } from "../../plugin/audit/AuditLine.ts"
import * as Owner from "../../plugin/audit/Owner.ts"
import { befriend, makeWorld, says, until } from "../world/World.ts"

const introduced = (by: string, key: string) => ({ name: "erin", introducedBy: by, identityKey: key.repeat(43) })

/** What is noted of a yes to erin at a node that knows only these introductions. */
const notedOf = async (introductions: ReadonlyArray<ReturnType<typeof introduced>>, name = "erin") => {
  const said: Array<Said> = []
  const node = {
    acquaintances: Effect.succeed({ friends: [], requests: [], introductions }),
    command: () => Effect.succeed({ ok: true, id: "1" })
  }
  const noted = Owner.noted(node as never, (one) => Effect.sync(() => void said.push(one)))
  await Effect.runPromise(noted.command({ _tag: "Accept", name, keyPrefix: "" }))
  return said
}

it.each(["erin", ""])(
  "a yes to an introduction (%j) is noted with the key that was introduced, if there is one",
  async (name) => {
    const yes = { asked: "owner Accept", peer: "", verdict: "done" }
    const [e, again, f] = [introduced("alice", "E"), introduced("bob", "E"), introduced("bob", "F")]
    expect(await notedOf([e], name)).toEqual([{ ...yes, key: "E".repeat(43) }])
    expect(await notedOf([e, again], name)).toEqual([{ ...yes, key: "E".repeat(43) }])
    expect(await notedOf([e, f], name)).toEqual([{ ...yes, key: "" }])
    expect(await notedOf([], name)).toEqual([{ ...yes, key: "" }])
  }
)

it("those whom a command can mean are those of the description", async () => {
  const world = makeWorld()
  const [ada, bob, carl] = [await world.start("ada"), await world.start("bob"), await world.start("carl")]
  await befriend(ada, bob)
  await ada.command({ _tag: "Name", name: "bob", keyPrefix: "", called: "pal" })
  await carl.command(says.friend("ada"))
  await until("it is heard", async () => (await ada.describe()).requests.length === 1)
  const [whole, light] = [await ada.describe(), await Effect.runPromise(ada.node.acquaintances)]
  await world.end()
  expect([light.friends.length, light.requests.length]).toEqual([1, 1])
  expect(whole).toMatchObject(light)
})
