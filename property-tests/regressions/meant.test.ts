/**
 * What was promised of `@name#key` and of facts for programs: whom a question means, and that it is told what it asked.
 * Namesakes are the case: of two friends of one name each can be verified, written to and shown, and none by mistake.
 * Help is held to what a terminal shows without breaking a line.
 */
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { Result } from "effect"
import { describe, expect, it } from "vitest"
import * as Roster from "../../core/friend/Roster.ts"
import { State, Step } from "../../core/index.ts"
import * as Describe from "../../core/node/Describe.ts"
import * as Commands from "../../plugin/Commands.ts"
import * as Asked from "../../plugin/control/Asked.ts"
import * as Carrying from "../../plugin/control/Carrying.ts"
import * as VerbOptions from "../../plugin/control/VerbOptions.ts"
import * as Present from "../../plugin/Present.ts"
import { crypto, noonMs, person, signedLine, turnAt } from "../arbitraries/state.ts"
import { projectRoot } from "../tidy/Tree.ts"

const [alice, one, other, third] = [person("alice"), person("bob"), person("bob"), person("bob")]

/** Two friends called bob, and a third bob who asks. */
const node = () => {
  let state = State.start(alice.self, State.emptyDurable)
  let turns = 0
  const step = (input: Parameters<typeof Step.step>[1]) => {
    const [next, outputs] = Step.step(state, input, turnAt(noonMs + ++turns, turns))
    state = next
    return outputs
  }
  step({ _tag: "Started" })
  for (const [who, channel] of [
    [one, "lobby"],
    [other, "hall"],
    [third, "attic"]
  ] as const) {
    step({ _tag: "Line", channel, author: null, line: signedLine(who, "alice", noonMs) })
    if (who === third) continue
    const keyPrefix = who.self.identityKey
    step({ _tag: "Operator", ref: "r", command: { _tag: "Accept", name: "bob", keyPrefix } })
  }
  return { step, describe: () => Describe.describe(crypto, state, noonMs), roster: () => state.durable.roster }
}
const short = (who: typeof one) => who.self.identityKey.slice(0, 8)
const asked = (line: string) => {
  const parsed = Commands.parse(line, { channel: undefined })
  if (parsed.kind !== "question") throw new Error(`${line} is no question`)
  return parsed
}

describe("@name#key", () => {
  it("means one of several namesakes in every question about a peer, and without the key all of them", () => {
    const described = node().describe()
    for (const question of ["/fingerprint", "/verify"]) {
      const shown = (typed: string) => {
        const { question: what, name } = asked(`${question} @${typed}`)
        return {
          text: Present.answer(described, what, name).join("\n"),
          facts: Asked.factsOf(described, what, name)["peers"] as ReadonlyArray<{ identityKey: string }>
        }
      }
      for (const who of [one, other, third]) {
        const { facts, text } = shown(`BOB#${who.self.identityKey.slice(0, 12)}`)
        expect(facts.map(({ identityKey }) => identityKey)).toEqual([who.self.identityKey])
        for (const peer of [one, other, third]) expect(text.includes(short(peer))).toBe(peer === who)
      }
      expect(shown("bob").facts).toHaveLength(3)
      expect(shown(`bob#${"-".repeat(9)}`).text).toMatch(/^nobody called @bob#---------/)
    }
  })
  it("is what the next step is written as where the name alone would be ambiguous", () => {
    const described = node().describe()
    const lines = Present.answer(described, "verify", `bob#${short(one)}`).join("\n")
    expect(lines).toContain(`/verify @bob#${short(one)} yes`)
    const friends = Present.answer(described, "friends", "")
    expect(friends.map((line) => line.split(" ")[0]).sort()).toEqual(
      [`@bob#${short(one)}`, `@bob#${short(other)}`].sort()
    )
  })
  it("is asked for where several are meant, with those to choose from; and then means that one", () => {
    const ours = node()
    const refused = Roster.findFriend(ours.roster(), "bob", "")
    if (Result.isSuccess(refused)) throw new Error("nobody is meant by a name of two")
    expect(refused.failure.code).toBe("ambiguous-name")
    for (const who of [one, other]) expect(refused.failure.detail).toContain(`@bob#${short(who)}`)
    expect(refused.failure.detail).not.toContain(short(third))
    for (const line of [
      "/message @bob hello",
      "/inject @bob hello",
      "/grant @bob",
      "/revoke @bob",
      "/hold @bob never",
      "/unfriend @bob",
      "/confirm @bob",
      "/verify @bob yes",
      "/verify @bob sas",
      "/verify @bob sas no",
      "/unverify @bob"
    ]) {
      const replyTo = (typed: string) => {
        const parsed = Commands.parse(typed, { channel: undefined })
        if (parsed.kind !== "command") throw new Error(`${typed} is no command`)
        const [reply] = node().step({ _tag: "Operator", ref: "r", command: parsed.command })
        return reply?._tag === "Reply" && !reply.reply.ok ? reply.reply.rejection : undefined
      }
      expect(replyTo(line), line).toEqual(refused.failure)
      expect(replyTo(line.replace("@bob", `@bob#${short(other)}`))?.code, line).not.toBe("ambiguous-name")
    }
  })
  it("lists no more candidates than are read at a glance", () => {
    const found = Array.from({ length: 50 }, () => ({ name: "bob", identityKey: one.self.identityKey }))
    expect(Roster.ambiguous(found).detail.split(", ")).toHaveLength(9)
  })
})

describe("facts for a program", () => {
  it("are of what was asked: no question hands out what another one is about", () => {
    const described = node().describe()
    const about: Readonly<Record<string, ReadonlyArray<string>>> = {
      "/friends": ["friends", "verifiedFor"],
      "/requests": ["asked", "errands", "introductions", "requests"],
      "/invites": ["errands", "invites"],
      "/queue": ["queue", "refusals"],
      "/held": ["held"],
      "/auto-accept list": ["rules"],
      "/require list": ["verifiedFor"],
      "/topic list": ["topics"],
      "/profile": ["profile"],
      "/discovered": ["discovered"],
      "/fingerprint @bob": ["peers"],
      "/verify @bob": ["peers"],
      "/help": []
    }
    for (const [line, parts] of Object.entries(about)) {
      const { name, question } = asked(line)
      const { facts } = Carrying.answered(described, question, name)
      expect(Object.keys(facts).sort(), line).toEqual(["lines", "ok", ...parts].sort())
    }
  })
})

it("no line of help is longer than a hundred columns", () => {
  const program = spawnSync(process.execPath, [join(projectRoot, "plugin/wopr-p2p.js"), "help"], { encoding: "utf8" })
  const texts = [
    program.stdout,
    VerbOptions.help(),
    Commands.help(),
    ...Commands.table.map((row) => VerbOptions.helpOf(row.name))
  ]
  expect(program.stdout).toContain("Exit codes")
  for (const line of texts.join("\n").split("\n")) expect(Array.from(line).length, line).toBeLessThanOrEqual(100)
})
