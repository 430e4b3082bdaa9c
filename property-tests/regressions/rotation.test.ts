/**
 * Whole nodes that rotate their keys: friends who were away, thieves with an old key, forks, recovery, crashes.
 * Nothing here reaches into a node; a thief is a copy of what a node leaves, started like any other.
 * The titles say what must be true; 9 and 27 are the numbers of the list of regressions.
 */
import { Effect, Exit, Layer, Option, Redacted, Scope } from "effect"
import { afterEach, describe, expect, it } from "vitest"
import { localTiming, testnet } from "../../adapters/hyperswarm/LocalDht.ts"
import * as Hyperswarm from "../../adapters/hyperswarm/Transport.ts"
import * as MemoryStore from "../../adapters/memory/RecordStore.ts"
import * as Sodium from "../../adapters/sodium/Crypto.ts"
import { Base64url, FriendLine, Identity, Keys, Node, PeerId, Rotation, Statement } from "../../core/index.ts"
import { Crypto } from "../../ports/Crypto.ts"
import { KeyVault, KeyVaultError } from "../../ports/KeyVault.ts"
import { Transport, type TransportShape } from "../../ports/Transport.ts"
import {
  type Actor,
  addRecoveryKey,
  befriend,
  copyOf,
  deliver,
  makeWorld,
  pause,
  type Remains,
  rotate,
  says,
  until,
  type World
} from "../world/World.ts"

const crypto = Effect.runSync(Crypto.pipe(Effect.provide(Sodium.layer)))
const worlds: Array<World> = []
const world = (): World => {
  const made = makeWorld()
  worlds.push(made)
  return made
}
afterEach(async () => {
  for (const made of worlds.splice(0)) await made.end()
})

const pair = async (): Promise<readonly [Actor, Actor, World]> => {
  const made = world()
  const alice = await made.start("alice")
  const bob = await made.start("bob")
  await befriend(alice, bob)
  await deliver(alice, bob, "before")
  await deliver(bob, alice, "before, too")
  return [alice, bob, made]
}

const friendOf = async (actor: Actor, name: string) => {
  const found = (await actor.describe()).friends.find((friend) => friend.name === name)
  if (found === undefined) throw new Error(`${actor.name} has no friend ${name}`)
  return found
}
const keyOf = async (actor: Actor): Promise<string> => (await actor.describe()).identityKey

/** Ends a node, rotates its keys as often as wanted, and starts it on the new ones. */
const restartRotated = async (
  made: World,
  actor: Actor,
  times = 1,
  reason: "scheduled" | "compromise" = "scheduled"
) => {
  await actor.stop()
  for (let index = 0; index < times; index++) await rotate(actor.remains, reason)
  return made.start(actor.name, { remains: actor.remains })
}

