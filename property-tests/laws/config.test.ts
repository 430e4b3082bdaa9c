/**
 * Laws of the plugin's configuration: whatever a host holds is read or refused by name, never thrown at anybody.
 * It never looks at a sentence beyond what it must name: the key, the value, what is allowed.
 * Values of a key that may be a misplaced secret are not repeated.
 */
import { readFileSync } from "node:fs"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Config from "../../plugin/Config.ts"

const good: Config.Config = {
  name: "ada",
  dataFolder: "/data/p2p",
  bootstrap: ["dht.example.com:49737", "[::1]:1"],
  owners: { discord: ["me"] },
  notify: { discord: "1" },
  limits: { messagesPerMinute: 5, injectsPerHour: 300 },
  sandbox: "off",
  model: "m",
  modelUrl: "https://example.com/v1",
  modelKeyFile: "/key",
  instructionsFile: "/words",
  warm: 1,
  keepMinutes: 0,
  sandboxRuntime: "runsc",
  budgetTurn: "calls=4",
  budget: "calls=200,tokens=500000,minutes=60",
  budgetAll: "minutes=1",
  toolsMayGrant: true,
  toolsMayReply: true,
  mirror: true,
  room: "/room.txt",
  panel: false,
  uiPort: 0,
  uiOrigins: ["http://127.0.0.1:3000", "https://wopr.example.com"]
}

/** Key → values that are none of what is allowed. */
const bad: Readonly<Record<string, ReadonlyArray<unknown>>> = {
  name: ["a b", "a|b", 7, "x".repeat(65)],
  dataFolder: ["relative", 1, []],
  bootstrap: [[], ["host"], ["host:0"], ["host:65536"], "host:1", ["a b:1"]],
  owners: [["me"], { discord: "me" }, { discord: [""] }, { discord: [7] }, true],
  notify: [{ discord: 7 }, "x"],
  limits: [{ messagesPerMinute: 0 }, { messagesPerMinute: 31 }, { injectsPerHour: 1.5 }, { messagePerMinute: 1 }, 3],
  sandbox: ["of", true, "scripted"],
  model: [7, " "],
  modelUrl: [7],
  modelKeyFile: ["sk-secret", 7],
  instructionsFile: ["x"],
  warm: [5, -1, 1.5, "1"],
  keepMinutes: [61, "5"],
  sandboxRuntime: ["a b", 7],
  budgetTurn: ["calls", 4],
  budget: ["calls=1,calls=2", "hours=1"],
  budgetAll: ["calls=-1"],
  toolsMayGrant: ["true", 1],
  toolsMayReply: ["false", 0],
  mirror: [0],
  room: ["x"],
  panel: ["yes", 1],
  uiPort: [65_536, -1, "7334", 1.5],
  uiOrigins: [["*"], ["null"], ["http://x/"], ["x"], ["http://x:0"], ["file://x"], "http://127.0.0.1:3000"]
}

describe("the configuration", () => {
  it("takes every key with what is allowed, and nothing is lost", () => {
    expect(Config.read(good)).toEqual({ config: good, errors: [], warnings: [] })
  })

  it("names key, value and what is allowed for each wrong value, and refuses them all at once", () => {
    for (const [key, values] of Object.entries(bad)) {
      for (const value of values) {
        const { config, errors } = Config.read({ ...good, [key]: value })
        expect(errors, `${key} = ${JSON.stringify(value)}`).toHaveLength(1)
        expect(errors[0]).toMatch(new RegExp(`^${key} is .+; allowed is .+`))
        if (key !== "modelKeyFile") expect(errors[0]).toContain(JSON.stringify(value))
        expect(Object.keys(config)).not.toContain(key)
      }
    }
    expect(Object.keys(bad).sort()).toEqual(Object.keys(good).sort())
    expect(Config.read({ name: 1, sandbox: 1 }).errors).toHaveLength(2)
  })

  it("does not repeat what may be a secret in the wrong place, nor values of unknown keys", () => {
    const { errors, warnings } = Config.read({ modelKeyFile: "sk-secret", modelKey: "sk-secret" })
    expect([...errors, ...warnings].join()).not.toContain("sk-secret")
  })

  it("warns of unknown keys, and knows those that the manifest's form has", () => {
    for (const uiPort of [0, 7334, 65_535]) {
      expect(Config.read({ uiPort })).toEqual({ config: { uiPort }, errors: [], warnings: [] })
    }
    expect(Config.read({ owner: 1, __proto__: 1 }).warnings).toEqual([expect.stringMatching(/^"owner" is no key/)])
    const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"))
    const fields: ReadonlyArray<{ name: string; required?: boolean }> = manifest.wopr.configSchema.fields
    expect(fields.map(({ name }) => name).sort()).toEqual(Object.keys(good).sort())
    expect(fields.filter(({ required }) => required === true)).toEqual([])
    expect(manifest.wopr.version).toBe(manifest.version)
  })

  it("never throws, whatever it is given", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.anything(), fc.dictionary(fc.constantFrom(...Object.keys(good)), fc.anything())),
        (given) => {
          const { errors, warnings } = Config.read(given)
          for (const sentence of [...errors, ...warnings]) expect(sentence.length).toBeLessThan(2_000)
        }
      )
    )
  })

  it("is found under the installed name, else under p2p; of two the installed name's counts, and that is said", () => {
    const source = (own: unknown, all: unknown) => ({ getConfig: () => own, getMainConfig: () => all })
    expect(Config.find(source({}, { p2p: { name: "ada" } })).config).toEqual({ name: "ada" })
    expect(Config.find(source({ name: "bob" }, {})).config).toEqual({ name: "bob" })
    const both = Config.find(source({ name: "bob" }, { p2p: { name: "ada" } }))
    expect([both.config, both.warnings.length]).toEqual([{ name: "bob" }, 1])
    const broken = () => {
      throw new Error("no")
    }
    expect(Config.find({ getConfig: broken, getMainConfig: broken }).config).toEqual({})
    expect(Config.find({}).config).toEqual({})
  })
})
