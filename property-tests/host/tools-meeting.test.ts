/**
 * The tools by which agents meet, between real nodes: invites, topics, profiles, names; and new keys in the whole plugin.
 * It never lets a tool do what its owner has not allowed: each is tried without that first.
 * A link is followed from the answer it stands in to everything else that is said, where it must not be.
 */
import { afterEach, describe, expect, it } from "vitest"
import { befriend, makeWorld, until } from "../world/World.ts"
import { ChatRoom } from "./Host.ts"
import { sit } from "./Model.ts"
import { call, listIn, makeStage } from "./Stage.ts"

const cleanups: Array<() => unknown> = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const meet = async (mayGrant = true) => {
  const world = makeWorld()
  cleanups.push(() => world.end())
  const [ada, bob] = [await world.start("ada"), await world.start("bob")]
  const seats = [await sit(ada, mayGrant), await sit(bob, mayGrant)] as const
  for (const seat of seats) cleanups.push(() => seat.end())
  return { world, ada, bob, adas: seats[0].daemon, bobs: seats[1].daemon }
}

const names = async (daemon: Awaited<ReturnType<typeof meet>>["adas"]) =>
  listIn<{ readonly name: string }>(await call(daemon, "p2p_friends"), "friends").map(({ name }) => name)

describe("invites", () => {
  it("are made once for a key, claimed and waited for; the second claim is refused by the same id", async () => {
    const { ada, adas, bob, bobs } = await meet()
    const given = { expireHours: 2, idempotencyKey: "for bob" }
    const made = await call(adas, "p2p_create_invite", given)
    expect(made.data).toMatchObject({ gives: ["message"], forPubkey: null, link: expect.stringMatching(/^wop3:/) })
    expect(await call(adas, "p2p_create_invite", given)).toEqual(made)
    expect((await ada.describe()).invites).toHaveLength(1)

    const token = String(made.data?.["link"])
    const claimed = await call(bobs, "p2p_claim_invite", { token })
    expect(claimed.data).toMatchObject({ id: made.data?.["id"], state: "waiting" })
    const id = claimed.data?.["id"]
    expect((await call(bobs, "p2p_wait", { id, timeoutMs: 8_000 })).data).toEqual({ id, state: "friends" })
    await until("ada knows", async () => (await names(adas)).includes("bob"))
    expect(await names(bobs)).toEqual(["ada"])
    const listed = await call(adas, "p2p_list_grants", { includeRevoked: true })
    expect(listed.data?.["invites"]).toMatchObject([{ id, state: "used", usedBy: ["bob"] }])
    expect((await call(adas, "p2p_list_grants")).data?.["invites"]).toEqual([])

    await ada.command({ _tag: "Unfriend", name: "bob", keyPrefix: "" })
    await bob.wait("FriendshipEnded")
    const again = await call(bobs, "p2p_claim_invite", { token, timeoutMs: 8_000 })
    expect(again).toMatchObject({ ok: false, isError: true, error: { code: "invite-refused", id } })
    // The link is in the one answer to whoever made it, and nowhere else.
    for (const one of [listed, claimed, again, (await ada.describe()).invites, ada.events, bob.events]) {
      expect(JSON.stringify(one)).not.toContain(token.slice(-30))
    }
  })

  it("for a friend's key by name; and none is made or used where the owner has not allowed it", async () => {
    const { ada, adas, bob } = await meet()
    await befriend(ada, bob)
    const made = await call(adas, "p2p_create_invite", { forPubkey: "@bob" })
    expect(made.data?.["forPubkey"]).toBe((await bob.describe()).identityKey)
    const shy = await meet(false)
    const refused = await call(shy.adas, "p2p_create_invite")
    expect(refused.error).toMatchObject({ code: "owner-decides", hint: expect.stringContaining("toolsMayGrant") })
    const token = String(made.data?.["link"])
    const claim = await call(shy.bobs, "p2p_claim_invite", { token })
    expect(claim.error?.code).toBe("owner-decides")
    expect(JSON.stringify(claim)).not.toContain(token)
    expect([(await shy.ada.describe()).invites, (await shy.bob.describe()).errands]).toEqual([[], []])
  })

  it("what is no link is refused with its reason and is not repeated", async () => {
    const { bobs } = await meet()
    for (const [token, code] of [
      ["wop3://secretsecret", "invite-newer"],
      ["wop1://secretsecret", "invite-legacy"],
      ["secretsecret", "invite-malformed"]
    ] as const) {
      const { error } = await call(bobs, "p2p_claim_invite", { token })
      expect(error?.code).toBe(code)
      expect(JSON.stringify(error)).not.toContain("secretsecret")
    }
  })
})