describe("9 · key rotation proves continuity", () => {
  it("a friend who was away for several rotations learns at the next contact, and loses nothing by it", async () => {
    const [alice, bob, made] = await pair()
    await bob.command(says.grant("alice", "inject"))
    await alice.wait("GrantChanged")
    const before = await friendOf(alice, "bob")
    await alice.stop()
    const bob3 = await restartRotated(made, bob, 3)
    const back = await made.start("alice", { remains: alice.remains })
    const rotated = await back.wait("KeyRotated")
    expect(rotated).toMatchObject({ whose: "theirs", name: "bob", from: before.identityKey, to: await keyOf(bob3) })
    const after = await friendOf(back, "bob")
    expect(after.identityKey).toBe(await keyOf(bob3))
    expect({ ...after, identityKey: "", fingerprint: "", connected: true, knowsOurKey: true }).toEqual({
      ...before,
      identityKey: "",
      fingerprint: "",
      connected: true,
      knowsOurKey: true
    })
    // Both now read the same words, of the keys they have now.
    expect(after.fingerprint).toEqual((await friendOf(bob3, "alice")).fingerprint)
    await deliver(back, bob3, "I was away")
    await deliver(bob3, back, "welcome")
    const reply = await back.command(says.inject("bob", "still granted?"))
    expect((await back.wait("Answered", (event) => reply.ok && event.id === reply.id)).text).toMatch(/still granted/)
    expect(await bob3.shown("alice")).toEqual(["before", "I was away", "still granted?"])
  })

  it("both sides rotate while both are away, and find each other again", async () => {
    const [alice, bob, made] = await pair()
    await alice.stop()
    const queued = await bob.command(says.message("alice", "written before the rotation"))
    await bob.stop()
    for (const actor of [alice, bob, alice]) await rotate(actor.remains)
    const alice2 = await made.start("alice", { remains: alice.remains })
    const bob2 = await made.start("bob", { remains: bob.remains })
    await bob2.wait("Delivered", (event) => queued.ok && event.id === queued.id)
    expect(await alice2.shown("bob")).toEqual(["before, too", "written before the rotation"])
    await deliver(alice2, bob2, "after")
    expect((await friendOf(alice2, "bob")).identityKey).toBe(await keyOf(bob2))
    expect((await friendOf(bob2, "alice")).identityKey).toBe(await keyOf(alice2))
  })

  it("an old key is refused once the friend has moved on, also after the friend's restart, also after `compromise`", async () => {
    const [alice, bob, made] = await pair()
    await bob.stop()
    const stolen = copyOf(bob.remains)
    await rotate(bob.remains, "compromise")
    const bob2 = await made.start("bob", { remains: bob.remains })
    await alice.wait("KeyRotated")
    const thief = await made.start("bob", { remains: stolen, account: "mallory" })
    const refused = await alice.wait("PeerRefused", (event) => event.rejection.code === "key-retired")
    expect(refused.name).toBe("bob")
    // The one who holds the old identity, were it the honest one restored from a copy, is told so.
    await thief.wait("Alarm", (event) => event.rejection.code === "key-retired")
    await thief.command(says.message("alice", "trust me, I am bob"))
    await alice.stop()
    await thief.stop()
    const back = await made.start("alice", { remains: alice.remains })
    const again = await made.start("bob", { remains: stolen, account: "mallory" })
    await again.command(says.message("alice", "now?"))
    await back.wait("PeerRefused", (event) => event.rejection.code === "key-retired")
    await deliver(back, bob2, "only to you")
    expect(await back.shown("bob")).toEqual(["before, too"])
    expect([...thief.events, ...again.events].filter((event) => event._tag === "Received")).toEqual([])
  })

  it("a friend line under a key the friend has left is refused, whatever account posts it", async () => {
    const [alice, bob, made] = await pair()
    await bob.stop()
    const stolen = copyOf(bob.remains)
    await rotate(bob.remains)
    await made.start("bob", { remains: bob.remains })
    await alice.wait("KeyRotated")
    const thief = await made.start("bob", { remains: { ...stolen, disk: new MemoryStore.Disk() } })
    await thief.command(says.friend("alice"))
    const refused = await alice.wait("LineRefused")
    expect(refused.rejection.code).toBe("key-retired")
    expect((await alice.describe()).requests).toEqual([])
    expect((await friendOf(alice, "bob")).alarm).toBe(null)
  })

  it("a session that is open under the old key ends when the new one is learnt, and nothing more is taken from it", async () => {
    const [alice, bob, made] = await pair()
    // The thief is connected under bob's key first; bob is away.
    await bob.stop()
    const thief = await made.start("bob", { remains: copyOf(bob.remains), account: "mallory" })
    await deliver(thief, alice, "I am bob")
    await rotate(bob.remains, "compromise")
    const bob2 = await made.start("bob", { remains: bob.remains })
    await alice.wait("KeyRotated")
    await thief.wait("Disconnected")
    await thief.command(says.message("alice", "still bob"))
    await deliver(bob2, alice, "it was not me")
    await thief.wait("Alarm", (event) => event.rejection.code === "key-retired")
    expect(await alice.shown("bob")).toEqual(["before, too", "I am bob", "it was not me"])
  })
})

