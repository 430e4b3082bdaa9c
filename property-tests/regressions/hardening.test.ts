/**
 * What was found by reading the core as an attacker would: each weakness as a test that failed before it was mended.
 * Whole nodes in one process on memory adapters; nothing here reaches into a node.
 * The titles say what must be true, not what was wrong.
 */
import { Effect } from "effect"
import { afterEach, describe, expect, it } from "vitest"
import * as MemoryStore from "../../adapters/memory/RecordStore.ts"
import * as Sodium from "../../adapters/sodium/Crypto.ts"
import { FriendLine, Keys, Limits } from "../../core/index.ts"
import { Crypto } from "../../ports/Crypto.ts"
import { type Actor, befriend, deliver, makeWorld, says, until, type World } from "../world/World.ts"

const worlds: Array<World> = []
const world = (): World => {
  const made = makeWorld()
  worlds.push(made)
  return made
}
afterEach(async () => {
  for (const made of worlds.splice(0)) await made.end()
})

const idOf = (reply: Awaited<ReturnType<Actor["command"]>>): string => {
  if (!reply.ok) throw new Error(`refused: ${reply.rejection.code}`)
  return reply.id
}

/** An acceptance signed with throw-away keys, as anybody could post it. */
const forgeAccept = (from: string, to: string, requestSignature: string): string => {
  const crypto = Effect.runSync(Crypto.pipe(Effect.provide(Sodium.layer)))
  const keys = Keys.generate(crypto, 0)
  const unsigned: FriendLine.Unsigned = {
    kind: "accept",
    to,
    from,
    pubkey: Buffer.from(keys.identityKey).toString("base64url") as Keys.RemoteIdentityKey,
    encryptPub: Buffer.from(keys.agreementKey).toString("base64url") as Keys.RemoteAgreementKey,
    tsMs: Date.now(),
    requestSignature
  }
  const signature = FriendLine.sign(crypto, keys, unsigned)
  return FriendLine.print({ ...unsigned, signature } as FriendLine.FriendLine)
}

const pair = async (): Promise<readonly [Actor, Actor, World]> => {
  const made = world()
  const alice = await made.start("alice")
  const bob = await made.start("bob")
  await befriend(alice, bob)
  return [alice, bob, made]
}

describe("answers that wait", () => {
  it("large ones that ended while the caller was away all arrive when it is back", async () => {
    const made = world()
    const alice = await made.start("alice")
    const answer = new Uint8Array(Limits.answerBytesMax).fill(0x61)
    const gate = Promise.withResolvers<void>()
    const bob = await made.start("bob", {
      script: () =>
        Effect.as(
          Effect.promise(() => gate.promise),
          answer
        )
    })
    await befriend(alice, bob)
    await bob.command(says.grant("alice", "inject"))
    const ids: Array<string> = []
    for (let index = 0; index < Limits.jobsPerPeerMax; index++) {
      ids.push(idOf(await alice.command(says.inject("bob", `${index}`, 60_000))))
    }
    for (const id of ids) await bob.wait("JobStarted", (event) => event.id === id)
    await alice.crash()
    gate.resolve()
    await until("all have ended", async () => (await bob.describe()).jobsRunning === 0)
    const back = await made.start("alice", { remains: alice.remains })
    for (const id of ids) {
      const answered = await back.wait("Answered", (event) => event.id === id, 20_000)
      expect(answered.bytes).toBe(Limits.answerBytesMax)
    }
    expect(bob.events.filter((event) => event._tag === "JobStarted")).toHaveLength(ids.length)
  })
})

describe("a friend who asks again", () => {
  it("gets a fresh acceptance, but neither another name nor a way out of an alarm", async () => {
    const [alice, bob, made] = await pair()
    // Two keys answered bob's request: he does not know which of them he has befriended.
    await bob.command(says.unfriend("alice"))
    await alice.command(says.unfriend("bob"))
    await bob.command(says.friend("alice"))
    await until("asked", async () => (await alice.describe()).requests.length === 1)
    await alice.command(says.accept("bob"))
    await until("friends anew", () => bob.events.filter((event) => event._tag === "FriendshipMade").length === 2)
    const posted = made.room.said.findLast((line) => line.text.startsWith("FRIEND_REQUEST"))!
    made.room.say("alice", forgeAccept("alice", "bob", /sig:([\w-]{86})/.exec(posted.text)![1]!))
    await bob.wait("Alarm")
    // The one he has befriended loses its records, takes another name, and asks.
    await alice.stop()
    const other = await made.start("carol", { remains: { ...alice.remains, disk: new MemoryStore.Disk() } })
    await other.command(says.friend("bob"))
    await other.wait("FriendshipMade")
    const { friends } = await bob.describe()
    expect(friends.map(({ alarmed, name }) => ({ alarmed, name }))).toEqual([{ alarmed: true, name: "alice" }])
  })
})

describe("limits", () => {
  it("survive a restart: no peer gets more by making us crash", async () => {
    const [alice, bob, made] = await pair()
    for (let index = 0; index < Limits.messagesPerMinute; index++) await alice.command(says.message("bob", `m${index}`))
    await until("all are shown", async () => (await bob.shown("alice")).length === Limits.messagesPerMinute)
    await bob.crash()
    const back = await made.start("bob", { remains: bob.remains })
    const over = idOf(await alice.command(says.message("bob", "one more")))
    await back.wait("Connected")
    // A second gives half a message back; a fresh budget would have taken it at once.
    expect(alice.events.some((event) => event._tag === "Delivered" && event.id === over)).toBe(false)
    await alice.wait("Delivered", (event) => event.id === over, 10_000)
  })
})

describe("a node that breaks or ends", () => {
  it("gives up the one input on which a turn broke, and lives on", async () => {
    const made = world()
    const alice = await made.start("alice")
    // An answer that cannot even be looked at: no adapter gives one, so a turn may trip over it.
    const trap = new Proxy(new Uint8Array(3), {
      get: (bytes, key) => {
        if (key === "length") return bytes.length
        throw new Error("the answer is a trap")
      }
    })
    const bob = await made.start("bob", { script: () => trap })
    await befriend(alice, bob)
    await bob.command(says.grant("alice", "inject"))
    await alice.command(says.inject("bob", "break"))
    await bob.wait("JobStarted")
    await deliver(alice, bob, "still there?")
    await deliver(bob, alice, "still here")
  })
  it("answers a command that comes too late instead of leaving the caller waiting", async () => {
    const [alice] = await pair()
    await alice.stop()
    expect(await alice.command(says.message("bob", "too late"))).toMatchObject({
      ok: false,
      rejection: { code: "node-ended" }
    })
  })
})
