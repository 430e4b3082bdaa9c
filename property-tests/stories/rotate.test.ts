/**
 * A rotation as a person does it: typed at the prompt of one of two real programs, and on a folder at rest.
 * It drives the shipped program from outside, over a DHT of its own on loopback, and reads what it prints.
 * The node ends and starts again within one process: that, and the new transport key, only a whole program shows.
 */
import { execFile } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { describe, expect, it } from "vitest"
import * as Commands from "../../plugin/Commands.ts"
import * as Child from "../../plugin/standalone/Child.ts"
import { loopback } from "./loopback.ts"

const { bootstrap, folder } = loopback("rotate")

const start = (name: string) =>
  Child.start([
    "--name",
    name,
    "--data",
    join(folder, name),
    "--room",
    join(folder, "room.txt"),
    "--sandbox",
    "off",
    ...bootstrap
  ])

/** Runs `wopr-p2p identity …`; gives what it printed and its exit code. */
const identity = async (...args: ReadonlyArray<string>) => {
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [Child.program(), "identity", ...args])
    return { code: 0, stdout, stderr: "" }
  } catch (error) {
    const { code, stderr, stdout } = error as { code: number; stdout: string; stderr: string }
    return { code, stdout, stderr }
  }
}

const is =
  (event: string, more: Readonly<Record<string, unknown>> = {}) =>
  (told: Child.Told) =>
    told.event === event && Object.entries(more).every(([key, value]) => told[key] === value)

describe("27 · rotation at the prompt", () => {
  it("restarts the node in its process under the new keys; the friend follows; a recovery key is shown once", {
    timeout: 90_000
  }, async () => {
    const [alice, bob] = [start("alice"), start("bob")]
    const began = await bob.wait("bob is up", is("started"))
    await alice.wait("alice is up", is("started"))
    alice.type("/friend @bob")
    await bob.wait("bob is asked", is("request-received"))
    bob.type("/accept @alice")
    await alice.wait("friends", is("friendship"))
    bob.type("/recovery")
    const made = await bob.wait("a recovery key", is("reply", { line: "/recovery" }))
    expect(made["recovery"]).toMatch(/^[A-Za-z0-9_-]{43}$/)
    bob.type(`/rotate compromise ${made["recovery"]}`)
    const rotated = await bob.wait("the rotation", is("reply", { line: "/rotate compromise" }))
    expect(rotated).toMatchObject({ ok: true, from: began["identityKey"], reason: "compromise" })
    expect(rotated["recovery"]).not.toBe(made["recovery"])
    await bob.wait("bob is up again", is("started", { identityKey: rotated["to"], pid: bob.pid }))
    await alice.wait("alice follows", is("key-rotated", { whose: "theirs", to: rotated["to"] }))
    for (const [from, to, text] of [
      [alice, "bob", "hello, whoever you are now"],
      [bob, "alice", "still me"]
    ] as const) {
      from.type(`/message @${to} ${text}`)
      await from.wait(`"${text}" arrives`, is("delivered", { name: to }))
    }
    // The used recovery key is refused, said nowhere, and the node runs on.
    bob.type(`/rotate compromise ${made["recovery"]}`)
    const refused = await bob.wait("the refusal", is("reply", { line: "/rotate compromise", ok: false }))
    expect(refused["code"]).toBe("recovery-unknown")
    bob.type(`/rotate compromise ${made["recovery"]}x`)
    await bob.wait("a typo", is("reply", { line: "/rotate compromise", code: "usage" }))
    const told = JSON.stringify(bob.told)
    expect(told.split(String(made["recovery"]))).toHaveLength(2)
    expect((await identity("rotate", "--data", join(folder, "bob"))).stderr).toMatch(/process \d+/)
    expect(await alice.stop()).toBe(0)
    expect(await bob.stop()).toBe(0)

    const shown = await identity("show", "--json", "--data", join(folder, "bob"))
    expect(JSON.parse(shown.stdout)).toMatchObject({ identityKey: rotated["to"], recovery: true })
    writeFileSync(join(folder, "recovery"), `${rotated["recovery"]}\n`)
    const atRest = await identity(
      "rotate",
      "--compromise",
      "--recovery-file",
      join(folder, "recovery"),
      "--json",
      "--data",
      join(folder, "bob")
    )
    expect(JSON.parse(atRest.stdout)).toMatchObject({ from: rotated["to"], reason: "compromise" })
    expect((await identity("show", "--data", join(folder, "nobody"))).code).toBe(1)
    expect((await identity("forget", "--data", join(folder, "bob"))).code).toBe(2)
  })

  it("what is typed is understood as it is meant, or not at all", () => {
    const parse = (line: string) => Commands.parse(line, { channel: undefined })
    expect(parse("/rotate")).toEqual({ kind: "identity", change: { what: "rotate", reason: "scheduled" } })
    expect(parse("/rotate compromise")).toEqual({
      kind: "identity",
      change: { what: "rotate", reason: "compromise" }
    })
    expect(parse(`/rotate compromise ${"A".repeat(43)}`)).toMatchObject({ kind: "identity" })
    expect(parse("/recovery")).toEqual({ kind: "identity", change: { what: "recovery" } })
    for (const typo of ["/rotate now", "/rotate compromise short", `/rotate ${"A".repeat(43)}`, "/recovery please"]) {
      expect(parse(typo).kind).toBe("mistake")
    }
    expect(parse("/confirm @bob#ab")).toEqual({
      kind: "command",
      command: { _tag: "Confirm", name: "bob", keyPrefix: "ab" }
    })
  })
})
