/**
 * An import that is cut off or fails, at each step it can: what is left is no node, or the whole one, and it can be done again.
 * It never goes through files; the store and the vault fail as they are told to, which disks do not.
 * Half an import that starts as a node would be an identity whose friends it does not know.
 */
import { Effect, Layer, Option, Redacted, Result } from "effect"
import { describe, expect, it } from "vitest"
import * as MemoryStore from "../../adapters/memory/RecordStore.ts"
import * as Rotation from "../../core/identity/Rotation.ts"
import { Keys, Node } from "../../core/index.ts"
import type { Luggage } from "../../plugin/standalone/Luggage.ts"
import * as Moving from "../../plugin/standalone/Moving.ts"
import { KeyVault, KeyVaultError } from "../../ports/KeyVault.ts"
import { alice, bob, crypto, noonMs, type Person } from "../arbitraries/state.ts"
import { houseOf, Town } from "../models/Town.ts"

// More than one commit takes.
const records = Array.from({ length: 40 }, (_, index) => ({
  collection: "outbox",
  key: `k${index}`,
  value: `${index} ${"x".repeat(300_000)}`
}))
const luggage: Luggage = { identity: Redacted.make("the identity"), records, packedAtMs: 1 }

/** A new place, and imports into it; each gives the code of its refusal, or "done". */
const place = () => {
  const disk = new MemoryStore.Disk()
  const safe: { document: Option.Option<Redacted.Redacted<string>>; saveFails: boolean } = {
    document: Option.none(),
    saveFails: false
  }
  const vault = Layer.succeed(KeyVault, {
    load: Effect.sync(() => safe.document),
    save: (document) =>
      Effect.suspend(() => {
        if (safe.saveFails)
          return Effect.fail(new KeyVaultError({ code: "disk-full", message: "the test asked for it" }))
        safe.document = Option.some(document)
        return Effect.void
      })
  })
  const ports = () => Layer.merge(MemoryStore.layer(disk), vault)
  const unpack = (one = luggage) =>
    Effect.runPromise(
      Effect.map(Effect.result(Effect.provide(Moving.unpack("the folder", one), ports())), (done) =>
        Result.isSuccess(done) ? "done" : (done.failure as { readonly code: string }).code
      )
    )
  const holds = () => ({ identity: Option.isSome(safe.document), records: disk.records.length })
  return { disk, safe, unpack, holds }
}
const whole = { identity: true, records: records.length }

describe("an import", () => {
  it("that the vault or the store refuses leaves nothing, and done again it is whole", async () => {
    const failures = [
      ({ safe }: ReturnType<typeof place>) => {
        safe.saveFails = true
      },
      ({ disk }: ReturnType<typeof place>) => disk.failNextCommit("disk-full")
    ]
    for (const fail of failures) {
      const one = place()
      fail(one)
      expect(await one.unpack()).toBe("disk-full")
      expect(one.holds()).toEqual({ identity: false, records: 0 })
      one.safe.saveFails = false
      expect(await one.unpack()).toBe("done")
      expect(one.holds()).toEqual(whole)
      expect(await one.unpack()).toBe("identity-exists")
    }
  })
  it("that was cut off between its commits goes on, but not with what is of another node", async () => {
    const one = place()
    const half = { ...luggage, records: records.slice(0, 7) }
    expect(await one.unpack(half)).toBe("done")
    one.safe.document = Option.none()
    const other = { ...luggage, records: records.map((record) => ({ ...record, value: "another" })) }
    for (const foreign of [other, { ...luggage, records: [] }]) {
      expect(await one.unpack(foreign)).toBe("records-exist")
      expect(one.holds()).toEqual({ identity: false, records: 7 })
    }
    expect(await one.unpack()).toBe("done")
    expect(one.holds()).toEqual(whole)
  })
})

describe("what is brought from elsewhere", () => {
  const documentOf = (person: Person) => Keys.toDocument(person.keys)
  const recordsOf = (person: Person) => {
    const town = new Town([person])
    const house = houseOf(town, person)
    town.command(house, { _tag: "Friend", channel: "lobby", to: "carol" })
    return [...house.disk].map(([place, value]) => {
      const [collection = "", key = ""] = place.split("\u0000")
      return { collection, key, value }
    })
  }
  const examined = (document: Redacted.Redacted<string>, stored: Parameters<typeof Node.examine>[2]) => {
    const result = Node.examine(crypto, document, stored)
    return Result.isSuccess(result) ? "starts" : result.failure.code
  }
  const own = recordsOf(alice)
  it("starts a node with the records of its own identity, or with none", () => {
    expect(own.length).toBeGreaterThan(0)
    expect(examined(documentOf(alice), own)).toBe("starts")
    expect(examined(documentOf(alice), [])).toBe("starts")
  })
  it("is refused when the records are another's, name no owner, or cannot be read", () => {
    expect(examined(documentOf(alice), recordsOf(bob))).toBe("owner")
    const unowned = own.filter(({ collection }) => collection !== "owner")
    expect(unowned.length).toBe(own.length - 1)
    expect(examined(documentOf(alice), unowned)).toBe("owner")
    expect(examined(documentOf(alice), [...own, { collection: "friends", key: "x", value: "{" }])).toBe("records")
  })
  it("is refused when the identity cannot be read, or its history does not lead to its key", () => {
    expect(examined(Redacted.make("{}"), own)).toBe("keys")
    const { keys } = Result.getOrThrow(Rotation.rotate(crypto, alice.keys, "scheduled", noonMs))
    expect(examined(Keys.toDocument(keys), own)).toBe("starts")
    expect(examined(Keys.toDocument({ ...bob.keys, history: keys.history }), own)).toBe("keys")
  })
})