describe("topics", () => {
  it("are joined, looked through and left; a member is asked to connect and its owner decides", async () => {
    const { adas, bob, bobs } = await meet()
    const said = await call(bobs, "p2p_set_profile", { content: '{"description":"plays at night","tags":["chess"]}' })
    expect(said.data).toEqual({ name: "bob", description: "plays at night", tags: ["chess"] })
    expect((await call(bobs, "p2p_get_profile")).data).toEqual(said.data)
    for (const model of [adas, bobs]) {
      expect((await call(model, "p2p_join_topic", { topic: "Chess" })).data).toMatchObject({ topic: "chess" })
    }
    const known = async () => listIn<Record<string, unknown>>(await call(adas, "p2p_discover_peers"), "peers")
    await until("bob is known", async () => (await known()).length === 1)
    expect(await known()).toMatchObject([
      { name: "bob", topic: "chess", description: "plays at night", tags: ["chess"], friend: false }
    ])
    expect((await call(adas, "p2p_list_topics")).data?.["topics"]).toMatchObject([{ topic: "chess", members: 1 }])

    const asked = await call(adas, "p2p_connect_peer", { peerId: "@bob" })
    expect(asked.data).toMatchObject({ name: "bob", state: "waiting" })
    const id = asked.data?.["id"]
    // Asked twice, it is asked once and followed by the same id.
    expect((await call(adas, "p2p_connect_peer", { peerId: String(asked.data?.["peerId"]) })).data?.["id"]).toBe(id)
    await bob.wait("ConnectAsked")
    await bob.command({ _tag: "Accept", name: "ada", keyPrefix: "" })
    expect((await call(adas, "p2p_wait", { id, timeoutMs: 8_000 })).data).toEqual({ id, state: "friends" })
    expect(await known()).toMatchObject([{ name: "bob", friend: true }])
    expect((await call(adas, "p2p_connect_peer", { peerId: "bob" })).error?.code).toBe("already-friends")

    expect((await call(adas, "p2p_leave_topic", { topic: "chess" })).data).toMatchObject({ state: "left" })
    expect((await call(adas, "p2p_discover_peers", { topic: "chess" })).error?.code).toBe("unknown-topic")
    expect((await call(adas, "p2p_leave_topic", { topic: "chess" })).error?.code).toBe("unknown-topic")
  })

  it("nobody is asked where the owner has not allowed it, and the key of a secret topic is not repeated", async () => {
    const { ada, adas, bobs } = await meet(false)
    const secret = "A".repeat(22)
    for (const model of [adas, bobs]) {
      const joined = await call(model, "p2p_join_topic", { topic: `chess#${secret}` })
      expect(joined.data).toMatchObject({ topic: "chess", secret: true })
      expect(JSON.stringify(joined)).not.toContain(secret)
    }
    await until("bob is known", async () => (await ada.describe()).discovered.length === 1)
    const refused = await call(adas, "p2p_connect_peer", { peerId: "bob" })
    expect(refused.error).toMatchObject({ code: "owner-decides", hint: expect.stringContaining("/connect @bob#") })
    expect(JSON.stringify([await call(adas, "p2p_list_topics"), await call(adas, "p2p_discover_peers")])).not.toContain(
      secret
    )
    // What members say of themselves was just shown: a text may have asked for it.
    expect((await call(adas, "p2p_leave_topic", { topic: "chess" })).error?.code).toBe("owner-decides")
  })

  it("a profile that the rules refuse changes nothing", async () => {
    const { adas } = await meet()
    for (const content of ["x".repeat(501), "two\nlines", '{"tags":["Not A Tag"]}', '{"name":"two words"}']) {
      expect((await call(adas, "p2p_set_profile", { content })).error?.code, content).toBe("profile-invalid")
    }
    expect((await call(adas, "p2p_get_profile")).data).toMatchObject({ name: "ada", description: "" })
  })
})

describe("names", () => {
  it("that the owner gives find a friend beside its own, and are nobody else's; its own takes them back", async () => {
    const { ada, adas, bob, world } = await meet()
    const carl = await world.start("carl")
    await befriend(ada, bob)
    await befriend(ada, carl)
    const name = (peerId: string, to: string) => call(adas, "p2p_name_peer", { peerId, name: to })
    expect((await name("bob", "@Robert")).data).toMatchObject({ name: "bob", youCallIt: "Robert" })
    for (const who of ["bob", "@robert", "ROBERT"]) {
      const sent = await call(adas, "p2p_log_message", { peer: who, message: "hi", timeoutMs: 8_000 })
      expect(sent.data).toMatchObject({ state: "delivered" })
    }
    expect((await ada.command({ _tag: "Message", name: "robert", keyPrefix: "", text: "hi" })).ok).toBe(true)
    for (const taken of ["bob", "Robert"]) expect((await name("carl", taken)).error?.code).toBe("name-taken")
    for (const bad of ["two words", "a|b", "@", "\u202ebob"]) {
      expect((await name("carl", bad)).error?.code).toBe("name-invalid")
    }
    const [seen] = (await ada.describe()).friends.filter((friend) => friend.name === "bob")
    expect(seen?.called).toBe("Robert")
    // Its conversation keeps the name it had, and a restart keeps the owner's.
    await ada.crash()
    const again = await world.start("ada", { remains: ada.remains })
    expect((await again.describe()).friends.find((friend) => friend.name === "bob")).toMatchObject({
      called: "Robert",
      conversation: seen?.conversation
    })
    await again.command({ _tag: "Name", name: "robert", keyPrefix: "", called: "BOB" })
    expect((await again.describe()).friends.find((friend) => friend.name === "bob")).not.toHaveProperty("called")
  })
})

describe("keys", () => {
  it("are rotated in the running plugin, which starts anew on them; friends and tools go on", async () => {
    const stage = await makeStage()
    cleanups.push(() => stage.end())
    const ada = await stage.resident("ada", new ChatRoom("lobby"))
    const isUp = async () => (await call(ada.daemon, "p2p_status")).data?.["state"] === "on"
    await until("ada is up", isUp, 20_000)
    const before = (await call(ada.daemon, "p2p_get_identity")).data?.["identityKey"]
    const given = { reason: "upgrade", idempotencyKey: "once" }
    const rotated = await call(ada.daemon, "p2p_rotate_keys", given)
    expect(rotated.data).toMatchObject({ state: "rotated", oldKey: before, newKey: expect.stringMatching(/^.{43}$/) })
    await until("ada is up again", isUp, 20_000)
    expect((await call(ada.daemon, "p2p_get_identity")).data?.["identityKey"]).toBe(rotated.data?.["newKey"])
    expect(await call(ada.daemon, "p2p_rotate_keys", given)).toEqual(rotated)
    expect(ada.bot.doubled).toEqual([])
  })
})
