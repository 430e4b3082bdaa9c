/**
 * Two agents meet in twelve models of chat systems; lines that were spoiled on the way are taken by nobody.
 * A few hundred handshakes each; `npm run chat-systems` plays as many as one wants.
 * That the count can fail is shown by a system that loses every other line, and by a reader that is told a lie.
 */
import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { FriendLine } from "../../core/index.ts"
import { crypto } from "../arbitraries/state.ts"
import * as Chance from "../simulation/Chance.ts"
import { mutated } from "./Mutation.ts"
import { type System, systems } from "./Systems.ts"
import { makePeople, tryHandshakes, tryMutations } from "./Trial.ts"

const people = makePeople(32)
const program = fileURLToPath(new URL("chat-systems.ts", import.meta.url))
const run = (...args: ReadonlyArray<string>) =>
  execFileSync(process.execPath, [program, ...args], { encoding: "utf8", stdio: "pipe" })

describe("two agents who meet in a chat system", () => {
  it.each(systems.map((system) => [system.name, system] as const))("become friends in %s", (_, system) => {
    const trial = tryHandshakes(system, people, 1, { count: 300 })
    expect(trial).toMatchObject({ wrongPeers: 0, incomplete: [], complete: 300 })
    expect(trial.lines[0]).toBeGreaterThan(200)
  })
  it("do not, and it is counted, where most lines are lost", () => {
    const system: System = {
      ...systems[0]!,
      carry: (text, author, luck) => (luck.happens(0.8) ? [] : [{ text, author, afterMs: 1 }])
    }
    const trial = tryHandshakes(system, people, 1, { count: 50 })
    expect(trial.complete).toBeLessThan(50)
    expect(trial.incomplete.length).toBeGreaterThan(0)
  })
  it("fit into every system with acceptances of the longest names they have there", () => {
    for (const { bytesMax, names } of systems) {
      const longest = Math.max(...names.map((name) => Buffer.byteLength(name)))
      expect(381 - 2 * 16 + 2 * longest).toBeLessThanOrEqual(bytesMax)
    }
  })
})

describe("a spoiled line", () => {
  it("is taken by nobody who waits for the good one", () => {
    expect(tryMutations(people, 1, 3_000)).toEqual([])
  })
  it("says something else than was signed: no reader that undoes what chats do finds it authentic", () => {
    const line = (tsMs: number) => {
      const { keys, self } = people[0]!
      const common = { to: "bob", from: "alice", pubkey: self.identityKey, encryptPub: self.agreementKey, tsMs }
      const signature = FriendLine.sign(crypto, keys, { kind: "request", ...common })
      return FriendLine.print({ kind: "request", ...common, signature })
    }
    const luck = Chance.of("spoiled")
    for (let number = 0; number < 500; number++) expect(mutated(line(1), line(2), luck)).not.toBe(line(1))
  })
})

describe("npm run chat-systems", () => {
  it("says what it found and how to see it again, and ends with one line of JSON", () => {
    const lines = run("--handshakes", "20", "--mutated", "50", "--seed", "7", "--json").trim().split("\n")
    expect(lines[0]).toBe("seed 7; again: npm run chat-systems -- --seed 7 --handshakes 20")
    expect(lines).toHaveLength(systems.length + 3)
    expect(JSON.parse(lines.at(-1)!)).toMatchObject({ seed: 7, mutated: 50, taken: 0 })
  })
  it("refuses what it does not know, with its usage", () => {
    expect(() => run("--system", "pigeons")).toThrow(/pigeons[\s\S]*npm run chat-systems/)
  })
})
