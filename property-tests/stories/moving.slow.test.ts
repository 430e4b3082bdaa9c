/**
 * A node that moves to another machine, as a person does it with the shipped program; and one that runs on both.
 * It drives whole programs over a DHT of its own on loopback; what it knows is what they print and what lies on disk.
 * The passphrase comes from a file for most of it, and from a terminal where what is typed must not be seen.
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import type * as Child from "../../plugin/standalone/Child.ts"
import { begin, end, moveOf, secret, withPassphrase } from "./moving-stage.ts"
import { clearPlaces, type Ended, launchOnTerminal, makePlace, onTerminals, type Place, until } from "./stage.ts"

afterAll(clearPlaces)

const linesOf = async (node: Child.Child, question: string): Promise<string> => {
  const after = node.told.length
  node.type(question)
  const reply = await node.wait(`the reply to ${question}`, (told) => told.event === "reply", 20_000, after)
  return (reply["lines"] as ReadonlyArray<string>).join("\n")
}
/** Sends a text and waits until it has been delivered. */
const deliver = async (from: Child.Child, to: string, text: string): Promise<void> => {
  const after = from.told.length
  from.type(`/message @${to} ${text}`)
  await from.wait(`"${text}" arrives`, (told) => told.event === "delivered", 40_000, after)
}
const befriended = async (place: Place) => {
  const [alice, bob] = await Promise.all([begin(place, "alice"), begin(place, "bob")])
  alice.type("/friend @bob")
  await bob.wait("a request", (told) => told.event === "request-received")
  bob.type("/accept @alice")
  await alice.wait("friends", (told) => told.event === "friendship")
  return { alice, bob }
}
const shownAt = (place: Place, data: string): ReadonlyArray<string> => {
  const folder = join(place.folder, data, "conversations")
  const files = existsSync(folder) ? readdirSync(folder) : []
  return files.flatMap((file) =>
    readFileSync(join(folder, file), "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => (JSON.parse(line) as { readonly text: string }).text)
  )
}
/** The same, once that many are written: what is accepted is written within a moment. */
const shown = async (place: Place, data: string, count: number): Promise<ReadonlyArray<string>> => {
  await until(`${count} texts are written`, () => shownAt(place, data).length >= count)
  return shownAt(place, data)
}

const factsOf = ({ stdout }: Ended): Record<string, unknown> => JSON.parse(stdout) as Record<string, unknown>
describe("moving to another machine", () => {
  it("takes friends, grants and all that waits along; both go on where they were, and two that run are noticed", {
    timeout: 150_000
  }, async () => {
    const place = await makePlace()
    const { alice, bob } = await befriended(place)
    await deliver(alice, "bob", "before")
    alice.type("/grant @bob inject")
    await bob.wait("the grant", (told) => told.event === "grant-changed")
    await end(bob)
    alice.type("/message @bob waits and moves")
    await alice.wait("it waits", (told) => told.event === "reply" && told["line"] === "/message @bob waits and moves")
    await end(alice)
    const passphrase = withPassphrase(place)
    const exported = await moveOf(place, "export")({ data: "alice", passphrase })
    expect(exported).toMatchObject({ code: 0, stderr: "" })
    expect(factsOf(exported)).toMatchObject({ friends: 1 })
    const file = join(place.folder, "moving")
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const seed = JSON.parse(readFileSync(join(place.folder, "alice", "identity.json"), "utf8")).identitySeed as string
    for (const clear of [seed, "waits and moves", secret]) expect(readFileSync(file).includes(clear)).toBe(false)

    const imported = await moveOf(place, "import")({ data: "elsewhere", passphrase })
    expect(imported).toMatchObject({ code: 0, stderr: "" })
    expect(factsOf(imported)["identityKey"]).toBe(factsOf(exported)["identityKey"])
    const modeOf = (...path: ReadonlyArray<string>) => statSync(join(place.folder, "elsewhere", ...path)).mode & 0o777
    expect([modeOf(), modeOf("identity.json")]).toEqual([0o700, 0o600])
    const documentOf = (data: string) => readFileSync(join(place.folder, data, "identity.json"), "utf8")
    expect(documentOf("elsewhere")).toBe(documentOf("alice"))

    const bobAgain = await begin(place, "bob")
    const moved = await begin(place, "alice", "elsewhere")
    await moved.wait("what waited arrives", (told) => told.event === "delivered")
    await deliver(moved, "bob", "from elsewhere")
    await deliver(bobAgain, "alice", "welcome")
    expect(await linesOf(moved, "/friends")).toMatch(/^@bob .* may inject, message|^@bob .* may message, inject/)
    expect(await shown(place, "bob", 3)).toEqual(["before", "waits and moves", "from elsewhere"])
    for (const node of [moved, bobAgain]) {
      expect(node.told.filter(({ event }) => event === "disk-older" || event === "two-machines")).toEqual([])
    }

    // The old folder is started again: it is older, and says so; and then they take turns.
    const old = await begin(place, "alice")
    await deliver(old, "bob", "from the old place")
    await old.wait("it knows that it is older", (told) => told.event === "disk-older" && told["whose"] === "ours")
    await deliver(moved, "bob", "still here")
    await bobAgain.wait("bob sees two", (told) => told.event === "two-machines" && told["whose"] === "theirs")
    await moved.wait("one learns it", (told) => told.event === "two-machines" && told["whose"] === "ours")
    await deliver(old, "bob", "so am I")
    await old.wait("the other learns it", (told) => told.event === "two-machines" && told["whose"] === "ours")
    expect(await linesOf(old, "/status")).toMatch(/ALARM: this identity is on two machines, says @bob, .*; stop one/)
    expect(await linesOf(bobAgain, "/friends")).toContain("ALARM: on two machines")
    const texts = await shown(place, "bob", 7)
    const times = (text: string) => [text, texts.filter((one) => one === text).length]
    for (const text of ["before", "from the old place", "still here", "so am I"]) expect(times(text)).toEqual([text, 1])
    // What had never been sent when the node moved waits in both folders, and each says it: that cannot be told apart.
    expect(times("waits and moves")).toEqual(["waits and moves", 2])
  })

  onTerminals("asks at the terminal, twice for a new passphrase, and shows nothing of it", async () => {
    const place = await makePlace()
    await end(await begin(place, "alice"))
    const run = (verb: string, file: string, data: string) =>
      launchOnTerminal(["identity", verb, join(place.folder, file), "--data", join(place.folder, data)], place.env)
    const answer = async (program: ReturnType<typeof run>, question: RegExp, typed: string) => {
      await program.printed(question)
      program.child.stdin?.write(typed)
    }
    const differing = run("export", "moving", "alice")
    await answer(differing, /at least 12 characters: /, `${secret}\r`)
    await answer(differing, /the same again: /, `${secret}!\r`)
    expect((await differing.ended).code).toBe(1)
    expect(differing.stdout()).toContain("the two differ")
    const exporting = run("export", "moving", "alice")
    await answer(exporting, /at least 12 characters: /, `${secret}\r`)
    await answer(exporting, /the same again: /, `${secret}\r`)
    expect((await exporting.ended).code).toBe(0)
    const cancelled = run("import", "moving", "elsewhere")
    await answer(cancelled, /passphrase: /, "\u0003")
    expect((await cancelled.ended).code).toBe(1)
    expect(existsSync(join(place.folder, "elsewhere"))).toBe(false)
    const importing = run("import", "moving", "elsewhere")
    await answer(importing, /passphrase: /, `${secret}\r`)
    expect((await importing.ended).code).toBe(0)
    for (const program of [differing, exporting, importing]) expect(program.stdout()).not.toContain("horse")
    expect(exporting.stdout()).toMatch(/never both/)
    expect(importing.stdout()).toMatch(/must not run any more/)
  })
})
