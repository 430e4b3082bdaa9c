/**
 * Taking over what the former plugin left: keys kept, friends as strangers one has heard of, originals where they can be found.
 * It never opens the former plugin; its files come from samples made by running it, with keys that were thrown away.
 * Where the samples are not beside the checkout these tests are skipped aloud.
 */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { join } from "node:path"
import { Redacted } from "effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Base64url, State } from "../../core/index.ts"
import * as FormerFiles from "../../plugin/migration/FormerFiles.ts"
import * as Plan from "../../plugin/migration/Plan.ts"
import * as Child from "../../plugin/standalone/Child.ts"
import { sodium } from "../arbitraries/keys.ts"
import { projectRoot } from "../tidy/Tree.ts"
import { clearPlaces, finish, makePlace, type Place } from "./stage.ts"

const samples = ["../shared/vectors", "../../shared/vectors"]
  .map((up) => join(projectRoot, up, "legacy/storage.json"))
  .find(existsSync)
if (samples === undefined) console.warn("SKIPPED: taking over the former plugin's files: there are no samples of them")
const sample = samples === undefined ? undefined : JSON.parse(readFileSync(samples, "utf8"))

let place: Place
beforeAll(async () => {
  place = await makePlace()
})
afterAll(clearPlaces)

/** A folder as the former plugin left it. */
const former = (suffix = ""): string => {
  const folder = mkdtempSync(join(place.folder, "former-"))
  chmodSync(folder, 0o700)
  for (const [name, { text }] of Object.entries<{ text: string }>(sample.legacyFiles)) {
    writeFileSync(join(folder, `${name}${suffix}`), text, { mode: 0o600 })
  }
  return folder
}
const fresh = (): string => join(mkdtempSync(join(place.folder, "fresh-")), "p2p")
const migrate = async (...args: ReadonlyArray<string>) => {
  const ended = await finish(["migrate", ...args, "--json"], place.env)
  const facts: Record<string, unknown> = { exit: ended.code, ...JSON.parse(ended.stdout) }
  return facts
}
const texts = (folder: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    readdirSync(folder)
      .filter((name) => /\.json/.test(name))
      .map((name) => [name, readFileSync(join(folder, name), "utf8")])
  )
const friends = async (folder: string) =>
  JSON.parse((await finish(["friends", "--data", folder, "--json"], place.env)).stdout).friends

/** Starts a node on a folder, types a line if there is one, and ends it. */
const visit = async (folder: string, line?: string): Promise<void> => {
  const node = Child.start(
    ["--name", "x", "--data", folder, "--local", "--local-port", String(place.port), "--sandbox", "off"],
    place.env
  )
  await node.wait("the start", (told) => told.event === "started")
  if (line !== undefined) {
    node.type(line)
    await node.wait("the reply", (told) => told.event === "reply" && told["ok"] === true)
  }
  await node.stop()
}