describe("27 · rotation", () => {
  it("leaves a node reachable: friends who are there go on at once, nobody restarts but the node itself", async () => {
    const [alice, bob, made] = await pair()
    const old = await keyOf(bob)
    const bob2 = await restartRotated(made, bob)
    await deliver(alice, bob2, "to the new key")
    await deliver(bob2, alice, "from the new key")
    expect(await keyOf(bob2)).not.toBe(old)
    const ours = await bob2.wait("KeyRotated")
    expect(ours).toMatchObject({ whose: "ours", from: old, to: await keyOf(bob2), reason: "scheduled" })
  })

  it("an old key is announced while a friend may still know it, and no longer", async () => {
    const [alice, bob, made] = await pair()
    const carol = await made.start("carol")
    await befriend(carol, bob)
    await deliver(carol, bob, "hi")
    const first = await keyOf(bob)
    const found = (key: string) =>
      made.network.topics.get(
        Buffer.from(PeerId.topicOf(crypto, Keys.keyBytes(key as Keys.RemoteIdentityKey))).toString("hex")
      )?.size ?? 0
    await alice.stop()
    const bob2 = await restartRotated(made, bob)
    await carol.wait("KeyRotated")
    const second = await keyOf(bob2)
    const bob3 = await restartRotated(made, bob2)
    await until("carol has seen the third key", async () => (await friendOf(bob3, "carol")).knowsOurKey)
    // Alice knows the first key, as far as bob's disk has it: were it an older copy, she could know the second one.
    expect((await bob3.describe()).keysAnnounced).toEqual([first, second, await keyOf(bob3)])
    expect([found(first), found(second), found(await keyOf(bob3))]).toEqual([1, 1, 1])
    expect((await friendOf(bob3, "alice")).knowsOurKey).toBe(false)
    const back = await made.start("alice", { remains: alice.remains })
    await back.wait("KeyRotated")
    await until("the old keys are taken back", async () => (await bob3.describe()).keysAnnounced.length === 1)
    await until("nobody is found under them", () => found(first) + found(second) === 0)
    await deliver(back, bob3, "found you")
  })

  it("over Hyperswarm: a friend that knows an earlier key finds the node under it and follows", {
    timeout: 60_000
  }, async () => {
    const scope = Effect.runSync(Scope.make())
    const bootstrap = await Effect.runPromise(Scope.provide(testnet, scope))
    const swarm = (touch: (transport: TransportShape) => TransportShape = (transport) => transport) =>
      Layer.effect(Transport, Effect.map(Transport, touch)).pipe(
        Layer.provide(
          Layer.unwrap(
            Effect.map(Node.loadKeys, ({ swarmSeed }) => Hyperswarm.layer({ swarmSeed, bootstrap, ...localTiming }))
          )
        ),
        Layer.orDie
      ) as unknown as Layer.Layer<Transport>
    await overSwarm(swarm)
    await Effect.runPromise(Scope.close(scope, Exit.void))
  })
})

type Swarm = (touch?: (transport: TransportShape) => TransportShape) => Layer.Layer<Transport>

const overSwarm = async (swarm: Swarm) => {
  const made = world()
  const alice = await made.start("alice", { transport: swarm() })
  const bob = await made.start("bob", { transport: swarm() })
  await befriend(alice, bob)
  await deliver(alice, bob, "before")
  const old = await keyOf(bob)
  await alice.stop()
  await bob.stop()
  await rotate(bob.remains)
  await rotate(bob.remains)
  // Bob never dials: it can only be found, and only under a key that alice knows.
  const passive = swarm((transport) => ({ ...transport, dial: () => Effect.void }))
  const bob2 = await made.start("bob", { remains: bob.remains, transport: passive })
  await until("bob announces all three keys", async () => (await bob2.describe()).keysAnnounced.length === 3)
  const back = await made.start("alice", { remains: alice.remains, transport: swarm() })
  const queued = await back.command(says.message("bob", "are you there?"))
  const rotated = await back.wait("KeyRotated", () => true, 30_000)
  expect(rotated).toMatchObject({ from: old, to: await keyOf(bob2) })
  await back.wait("Delivered", (event) => queued.ok && event.id === queued.id, 30_000)
  await made.end()
}

/** Bob and a thief who has everything of bob's, each on a key of its own; whoever is first meets alice first. */
const split = async (first: "bob" | "thief", recovery: "with a recovery key" | "without one") => {
  const made = world()
  const alice = await made.start("alice")
  const unborn = await made.start("bob")
  await unborn.stop()
  const recoveryKey = recovery === "without one" ? undefined : await addRecoveryKey(unborn.remains)
  const bob = await made.start("bob", { remains: unborn.remains })
  await befriend(alice, bob)
  await deliver(alice, bob, "before")
  await alice.command(says.grant("bob", "inject"))
  await bob.command(says.grant("alice", "inject"))
  await bob.wait("GrantChanged")
  await alice.wait("GrantChanged")
  await bob.stop()
  const stolen = copyOf(bob.remains)
  await rotate(stolen)
  const start = (who: "bob" | "thief") => made.start("bob", { remains: who === "bob" ? bob.remains : stolen })
  const thiefIsFirst = first === "thief"
  if (!thiefIsFirst) await rotate(bob.remains)
  const one = await start(first)
  await alice.wait("KeyRotated")
  return { made, alice, one, recoveryKey, bob: bob.remains, stolen, start }
}

const codesOf = (actor: Actor): ReadonlyArray<string> =>
  actor.events.flatMap((event) => (event._tag === "Alarm" ? [event.rejection.code] : []))

