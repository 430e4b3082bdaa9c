/**
 * What an answer says of the sandbox it came from: facts that fit a message whatever an engine says, and one line for people.
 * It must not lose a fact that was confirmed, nor let one that was not appear.
 * The facts may also be a peer's, so the line must bear anything a message can hold.
 */
import { Result, Schema } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { bounded } from "../../core/node/Confined.ts"
import * as Message from "../../core/wire/Message.ts"
import * as Present from "../../plugin/Present.ts"
import { type Confinement, inWords } from "../../ports/Sandbox.ts"

const full: Confinement = {
  engine: "docker 20.10.24 userns",
  containerId: "c".repeat(64),
  user: "65534:65534",
  network: "none",
  readOnlyRoot: true,
  memoryBytes: 512 * 1024 * 1024,
  pids: 100,
  cpus: 0.5,
  runtime: "runsc",
  capabilitiesDropped: "ALL",
  capabilitiesAdded: "",
  noNewPrivileges: true,
  seccomp: "default",
  swapBytes: 0,
  tmpfsBytes: 16 * 1024 * 1024,
  users: "remapped",
  imageId: `sha256:${"ab".repeat(32)}`,
  provenAtMs: Date.UTC(2026, 0, 2)
}

const decode = Schema.decodeUnknownResult(Message.Confinement)
const wild = fc.oneof(fc.string({ unit: "binary", maxLength: 300 }), fc.constant(`${"x".repeat(99)}\u{1F600}`))
const number = fc.double()
const any: fc.Arbitrary<Confinement> = fc
  .tuple(
    fc.record({ engine: wild, containerId: wild, user: wild, network: wild, readOnlyRoot: fc.boolean() }),
    fc.record({ memoryBytes: number, pids: number, cpus: number }),
    fc.record(
      {
        ...{
          runtime: wild,
          capabilitiesDropped: wild,
          capabilitiesAdded: wild,
          seccomp: wild,
          users: wild,
          imageId: wild
        },
        ...{ noNewPrivileges: fc.boolean(), swapBytes: number, tmpfsBytes: number, provenAtMs: number }
      },
      { requiredKeys: [] }
    )
  )
  .map((parts) => Object.assign({}, ...parts) as Confinement)

describe("the facts of a confinement", () => {
  it("fit a message whatever an engine says, with none added and none lost", () => {
    fc.assert(
      fc.property(any, (told) => {
        const kept = bounded(told)
        expect(Object.keys(kept).sort()).toEqual(Object.keys(told).sort())
        expect(decode(JSON.parse(JSON.stringify(kept)))).toEqual(Result.succeed(kept))
        expect(bounded(kept)).toEqual(kept)
      })
    )
    expect(bounded(full)).toEqual(full)
  })
  it("are read without the newer ones, as an older peer tells them", () => {
    const { containerId, cpus, engine, memoryBytes, network, pids, readOnlyRoot, user } = full
    const old = { containerId, cpus, engine, memoryBytes, network, pids, readOnlyRoot, user }
    expect(decode(old)).toEqual(Result.succeed(old))
    expect(inWords(old)).not.toMatch(/undefined|seccomp|capabilities/)
  })
  it("are one line for a person, whoever says them", () => {
    expect(inWords(full)).toBe(
      "docker 20.10.24 userns/runsc, user 65534:65534 (remapped), network none, read-only root, capabilities without ALL, " +
        "no new privileges, seccomp default, 512 MiB memory, no swap, 16 MiB /tmp, 100 processes, 0.5 processors, " +
        "image abababababab, proven from inside 2026-01-02T00:00:00.000Z"
    )
    const peer = { peerId: "p", name: "bob", id: "1", text: "hi", bytes: 2 }
    fc.assert(
      fc.property(any, (told) => {
        const { text } = Present.event({ _tag: "Answered", ...peer, confinement: bounded(told) } as never)
        expect(text).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u)
      })
    )
  })
})