describe.skipIf(sample === undefined)("the former plugin's files", () => {
  const publicKey = () =>
    Buffer.from(JSON.parse(sample.legacyFiles["identity.json"].text).publicKey, "base64")
      .subarray(12)
      .toString("base64url")

  it("are not started on: nothing of them changes, and the message says what takes them over", async () => {
    const folder = former()
    const before = texts(folder)
    const ended = await finish(["run", "--name", "x", "--data", folder, "--local", "--json"], place.env)
    expect(ended.code).toBe(1)
    expect(ended.stderr).toContain(`wopr-p2p migrate --data '${folder}'`)
    expect(texts(folder)).toEqual(before)
    expect(readdirSync(folder).sort()).toEqual(Object.keys(before).sort())
  })

  it("are taken over in place: keys kept, friends unverified with message alone, originals in a folder of their name", async () => {
    const folder = former()
    const before = texts(folder)
    const dry = await migrate("--data", folder, "--dry-run")
    expect(dry).toMatchObject({ exit: 0, dryRun: true, identityKey: publicKey() })
    expect(texts(folder)).toEqual(before)
    const done = await migrate("--data", folder)
    expect(done).toMatchObject({
      exit: 0,
      isNewIdentity: true,
      identityKey: publicKey(),
      friends: dry["friends"],
      left: dry["left"]
    })
    expect(texts(join(folder, "former-plugin"))).toEqual(before)
    const now = await friends(folder)
    expect(now.map(({ name }: { name: string }) => name)).toEqual(expect.arrayContaining(["bob", "Invited-One"]))
    for (const friend of now) expect(friend).toMatchObject({ capabilities: ["message"], evidence: "unproven" })
    // The revoked peer is none, and what was granted beyond message is listed as left.
    expect(now).toHaveLength(2)
    const left = JSON.stringify(done["left"])
    for (const part of ["bob's inject", "it was revoked", "open requests", "auto-accept patterns"])
      expect(left).toContain(part)
    // No secret of the files is printed.
    const { encryptPriv, privateKey } = JSON.parse(sample.legacyFiles["identity.json"].text)
    for (const secret of [privateKey, encryptPriv]) {
      expect(JSON.stringify(done)).not.toContain(secret)
      expect(JSON.stringify(done)).not.toContain(Buffer.from(secret, "base64").subarray(16).toString("base64url"))
    }
    // A node starts on it, under the same key.
    const shown = await finish(["identity", "show", "--data", folder, "--json"], place.env)
    expect(JSON.parse(shown.stdout)).toMatchObject({ identityKey: publicKey() })
  }, 60_000)

  it("once: a second time changes nothing, and who was unfriended since does not come back", async () => {
    const folder = former()
    await migrate("--data", folder)
    const journal = readFileSync(join(folder, "journal.log"))
    expect(await migrate("--data", folder)).toMatchObject({ exit: 0, isNewIdentity: false, friends: [] })
    expect(readFileSync(join(folder, "journal.log")).equals(journal)).toBe(true)
    await visit(folder, "/unfriend @bob")
    expect(await migrate("--data", folder)).toMatchObject({ exit: 0, friends: [] })
    expect(await friends(folder)).toMatchObject([{ name: "Invited-One" }])
  }, 60_000)

  it("from another folder, which is left untouched; and back again by the originals", async () => {
    const [source, target] = [former(".backup"), fresh()]
    const before = texts(source)
    expect(await migrate("--from", source, "--data", target)).toMatchObject({
      exit: 0,
      from: source,
      identityKey: publicKey()
    })
    expect(texts(source)).toEqual(before)
    expect(await friends(target)).toHaveLength(2)
    const inPlace = former()
    const originals = texts(inPlace)
    await migrate("--data", inPlace)
    for (const [name, text] of Object.entries(texts(join(inPlace, "former-plugin"))))
      writeFileSync(join(inPlace, name), text)
    for (const [name, text] of Object.entries(originals)) expect(readFileSync(join(inPlace, name), "utf8")).toBe(text)
    expect(FormerFiles.isFormer(inPlace)).toBe(true)
  }, 60_000)

  it("after a crash in the middle: until the identity is written, the folder is still the former's, and again finishes it", async () => {
    const folder = former()
    const before = texts(folder)
    // And what one in the middle of keeping the originals leaves: copies of keys that nobody would look for.
    mkdirSync(join(folder, ".former-plugin.000000000000.new"), { mode: 0o700 })
    await migrate("--data", folder)
    expect(readdirSync(folder)).not.toContain(".former-plugin.000000000000.new")
    // What a crash right before the last write leaves: our records and snapshots, the former identity.
    writeFileSync(join(folder, "identity.json"), before["identity.json"]!)
    expect(FormerFiles.isFormer(folder)).toBe(true)
    expect(await migrate("--data", folder)).toMatchObject({ exit: 0, isNewIdentity: true, identityKey: publicKey() })
    expect(texts(join(folder, "former-plugin"))).toEqual(before)
    expect(await friends(folder)).toHaveLength(2)
  }, 60_000)

  it("with the identity out of the host's table, exported as a file that only its owner can read", async () => {
    const folder = former()
    rmSync(join(folder, "identity.json"))
    const target = fresh()
    const missing = await migrate("--from", folder, "--data", target)
    expect(missing).toMatchObject({ exit: 1, code: "identity-missing" })
    expect(String(missing["why"])).toContain("--identity-json")
    const row = join(place.folder, "row.json")
    writeFileSync(row, JSON.stringify(sample.sqlite.rows.p2p_identity), { mode: 0o644 })
    expect(await migrate("--from", folder, "--data", target, "--identity-json", row)).toMatchObject({
      exit: 1,
      code: "file-open-to-others"
    })
    chmodSync(row, 0o600)
    const key = Buffer.from(sample.sqlite.rows.p2p_identity[0].publicKey, "base64").subarray(12).toString("base64url")
    expect(await migrate("--from", folder, "--data", target, "--identity-json", row)).toMatchObject({
      exit: 0,
      identityKey: key
    })
    expect(await friends(target)).toHaveLength(2)
  }, 60_000)

  it("never into a folder of another identity, and nothing where nothing is", async () => {
    const [target, empty] = [fresh(), fresh()]
    mkdirSync(empty, { mode: 0o700 })
    await visit(target)
    const before = texts(target)
    expect(await migrate("--from", former(), "--data", target)).toMatchObject({ exit: 1, code: "identity-exists" })
    expect(texts(target)).toEqual(before)
    expect(await migrate("--from", empty, "--data", target)).toMatchObject({ exit: 1, code: "nothing-found" })
  }, 60_000)
})