describe("a fork: two successors of one key", () => {
  it("stops and asks, whoever was first; messages wait, injects stop both ways, also after a restart", async () => {
    const { alice, bob, made, one: thief, start } = await split("thief", "without one")
    await rotate(bob)
    const honest = await start("bob")
    const alarm = await alice.wait("Alarm")
    expect(alarm.rejection.code).toBe("key-fork")
    expect(alarm.rejection.detail).toContain(await keyOf(honest))
    // The one who came second is told that there is another, and loses nothing of what it had queued.
    await honest.wait("Alarm", (event) => event.rejection.code === "key-disputed")
    const queued = await alice.command(says.message("bob", "which of you?"))
    expect(queued.ok).toBe(true)
    expect(await alice.command(says.inject("bob", "run"))).toMatchObject({
      ok: false,
      rejection: { code: "key-doubtful" }
    })
    const asked = await thief.command(says.inject("alice", "run this"))
    expect((await thief.wait("Refused", (event) => asked.ok && event.id === asked.id)).rejection.code).toBe(
      "no-capability"
    )
    await alice.stop()
    const back = await made.start("alice", { remains: alice.remains })
    await back.wait("Connected")
    expect(await friendOf(back, "bob")).toMatchObject({ alarm: "key-fork", alarmed: true, waiting: 1 })
    const again = await thief.command(says.inject("alice", "now?"))
    await thief.wait("Refused", (event) => again.ok && event.id === again.id)
    expect(back.events.some((event) => event._tag === "Delivered" || event._tag === "JobStarted")).toBe(false)
    expect(await thief.shown("alice")).not.toContain("which of you?")
    expect(await honest.shown("alice")).not.toContain("which of you?")
  })

  it("a message queued before the alarm stays where it is, and a run of the friend's ends", async () => {
    const made = world()
    const alice = await made.start("alice", { script: () => Effect.never })
    const bob = await made.start("bob")
    await befriend(alice, bob)
    await alice.command(says.grant("bob", "inject"))
    await bob.wait("GrantChanged")
    await bob.stop()
    const stolen = copyOf(bob.remains)
    await rotate(stolen)
    const thief = await made.start("bob", { remains: stolen })
    const running = await thief.command(says.inject("alice", "run for ever", 60_000))
    await alice.wait("JobStarted")
    await rotate(bob.remains)
    await made.start("bob", { remains: bob.remains })
    await alice.wait("Alarm")
    await until("the run was stopped", () => alice.remains.ledger.runs[0]?.ending === "interrupted")
    expect(thief.events.some((event) => event._tag === "Answered" && running.ok && event.id === running.id)).toBe(false)
  })

  it("/confirm keeps the key we hold: what waited goes there, and the other branch is retired for good", async () => {
    const { alice, made, one: honest, start, stolen } = await split("bob", "without one")
    const thief = await start("thief")
    await alice.wait("Alarm", (event) => event.rejection.code === "key-fork")
    const queued = await alice.command(says.message("bob", "for the real bob"))
    await pause(100)
    expect(await honest.shown("alice")).toEqual(["before"])
    expect((await alice.command(says.confirm("bob"))).ok).toBe(true)
    await alice.wait("Delivered", (event) => queued.ok && event.id === queued.id)
    expect(await honest.shown("alice")).toEqual(["before", "for the real bob"])
    expect((await alice.wait("AlarmEnded")).by).toBe("operator")
    expect(await alice.command(says.confirm("bob"))).toMatchObject({
      ok: false,
      rejection: { code: "nothing-to-confirm" }
    })
    // The thief comes back, as it is and with one more step: refused, and no second alarm.
    await thief.stop()
    const lost = keysIn(stolen)
    await rotate(stolen)
    const again = await start("thief")
    await again.wait("Alarm", (event) => event.rejection.code === "key-retired")
    // Nor does a line help it, under the key that lost.
    made.room.say("bob", requestBy(lost, "bob", "alice"))
    await alice.wait("LineRefused", (event) => event.rejection.code === "key-retired")
    expect(codesOf(alice)).toEqual(["key-fork"])
    const reply = await honest.command(says.inject("alice", "inject is back"))
    await honest.wait("Answered", (event) => reply.ok && event.id === reply.id)
    await made.end()
  })

  it("/unfriend ends it", async () => {
    const { alice, one: thief, bob, start } = await split("thief", "without one")
    await rotate(bob)
    await start("bob")
    await alice.wait("Alarm")
    await alice.command(says.message("bob", "never delivered"))
    expect((await alice.command(says.unfriend("bob"))).ok).toBe(true)
    expect((await alice.describe()).friends).toEqual([])
    await thief.wait("FriendshipEnded")
    expect(thief.events.some((event) => event._tag === "Received")).toBe(false)
  })
})

