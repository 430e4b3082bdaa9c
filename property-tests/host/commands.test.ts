/**
 * Every slash command as an owner types it in a channel of the host: good lines, mistakes, nobody of a name, and several.
 * It never reads what a command became but as a person does; the lines that come back are kept as a snapshot.
 * That strangers get silence for every one of them is in `regressions/host.test.ts` (17).
 */
import { Effect } from "effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as Commands from "../../plugin/Commands.ts"
import * as ChatCommands from "../../plugin/host/ChatCommands.ts"
import * as Follow from "../../plugin/host/Follow.ts"
import * as Operator from "../../plugin/host/Operator.ts"
import { type Actor, makeWorld, says, until } from "../world/World.ts"
import { rows } from "./CommandRows.ts"
import { crowd, settled, stub } from "./Crowd.ts"
import { Bot, ChatRoom } from "./Host.ts"

const parse = (line: string) => Commands.parse(line, { channel: "discord:lobby" })
const lines = (kind: "good" | "bad") => Object.values(rows).flatMap((row) => row[kind] ?? [])

/** What an owner reads who types a line, and what the node was told to do. */
const typed = async (line: string) => {
  const { commands, follow, node } = stub(await crowd(), [], false, true)
  const room = new ChatRoom("lobby")
  const bot = new Bot("discord", room, "ada")
  const answer = (one: string, channel: string) => Effect.runPromise(Operator.answer({ follow, node }, one, channel))
  ChatCommands.graft({ owners: { discord: ["me"] }, answer })(bot)
  // A word that chat systems have for themselves is reached behind the umbrella.
  const [, word = "", rest = ""] = /^\/(\S+)([\s\S]*)$/.exec(line) ?? []
  const isDirect = bot.getCommands().some(({ name }) => name === word)
  await room.say("me", isDirect ? line : `/p2p ${word}${rest}`)
  return { commands, said: settled(bot.replies.join("\n")) }
}

describe("slash commands", () => {
  it("each has its row", () => {
    expect(Object.keys(rows).sort()).toEqual(Commands.table.map(({ name }) => name).sort())
    for (const [name, { bad = [], good }] of Object.entries(rows)) {
      for (const line of [...good, ...bad]) expect(line.split(" ")[0]).toBe(`/${name}`)
    }
  })

  it.each(lines("good"))("%s is carried out or answered", async (line) => {
    expect(parse(line).kind).not.toBe("mistake")
    const { commands, said } = await typed(line)
    expect(said).not.toBe("")
    expect({ said, does: commands.map(({ _tag }) => _tag) }).toMatchSnapshot()
    if (parse(line).kind !== "command") expect(commands).toEqual([])
  })

  it.each(lines("bad"))("%s is answered with how it is written, and nothing happens", async (line) => {
    expect(parse(line).kind).toBe("mistake")
    const { commands, said } = await typed(line)
    expect(commands).toEqual([])
    expect(said).toMatchSnapshot()
  })

  it("an unknown word, a slash alone and no slash are mistakes that lead to help", async () => {
    for (const line of ["/frob", "/", "hello", "/FRIENDS", "/friend\u0000 @bob"]) {
      expect(parse(line)).toMatchObject({ kind: "mistake", message: expect.stringContaining("/help") })
    }
    expect((await typed("/p2p frob")).said).toContain("/help")
  })

  it("no secret is made, taken or shown where others read along", async () => {
    for (const line of ["/invite", "/invite inject uses 3", "/claim wop3://secret", "/rotate", "/recovery"]) {
      const { commands, said } = await typed(line)
      expect([commands, said.includes("secret://"), said.includes("terminal")]).toEqual([[], false, true])
    }
    for (const line of ["/topic new-secret chess", `/topic join chess#${"A".repeat(22)}`]) {
      const { commands, said } = await typed(line)
      expect([commands, said.includes("AAAA"), said.includes("terminal")]).toEqual([[], false, true])
    }
  })
})

describe("names in slash commands", () => {
  const world = makeWorld()
  let ada: Actor
  const said = async (line: string) =>
    (await Effect.runPromise(Operator.answer({ node: ada.node, follow: Follow.make() }, line, "room:lobby"))).join("\n")
  beforeAll(async () => {
    ada = await world.start("ada")
    const asks = async (name: string) => {
      const one = await world.start(name)
      const before = (await ada.describe()).requests.length
      await one.command(says.friend("ada"))
      await until(`${name} has asked`, async () => (await ada.describe()).requests.length > before)
      return one
    }
    for (const _ of ["first", "second"]) {
      const bob = await asks("bob")
      await ada.command(says.accept("bob"))
      await bob.wait("FriendshipMade")
    }
    await asks("zoe")
    await asks("zoe")
    for (const _ of ["first", "second"]) await (await world.start("eve")).command(joinsChess)
    await ada.command(joinsChess)
    await until("two are known", async () => (await ada.describe()).discovered.length === 2)
  })
  afterAll(() => world.end())

  const decided = async () => {
    const { errands, friends, queue, requests } = await ada.describe()
    return { errands, friends, queue, requests }
  }
  const of = { friend: "@bob", request: "@zoe", member: "@eve", nobody: "@nobody" } as const
  const about = Object.values(rows).flatMap((row) => (row.about === undefined ? [] : [row.about]))

  it.each(about)(
    "$line: nobody of that name is said to be there, and several are listed to choose from",
    async ({ line, who }) => {
      const before = await decided()
      expect(await said(line.replace("NAME", "@mallory"))).toMatch(/^Nobody (of that name|in your topics)/)
      expect(await said(line.replace("NAME", of[who]))).toMatch(/^Several .* as @name#key. \(@\S+, @\S+\)$/)
      expect(await decided()).toEqual(before)
    }
  )

  it("/accept alone takes the only request, and none of several", async () => {
    expect(await said("/accept")).toMatch(/^Several/)
    const [first] = (await ada.describe()).requests
    await said(`/deny @zoe#${first?.identityKey.slice(0, 8)}`)
    expect(await said("/accept")).toContain("accepted the only request")
    await until("it is a friend", async () => (await ada.describe()).friends.some(({ name }) => name === "zoe"))
    expect(await said("/accept")).toMatch(/^Nobody of that name/)
  })
})

const joinsChess = { _tag: "JoinTopic", topic: { name: "chess", secret: null } } as const