describe.skipIf(sample === undefined)("what is planned", () => {
  const read = (change: Partial<FormerFiles.Former>): Plan.Plan | undefined => {
    const folder = former()
    return Plan.make(sodium, { ...FormerFiles.read(folder), ...change }, State.emptyDurable, 1_000)
  }
  const bob = { name: "bob", publicKey: "", encryptPub: "", addedAt: 5, caps: ["*"] }
  it("keeps the samples' keys, and takes no identity whose halves do not belong together", () => {
    const identities = JSON.parse(readFileSync(join(samples!, "../identity.json"), "utf8")).keys
    for (const one of Object.values<Record<string, string>>(identities)) {
      const identity = FormerFiles.identityIn(one)!
      const keys = Plan.keysOf(sodium, identity)!
      expect(Buffer.from(keys.identityKey).toString("hex")).toBe(one["signPubRawHex"])
      expect(Buffer.from(keys.agreementKey).toString("hex")).toBe(one["encPubRawHex"])
      const mixed = Redacted.make({ ...Redacted.value(identity), publicKey: identities.mallory.publicKey })
      expect(Plan.keysOf(sodium, mixed) === undefined).toBe(one["publicKey"] !== identities.mallory.publicKey)
    }
  })
  it("grants message and nothing else, whatever the former grant said", () => {
    const { carol } = JSON.parse(readFileSync(join(samples!, "../identity.json"), "utf8")).keys
    const plan = read({
      friends: [{ ...bob, publicKey: carol.publicKey, encryptPub: carol.encryptPub }],
      grants: [],
      peers: []
    })!
    const grants = plan.changes.filter(({ collection }) => collection === "grants")
    expect(grants.map(({ value }) => value).join("")).toContain("message")
    expect(grants.map(({ value }) => value).join("")).not.toMatch(/inject|\*/)
    expect(JSON.stringify(plan.left)).toContain("bob's *")
  })
  it("leaves friends whose keys are no keys, whose names are no names, and itself", () => {
    const { carol } = JSON.parse(readFileSync(join(samples!, "../identity.json"), "utf8")).keys
    const own = JSON.parse(sample.legacyFiles["identity.json"].text)
    const plan = read({
      friends: [
        { ...bob, publicKey: "AAAA", encryptPub: "AAAA" },
        { ...bob, publicKey: `MCowBQYDK2VwAyEA${Buffer.alloc(32).toString("base64")}`, encryptPub: carol.encryptPub },
        { ...bob, name: "", publicKey: carol.publicKey, encryptPub: carol.encryptPub },
        { ...bob, publicKey: own.publicKey, encryptPub: own.encryptPub }
      ],
      grants: [],
      peers: []
    })!
    expect(plan.friends).toEqual([])
    expect(plan.left.length).toBeGreaterThanOrEqual(3)
    expect(Base64url.encode(plan.keys.identityKey)).toBe(
      Buffer.from(own.publicKey, "base64").subarray(12).toString("base64url")
    )
  })
})