describe("the recovery key", () => {
  it("beats the thief who was first, settles the fork, and the thief's branch never comes back", async () => {
    const { alice, bob, made, one: thief, recoveryKey, start, stolen } = await split("thief", "with a recovery key")
    await rotate(bob)
    const disputed = await start("bob")
    await alice.wait("Alarm", (event) => event.rejection.code === "key-fork")
    const queued = await alice.command(says.message("bob", "who is it?"))
    await disputed.stop()
    const recovered = await rotate(bob, "compromise", recoveryKey)
    expect(recovered.recoverySecret).toBeDefined()
    const honest = await start("bob")
    const rotated = await alice.wait("KeyRotated", (event) => event.byRecoveryKey)
    expect(rotated).toMatchObject({ to: await keyOf(honest), reason: "compromise" })
    expect((await alice.wait("AlarmEnded")).by).toBe("recovery-key")
    await alice.wait("Delivered", (event) => queued.ok && event.id === queued.id)
    expect(await honest.shown("alice")).toContain("who is it?")
    expect(await thief.shown("alice")).not.toContain("who is it?")
    await thief.stop()
    const lost = keysIn(stolen)
    await rotate(stolen, "compromise")
    const again = await start("thief")
    await again.wait("Alarm", (event) => event.rejection.code === "key-retired")
    made.room.say("bob", requestBy(lost, "bob", "alice"))
    await alice.wait("LineRefused", (event) => event.rejection.code === "key-retired")
    expect(codesOf(alice)).toEqual(["key-fork"])
    // The next recovery key is the one that was shown at its first use; the used one is worth nothing.
    await honest.stop()
    await expect(rotate(bob, "compromise", recoveryKey)).rejects.toMatchObject({ code: "recovery-unknown" })
    await rotate(bob, "compromise", recovered.recoverySecret)
    const third = await start("bob")
    await deliver(third, alice, "and on")
  })

  it("without a fork before it: the thief is thrown out at once, with nothing asked", async () => {
    const { alice, bob, one: thief, recoveryKey, start } = await split("thief", "with a recovery key")
    await deliver(thief, alice, "I am bob")
    await rotate(bob, "compromise", recoveryKey)
    const honest = await start("bob")
    await deliver(honest, alice, "no, I am")
    await thief.command(says.message("alice", "no, I"))
    await thief.wait("Alarm", (event) => event.rejection.code === "key-retired")
    expect(codesOf(alice)).toEqual([])
    expect((await friendOf(alice, "bob")).identityKey).toBe(await keyOf(honest))
  })

  it("wins even after the operator has confirmed the wrong one", async () => {
    const { alice, bob, one: thief, recoveryKey, start } = await split("thief", "with a recovery key")
    await rotate(bob)
    const disputed = await start("bob")
    await alice.wait("Alarm")
    await alice.command(says.confirm("bob"))
    await deliver(alice, thief, "so you are bob")
    await disputed.stop()
    await rotate(bob, "compromise", recoveryKey)
    const honest = await start("bob")
    await alice.wait("KeyRotated", (event) => event.byRecoveryKey)
    await deliver(alice, honest, "forgive me")
    expect(thief.events.some((event) => event._tag === "Received" && event.entry.text === "forgive me")).toBe(false)
  })

  it("that a thief brings along with its own rotation settles nothing for it", async () => {
    const [alice, bob, made] = await pair()
    await bob.stop()
    const stolen = copyOf(bob.remains)
    const thievish = await addRecoveryKey(stolen)
    await rotate(stolen)
    const thief = await made.start("bob", { remains: stolen })
    await alice.wait("KeyRotated")
    await rotate(bob.remains)
    await made.start("bob", { remains: bob.remains })
    await alice.wait("Alarm", (event) => event.rejection.code === "key-fork")
    await thief.stop()
    const step = await rotate(stolen, "compromise", thievish)
    await made.start("bob", { remains: stolen })
    await alice.wait("KeyRotated", (event) => event.to === step.link.to && !event.byRecoveryKey)
    expect(await friendOf(alice, "bob")).toMatchObject({ alarm: "key-fork" })
    expect(alice.events.some((event) => event._tag === "AlarmEnded")).toBe(false)
  })

  it("of a thief, told to a friend after the first session, is worth nothing", async () => {
    const [alice, bob, made] = await pair()
    await bob.stop()
    const stolen = copyOf(bob.remains)
    const thievish = await addRecoveryKey(stolen)
    const thief = await made.start("bob", { remains: stolen })
    await deliver(thief, alice, "a commitment of mine")
    await thief.stop()
    await rotate(bob.remains)
    const honest = await made.start("bob", { remains: bob.remains })
    await alice.wait("KeyRotated")
    await rotate(stolen, "compromise", thievish)
    await made.start("bob", { remains: stolen })
    // A second successor without a recovery key that the friend knows of: a fork like any other.
    await alice.wait("Alarm", (event) => event.rejection.code === "key-fork")
    expect((await friendOf(alice, "bob")).identityKey).toBe(await keyOf(honest))
    await honest.stop()
  })

  it("is made once; what is kept of it opens nothing", async () => {
    const made = world()
    const bob = await made.start("bob")
    await bob.stop()
    const secret = await addRecoveryKey(bob.remains)
    await expect(addRecoveryKey(bob.remains)).rejects.toMatchObject({ code: "recovery-exists" })
    const kept = Redacted.value(Option.getOrThrow(bob.remains.safe.document))
    expect(kept).not.toContain(Base64url.encode(Redacted.value(secret)))
    await expect(rotate(bob.remains, "compromise", Redacted.make(new Uint8Array(32)))).rejects.toMatchObject({
      code: "recovery-unknown"
    })
  })
})

/** A request signed by these keys, as its holder would post it. */
const requestBy = (keys: Keys.LocalKeys, from: string, to: string): string => {
  const unsigned = {
    kind: "request" as const,
    to,
    from,
    pubkey: Base64url.encode(keys.identityKey) as Keys.RemoteIdentityKey,
    encryptPub: Base64url.encode(keys.agreementKey) as Keys.RemoteAgreementKey,
    tsMs: Date.now()
  }
  return FriendLine.print({ ...unsigned, signature: FriendLine.sign(crypto, keys, unsigned) })
}

describe("another key under a friend's name that nobody vouches for", () => {
  it("stops messages and inject until the operator confirms, and replaces nothing", async () => {
    const [alice, bob, made] = await pair()
    await alice.command(says.grant("bob", "inject"))
    await bob.wait("GrantChanged")
    await alice.command({ _tag: "AddRule", rule: { unproven: true } })
    const held = await friendOf(alice, "bob")
    const other = Keys.generate(crypto, 0)
    made.room.say("bob", requestBy(other, "bob", "alice"))
    expect((await alice.wait("Alarm")).rejection.code).toBe("key-change")
    const queued = await alice.command(says.message("bob", "is it you?"))
    const asked = await bob.command(says.inject("alice", "run"))
    expect((await bob.wait("Refused", (event) => asked.ok && event.id === asked.id)).rejection.code).toBe(
      "no-capability"
    )
    expect(await alice.command(says.inject("bob", "run"))).toMatchObject({ rejection: { code: "key-doubtful" } })
    // The rule that accepts everybody does not accept this one: the operator has to.
    const { friends, requests } = await alice.describe()
    expect(friends).toHaveLength(1)
    expect(friends[0]).toMatchObject({ identityKey: held.identityKey, alarm: "key-change", waiting: 1 })
    expect(requests).toHaveLength(1)
    expect(await bob.shown("alice")).toEqual(["before"])
    await deliver(bob, alice, "messages still come in")
    expect((await alice.command(says.confirm("bob"))).ok).toBe(true)
    await alice.wait("Delivered", (event) => queued.ok && event.id === queued.id)
    // The request that raised it waits still; posted again, it asks nothing new.
    made.room.say("bob", requestBy(other, "bob", "alice"))
    made.room.say("bill", requestBy(Keys.generate(crypto, 0), "bill", "alice"))
    await alice.wait("FriendshipMade", (event) => event.name === "bill")
    expect(codesOf(alice)).toEqual(["key-change"])
    expect((await alice.describe()).requests).toHaveLength(1)
  })

  it("where the room cannot tell who posted, too; where it can and it was somebody else, nothing happens", async () => {
    const [alice, , made] = await pair()
    made.room.say("mallory", requestBy(Keys.generate(crypto, 0), "bob", "alice"))
    await alice.wait("LineRefused", (event) => event.rejection.code === "author-mismatch")
    expect((await friendOf(alice, "bob")).alarm).toBe(null)
    made.room.say(null, requestBy(Keys.generate(crypto, 0), "bob", "alice"))
    await alice.wait("Alarm", (event) => event.rejection.code === "key-change")
  })

  it("an acceptance with another key completes nothing", async () => {
    const made = world()
    const alice = await made.start("alice")
    const bob = await made.start("bob")
    await alice.command(says.friend("bob"))
    await bob.wait("RequestReceived")
    await bob.command(says.friend("alice"))
    await alice.wait("RequestReceived")
    // Bob's request is accepted, so alice's own is still open when somebody else answers it.
    const posted = made.room.said.find((line) => line.text.startsWith("FRIEND_REQUEST"))!
    await alice.command(says.accept("bob"))
    const keys = Keys.generate(crypto, 0)
    const unsigned = {
      kind: "accept" as const,
      to: "alice",
      from: "bob",
      pubkey: Base64url.encode(keys.identityKey) as Keys.RemoteIdentityKey,
      encryptPub: Base64url.encode(keys.agreementKey) as Keys.RemoteAgreementKey,
      tsMs: Date.now(),
      requestSignature: /sig:([\w-]{86})/.exec(posted.text)![1]!
    }
    made.room.say("bob", FriendLine.print({ ...unsigned, signature: FriendLine.sign(crypto, keys, unsigned) }))
    await alice.wait("Alarm", (event) => event.rejection.code === "key-change")
    const { friends } = await alice.describe()
    expect(friends.map((friend) => friend.identityKey)).toEqual([await keyOf(bob)])
  })

  it("is settled by itself when the friend's history leads to that very key", async () => {
    const [alice, bob, made] = await pair()
    await bob.stop()
    const rotated = await rotate(bob.remains)
    made.room.say("bob", requestBy(rotated.keys, "bob", "alice"))
    await alice.wait("Alarm", (event) => event.rejection.code === "key-change")
    const queued = await alice.command(says.message("bob", "waiting"))
    const back = await made.start("bob", { remains: bob.remains })
    expect((await alice.wait("AlarmEnded")).by).toBe("history")
    await alice.wait("Delivered", (event) => queued.ok && event.id === queued.id)
    const { friends, requests } = await alice.describe()
    expect(friends.map((friend) => friend.identityKey)).toEqual([await keyOf(back)])
    expect(requests).toEqual([])
  })
})

describe("a line that was on its way when the keys were rotated", () => {
  /** Somebody as the disk was when its line of this kind was in the room, and that was not recorded yet. */
  const leftAt = (made: World, actor: Actor, kind: "FRIEND_REQUEST" | "FRIEND_ACCEPT") => {
    const left: Array<Remains> = []
    made.room.join((line) => {
      if (line.text.startsWith(kind) && line.author === actor.name && left.length === 0)
        left.push(copyOf(actor.remains))
    })
    return left
  }
  const linesOf = (made: World, kind: string) => made.room.said.filter((line) => line.text.startsWith(kind)).length

  it("is not posted again under the new key: an acceptance stays one acceptance", async () => {
    const made = world()
    const alice = await made.start("alice")
    const bob = await made.start("bob")
    const left = leftAt(made, bob, "FRIEND_ACCEPT")
    await befriend(alice, bob)
    await bob.stop()
    await rotate(left[0]!)
    const back = await made.start("bob", { remains: left[0]! })
    await back.wait("LineNotPosted", ({ kind, rejection }) => kind === "accept" && rejection.code === "line-outdated")
    await deliver(alice, back, "who are you now?")
    expect(alice.events.filter((event) => event._tag === "Alarm")).toEqual([])
    expect(linesOf(made, "FRIEND_ACCEPT")).toBe(1)
    await back.stop()
    const again = await made.start("bob", { remains: left[0]! })
    await deliver(alice, again, "and now?")
    expect(again.events.some((event) => event._tag === "LineNotPosted")).toBe(false)
  })
  it("is not posted again under the new key: a request stays one request", async () => {
    const made = world()
    const alice = await made.start("alice")
    const bob = await made.start("bob")
    const left = leftAt(made, alice, "FRIEND_REQUEST")
    await alice.command(says.friend("bob"))
    await bob.wait("RequestReceived")
    await alice.stop()
    await rotate(left[0]!)
    const back = await made.start("alice", { remains: left[0]! })
    await back.wait("LineNotPosted", ({ kind, rejection }) => kind === "request" && rejection.code === "line-outdated")
    expect(linesOf(made, "FRIEND_REQUEST")).toBe(1)
    expect((await bob.describe()).requests).toHaveLength(1)
  })
})

describe("a rotation onto a key that is somebody else's", () => {
  it("changes nothing: two friends stay two, although both have signed that one follows the other", async () => {
    const made = world()
    const alice = await made.start("alice")
    const bob = await made.start("bob")
    const carol = await made.start("carol")
    for (const friend of [bob, carol]) {
      await befriend(alice, friend)
      await deliver(alice, friend, "before")
    }
    const friendsBefore = (await alice.describe()).friends.map(({ identityKey, name }) => [name, identityKey])
    await carol.stop()
    const [bobs, carols] = [keysIn(bob.remains), keysIn(carol.remains)]
    const step = {
      from: Base64url.encode(bobs.identityKey),
      to: Base64url.encode(carols.identityKey),
      agreement: Base64url.encode(carols.agreementKey),
      swarm: Base64url.encode(Keys.swarmKey(crypto, carols)),
      reason: "scheduled" as const,
      tsMs: Date.now()
    }
    const sign = (keys: Keys.LocalKeys) => Base64url.encode(Statement.sign(crypto, keys, Rotation.statement(step)))
    const history = [{ ...step, oldSignature: sign(bobs), newSignature: sign(carols) }]
    carol.remains.safe.document = Option.some(Keys.toDocument({ ...carols, history }))
    const conspirator = await made.start("carol", { remains: carol.remains })
    await deliver(conspirator, alice, "I am carol, and bob as well")
    await deliver(bob, alice, "I am bob")
    expect((await alice.describe()).friends.map(({ identityKey, name }) => [name, identityKey])).toEqual(friendsBefore)
    expect(await alice.shown("bob")).toEqual(["I am bob"])
    expect(await alice.shown("carol")).toEqual(["I am carol, and bob as well"])
    expect(alice.events.some((event) => event._tag === "KeyRotated")).toBe(false)
  })
})

/** The keys that a node which is stopped would start with. */
const keysIn = (remains: Remains): Keys.LocalKeys => {
  const keys = Keys.fromDocument(crypto, Option.getOrThrow(remains.safe.document))
  if (keys === undefined) throw new Error("no keys in the vault")
  return keys
}

describe("a crash around a rotation", () => {
  it("before the vault is saved: the old identity stands, and nobody has heard of another", async () => {
    const [alice, bob, made] = await pair()
    const old = await keyOf(bob)
    await bob.stop()
    const full = Layer.succeed(KeyVault, {
      load: Effect.sync(() => bob.remains.safe.document),
      save: () => Effect.fail(new KeyVaultError({ code: "disk-full", message: "the disk is full" }))
    })
    const rotating = Identity.rotate("scheduled").pipe(Effect.provide(Layer.mergeAll(Sodium.layer, full)))
    await expect(Effect.runPromise(rotating)).rejects.toBeInstanceOf(Node.StartError)
    const back = await made.start("bob", { remains: bob.remains })
    expect(await keyOf(back)).toBe(old)
    await deliver(alice, back, "as before")
  })

  it("after it and before the records: the new identity finds the records of the old one", async () => {
    const [alice, bob, made] = await pair()
    await bob.crash()
    await rotate(bob.remains)
    // The first start ends in its first commit, with nothing written.
    bob.remains.disk.failNextCommit("closed")
    await expect(made.start("bob", { remains: bob.remains })).rejects.toMatchObject({ code: "store" })
    expect(ownerOn(bob.remains)).not.toBe(Base64url.encode(keysIn(bob.remains).identityKey))
    bob.remains.disk.crash()
    const back = await made.start("bob", { remains: bob.remains })
    await deliver(alice, back, "there you are")
    expect((await friendOf(alice, "bob")).identityKey).toBe(await keyOf(back))
    expect((await friendOf(back, "alice")).capabilities).toEqual(["message"])
  })

  it("after it and right after the records: the new identity finds its own", async () => {
    const [alice, bob, made] = await pair()
    await bob.crash()
    await rotate(bob.remains)
    bob.remains.disk.crashAtNextCommit("after-write")
    // This start dies in its first commit: it never comes up, and nobody hears of it.
    void made.start("bob", { remains: bob.remains }).catch(() => undefined)
    const now = Base64url.encode(keysIn(bob.remains).identityKey)
    await until("the records are adopted", () => ownerOn(bob.remains) === now)
    const back = await made.start("bob", { remains: bob.remains })
    await deliver(alice, back, "there you are")
    expect((await friendOf(alice, "bob")).identityKey).toBe(now)
  })

  it("records that are newer than the vault are refused: going back to an earlier key is another identity", async () => {
    const [, bob, made] = await pair()
    await bob.stop()
    const backup = copyOf(bob.remains)
    await rotate(bob.remains)
    const bob2 = await made.start("bob", { remains: bob.remains })
    await bob2.stop()
    const mixed = { ...bob.remains, safe: backup.safe }
    await expect(made.start("bob", { remains: mixed })).rejects.toMatchObject({ code: "owner" })
  })

  it("keys in the vault whose history does not hold are refused before anything starts", async () => {
    const [, bob, made] = await pair()
    await bob.stop()
    await rotate(bob.remains)
    const document = JSON.parse(Redacted.value(Option.getOrThrow(bob.remains.safe.document)))
    document.history[0].tsMs += 1
    bob.remains.safe.document = Option.some(Redacted.make(JSON.stringify(document)))
    await expect(made.start("bob", { remains: bob.remains })).rejects.toMatchObject({ code: "keys" })
  })
})

/** Whose records a disk holds. */
const ownerOn = (remains: Remains): string | undefined => {
  const record = remains.disk.records.find(({ collection }) => collection === "owner")
  return record === undefined ? undefined : (JSON.parse(record.value) as string)
}
