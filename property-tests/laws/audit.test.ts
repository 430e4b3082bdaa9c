/**
 * The audit log: whatever is done to its files is found, a crash costs a torn end and no more, and it stays bounded.
 * It writes real files with the shipped writer and damages them as somebody with an editor would.
 * The log is small so that every single bit of it can be tried.
 */
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  unlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Exit, PubSub, Scope } from "effect"
import fc from "fast-check"
import { afterAll, describe, expect, it } from "vitest"
import * as Sodium from "../../adapters/sodium/Crypto.ts"
import { Base64url, Decisions, type Keys, Rejection, State, Step, type Verdict } from "../../core/index.ts"
import * as Audit from "../../plugin/audit/Audit.ts"
import * as AuditFolder from "../../plugin/audit/AuditFolder.ts"
import * as AuditJournal from "../../plugin/audit/AuditJournal.ts"
import type { Said } from "../../plugin/audit/AuditLine.ts"
import * as Bounds from "../../plugin/audit/Bounds.ts"
import * as Strangers from "../../plugin/audit/Strangers.ts"
import * as Verify from "../../plugin/audit/Verify.ts"
import type { CryptoShape } from "../../ports/Crypto.ts"
import { keysOf, sodium } from "../arbitraries/keys.ts"
import {
  alice,
  beginning,
  bob,
  mallory,
  noonMs,
  type Person,
  person,
  signedLine,
  turnAt
} from "../arbitraries/state.ts"
import { befriend, deliver, makeWorld, says } from "../world/World.ts"

const root = mkdtempSync(join(tmpdir(), "wopr-p2p-audit-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const keys = keysOf(20)
const ours = [Base64url.encode(keys.identityKey)]
const atMs = 1_790_000_000_000
const folders = { made: 0 }
const newFolder = (): string => join(root, `${++folders.made}`)
const decision = (peer: number, verdict = "admitted"): Said => ({
  asked: "message Log",
  peer: String(peer).padStart(8, "0"),
  key: Base64url.encode(keysOf(peer).identityKey),
  verdict
})

interface Wanted {
  readonly decisions: number
  readonly bounds?: AuditJournal.Pen["bounds"]
  readonly each?: number
  readonly signer?: Keys.LocalKeys
  readonly unsigned?: number
}

/** A log with so many decisions, ended in order; with `unsigned`, so many more and no end. */
const write = async (folder: string, { bounds, decisions, each = 1, signer = keys, unsigned }: Wanted) => {
  const pen = { crypto: sodium, keys: signer, folder, ...(bounds === undefined ? {} : { bounds }) }
  const journal = await AuditJournal.openJournal(pen, atMs)
  for (let count = 0; count < decisions; count += each) {
    const several = Array.from({ length: Math.min(each, decisions - count) }, (_, index) => count + index)
    await journal.append(several.map((peer) => ({ at: atMs + peer, said: decision(peer) })))
  }
  if (unsigned === undefined) await journal.append([{ at: atMs, said: { note: "ended" } }])
  await journal.sign(atMs)
  for (let count = 0; count < (unsigned ?? 0); count++) await journal.append([{ at: atMs, said: decision(count) }])
  await journal.close()
  return AuditFolder.read(folder)
}

/** The engine, which computes the same signature once: of ten thousand damaged logs nearly all heads are whole. */
const remembering = (): CryptoShape => {
  const known = new Map<string, boolean>()
  const ed25519Verify: CryptoShape["ed25519Verify"] = (key, message, signature) => {
    const asked = Buffer.concat([key, signature, message]).toString("latin1")
    const answer = known.get(asked) ?? sodium.ed25519Verify(key, message, signature)
    known.set(asked, answer)
    return answer
  }
  return { ...sodium, ed25519Verify }
}
const engine = remembering()
const verify = (found: AuditFolder.Found, mine: ReadonlyArray<string> = ours) => Verify.verify(engine, found, mine)
const codesOf = ({ findings }: Verify.Verified) => [...new Set(findings.map(({ code }) => code))]
const flipped = (text: string, bit: number): string => {
  const at = bit >> 3
  return text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ (1 << (bit & 7))) + text.slice(at + 1)
}
const withFile = (found: AuditFolder.Found, index: number, text: string): AuditFolder.Found => ({
  ...found,
  files: found.files.map((file, at) => (at === index ? { ...file, text } : file))
})
const linesIn = (text: string): ReadonlyArray<string> => text.split("\n").slice(0, -1)
const joined = (lines: ReadonlyArray<string>): string => lines.map((line) => `${line}\n`).join("")

describe("law: an audit log is as it was written, or it is found not to be", () => {
  it("every bit of it", async () => {
    const found = await write(newFolder(), { decisions: 1, unsigned: 0 })
    const [file] = found.files
    expect(verify(found)).toMatchObject({ ok: true, first: 1, last: 4, signed: 4, unsigned: 0, heads: 2 })
    for (let bit = 0; bit < file!.text.length * 8; bit++) {
      if (verify(withFile(found, 0, flipped(file!.text, bit))).ok) expect.fail(`bit ${bit} of the file`)
    }
    for (let bit = 0; bit < found.head!.length * 8; bit++) {
      if (verify({ ...found, head: flipped(found.head!, bit) }).ok) expect.fail(`bit ${bit} of the head`)
    }
  })

  it("an unsigned end too, bit by bit; what is not signed is said", async () => {
    const found = await write(newFolder(), { decisions: 0, unsigned: 1 })
    const { text } = found.files[0]!
    expect(verify(found)).toMatchObject({ ok: true, unsigned: 1 })
    const from = text.indexOf(linesIn(text).at(-1)!)
    for (let bit = from * 8; bit < text.length * 8; bit++) {
      if (verify(withFile(found, 0, flipped(text, bit))).ok) expect.fail(`bit ${bit}`)
    }
  })

  it("cut anywhere before the last signed head", async () => {
    const found = await write(newFolder(), { decisions: 3 })
    const { text } = found.files[0]!
    for (let length = 0; length < text.length; length++) {
      if (verify(withFile(found, 0, text.slice(0, length))).ok) expect.fail(`cut after ${length} bytes`)
    }
    expect(codesOf(verify({ ...found, files: [] }))).toContain("end-missing")
    expect(codesOf(verify({ ...found, head: undefined }))).toEqual(["head-missing"])
  })

  it("lines taken out, put in twice, moved, or of another log", async () => {
    const found = await write(newFolder(), { decisions: 6 })
    const other = linesIn((await write(newFolder(), { decisions: 6, signer: keysOf(21) })).files[0]!.text)
    const lines = linesIn(found.files[0]!.text)
    const place = fc.nat(lines.length - 1)
    fc.assert(
      fc.property(place, place, fc.constantFrom("out", "twice", "swapped", "foreign"), (one, two, how) => {
        const changed = [...lines]
        if (how === "out") changed.splice(one, 1)
        if (how === "twice") changed.splice(two, 0, lines[one]!)
        if (how === "swapped") [changed[one], changed[two]] = [lines[two]!, lines[one]!]
        if (how === "foreign") changed[one] = other[one]!
        expect(verify(withFile(found, 0, joined(changed))).ok).toBe(joined(changed) === joined(lines))
      })
    )
  })

  it("a whole chain made anew by whoever has not our key", async () => {
    const forged = await write(newFolder(), { decisions: 4, signer: keysOf(22) })
    expect(verify(forged, []).ok).toBe(true)
    expect(codesOf(verify(forged))).toEqual(["key-unknown"])
  })
})

describe("an audit log over restarts", () => {
  it("goes on over a crash: the torn end is cut, and said", async () => {
    const folder = newFolder()
    const before = await write(folder, { decisions: 2, unsigned: 2 })
    const path = join(folder, before.files[0]!.name)
    appendFileSync(path, linesIn(before.files[0]!.text).at(-1)!.slice(0, 100))
    writeFileSync(join(folder, ".head.json.0123456789ab.new"), "half a he")
    expect(codesOf(verify(AuditFolder.read(folder)))).toEqual(["torn-end"])
    const after = await write(folder, { decisions: 1 })
    expect(verify(after)).toMatchObject({ ok: true, unsigned: 0 })
    expect(after.files[0]!.text).toContain('"note":"cut","count":100}')
    expect(after.files[0]!.text.startsWith(before.files[0]!.text)).toBe(true)
    expect(readdirSync(folder).sort()).toEqual([before.files[0]!.name, "head.json"].sort())
  })

  it("goes on beside damage without hiding it", async () => {
    const folder = newFolder()
    const before = await write(folder, { decisions: 3 })
    const path = join(folder, before.files[0]!.name)
    writeFileSync(path, joined(linesIn(before.files[0]!.text).slice(0, 3)), "latin1")
    const after = await write(folder, { decisions: 1 })
    expect(after.files).toHaveLength(2)
    expect(after.files[1]!.text).toContain('"note":"damaged"')
    expect(codesOf(verify(after))).toEqual(["line-out-of-place"])
  })

  it("goes on under rotated keys, and not back under the old one", async () => {
    const [folder, newer] = [newFolder(), keysOf(23)]
    const both = [...ours, Base64url.encode(newer.identityKey)]
    await write(folder, { decisions: 1 })
    expect(verify(await write(folder, { decisions: 1, signer: newer }), both)).toMatchObject({ ok: true, heads: 4 })
    expect(codesOf(verify(await write(folder, { decisions: 1 }), both))).toContain("key-older")
  })

  it("stays bounded: full files are followed, the oldest goes, and no other can go unseen", async () => {
    const folder = newFolder()
    const found = await write(folder, { decisions: 200, each: 7, bounds: { fileBytesMax: 4_000, filesMax: 3 } })
    expect(found.files).toHaveLength(3)
    expect(verify(found).ok).toBe(true)
    expect(verify(found).first).toBeGreaterThan(100)
    for (const [index, code] of ["beginning-missing", "line-out-of-place", "end-missing"].entries()) {
      expect(codesOf(verify({ ...found, files: found.files.filter((_, at) => at !== index) }))).toContain(code)
    }
    for (const { holds, why } of Bounds.relations) expect(holds, why).toBe(true)
  })
})

describe("an audit log whose full file cannot be followed", () => {
  const bounds = { fileBytesMax: 4_000, filesMax: 3 }
  const line = (peer: number) => [{ at: atMs + peer, said: decision(peer) }]
  /** What the next files would be called has come to be folders. */
  const inTheWay = (folder: string): ReadonlyArray<string> => {
    const last = JSON.parse(linesIn(AuditFolder.read(folder).files.at(-1)!.text).at(-1)!).n
    const paths = Array.from({ length: 100 }, (_, index) => join(folder, AuditFolder.fileName(last + 2 + index)))
    for (const path of paths) mkdirSync(path)
    return paths
  }
  const fill = async (folder: string) => {
    const journal = await AuditJournal.openJournal({ crypto: sodium, keys, folder, bounds }, atMs)
    let peer = 0
    const length = () => AuditFolder.read(folder).files.at(-1)!.text.length
    while (length() < bounds.fileBytesMax) await journal.append(line(peer++))
    return { journal, peer, paths: inTheWay(folder) }
  }

  it("goes on in the full one, says why, and follows it as soon as it can", async () => {
    const folder = newFolder()
    const { journal, paths, peer } = await fill(folder)
    await journal.append(line(peer))
    expect(journal.stuck()).toMatchObject({ code: "EISDIR" })
    for (const path of paths) rmdirSync(path)
    for (const more of [1, 2, 3]) await journal.append(line(peer + more))
    expect(journal.stuck()).toBeUndefined()
    await journal.append([{ at: atMs, said: { note: "ended" } }])
    await journal.sign(atMs)
    await journal.close()
    const found = AuditFolder.read(folder)
    expect(found.files).toHaveLength(2)
    expect(verify(found)).toMatchObject({ ok: true, unsigned: 0, holes: [] })
    const peers = found.files.flatMap(({ text }) => linesIn(text)).flatMap((one) => JSON.parse(one).peer ?? [])
    expect(peers.map(Number)).toEqual(Array.from({ length: peer + 4 }, (_, index) => index))
  })

  it("goes on up to twice its length, so that it stays bounded, and takes lines again afterwards", async () => {
    const folder = newFolder()
    const { journal, paths, peer } = await fill(folder)
    const append = async () => {
      for (let more = 0; more < 100; more++) await journal.append(line(peer + more))
    }
    await expect(append()).rejects.toMatchObject({ code: "EISDIR" })
    for (const path of paths) rmdirSync(path)
    await journal.append(line(0))
    await journal.sign(atMs)
    await journal.close()
    expect(verify(AuditFolder.read(folder)).ok).toBe(true)
  })

  it("is not taken for damaged where the next one was begun and the node killed before it was written", async () => {
    const folder = newFolder()
    const before = await write(folder, { decisions: 3, unsigned: 2 })
    const last = JSON.parse(linesIn(before.files[0]!.text).at(-1)!).n
    writeFileSync(join(folder, AuditFolder.fileName(last + 2)), "")
    const after = await write(folder, { decisions: 3 })
    expect(verify(after)).toMatchObject({ ok: true, holes: [{ note: "unended" }] })
    expect(after.files).toHaveLength(1)
  })
})

describe("what may be missing from an audit log", () => {
  it("is noted by the next start, and shown beside a log that is as it was written", async () => {
    const folder = newFolder()
    expect(verify(await write(folder, { decisions: 2 })).holes).toEqual([])
    expect(verify(await write(folder, { decisions: 2, unsigned: 0 })).holes).toEqual([])
    const after = verify(await write(folder, { decisions: 2 }))
    expect(after).toMatchObject({ ok: true, holes: [{ note: "unended", at: atMs }] })
    expect(verify(await write(folder, { decisions: 2 })).holes).toEqual(after.holes)
  })

  it("is noted where nothing says how far the log went", async () => {
    const folder = newFolder()
    const before = await write(folder, { decisions: 6 })
    writeFileSync(join(folder, before.files[0]!.name), joined(linesIn(before.files[0]!.text).slice(0, 4)), "latin1")
    unlinkSync(join(folder, "head.json"))
    expect(verify(await write(folder, { decisions: 1 })).holes).toMatchObject([
      { note: "damaged" },
      { note: "unended" }
    ])
  })
})

/** Keeps account of nodes in memory as `Layers.start` does. */
const keep = async (node: Parameters<Audit.Account["attend"]>[0]) => {
  const [folder, scope] = [newFolder(), Effect.runSync(Scope.make())]
  const opened = Audit.open(folder, keys).pipe(
    Effect.flatMap((account) => account.attend(node)),
    Effect.provide(Sodium.layer)
  )
  await Effect.runPromise(Scope.provide(opened, scope))
  return { folder: AuditFolder.folderOf(folder), end: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
}

describe("what the gate decides", () => {
  it("is in the log: what, who, yes or the code; no text and no name of anybody", async () => {
    const world = makeWorld()
    const [ada, bob] = [await world.start("ada-the-canary"), await world.start("bob")]
    const log = await keep(bob.node)
    await befriend(ada, bob)
    await deliver(ada, bob, "canary words of a text")
    const asked = await ada.command(says.inject("bob", "canary question"))
    await ada.wait("Refused", ({ id }) => asked.ok && id === asked.id)
    await bob.command(says.grant("ada-the-canary", "inject"))
    const again = await ada.command(says.inject("bob", "canary question"))
    await ada.wait("Answered", ({ id }) => again.ok && id === again.id)
    await world.end()
    await log.end()
    const found = AuditFolder.read(log.folder)
    expect(verify(found)).toMatchObject({ ok: true, unsigned: 0 })
    const said = linesIn(found.files[0]!.text).map((line) => JSON.parse(line))
    const key = (await ada.describe()).identityKey
    const decisions = said.filter((line) => "asked" in line)
    expect(decisions.every((line) => line.key === key && /^[0-9a-f]{8}$/.test(line.peer))).toBe(true)
    const inWords = decisions.map((line) => `${line.asked}: ${line.verdict}`)
    expect(inWords).toContain("line request: admitted")
    expect(inWords).toContain("session: admitted")
    expect(inWords).toContain("message Log: admitted")
    expect(inWords).toContain("message Inject: no-capability")
    expect(inWords.slice(inWords.indexOf("message Inject: admitted"))).toContain("run: admitted")
    expect(found.files[0]!.text).not.toMatch(/canary|words|question/)
    expect([said[0].note, said.at(-2).note]).toEqual(["begun", "ended"])
  })

  it("is counted where it came faster than it could be written, or is the same refusal again", () => {
    const one = { asked: "message Log", peerId: "0".repeat(64), key: ours[0], atMs, code: null }
    const made = (number: number, code: string | null = null) =>
      ({ ...one, number, code }) as unknown as Decisions.Accounted
    expect(Audit.linesOf([made(1), made(5)], 0).map(({ said }) => said)).toMatchObject([
      { verdict: "admitted" },
      { note: "missed", count: 3 },
      { verdict: "admitted" }
    ])
    const refused = [1, 2, 3].map((number) => made(number, "rate-limited"))
    expect(Audit.linesOf([...refused, made(4)], 0).map(({ said }) => said)).toMatchObject([
      { verdict: "rate-limited", times: 3 },
      { verdict: "admitted" }
    ])
  })

  it("is counted once a minute where strangers are refused, however many keys they have", async () => {
    const pubsub = await Effect.runPromise(PubSub.unbounded<Decisions.Accounted>())
    const scope = Effect.runSync(Scope.make())
    const decisions = Scope.provide(PubSub.subscribe(pubsub), scope)
    const log = await keep({ decisions } as unknown as Parameters<Audit.Account["attend"]>[0])
    const one = { asked: "session", code: "not-a-friend", atMs }
    const from = (number: number, peer: number) =>
      ({ ...one, number, peerId: `${peer}`.repeat(64), key: `${peer}`.repeat(43) }) as unknown as Decisions.Accounted
    for (let number = 1; number <= 2_000; number++)
      PubSub.publishUnsafe(pubsub, { ...from(number, number % 2), stranger: true })
    // Two who are friends are refused by turns: each is named each time.
    for (let number = 2_001; number <= 2_010; number++) PubSub.publishUnsafe(pubsub, from(number, number % 2))
    await log.end()
    await Effect.runPromise(Scope.close(scope, Exit.void))
    const said = AuditFolder.read(log.folder).files.flatMap(({ text }) => linesIn(text).map((line) => JSON.parse(line)))
    const lines = said.filter((line) => "asked" in line)
    const counted = lines.filter(({ peer }) => peer === "")
    for (const one of counted) expect(one).toMatchObject({ asked: "session", verdict: "not-a-friend", keys: 2 })
    expect(counted.reduce((sum, { times }) => sum + times, 0)).toBe(2_000)
    expect(counted.length).toBeLessThan(10)
    expect(lines.filter(({ peer }) => peer !== "")).toHaveLength(10)
  })

  it("names a stranger who was alone in its minute", () => {
    const strangers = Strangers.make()
    const one = { asked: "session", code: "not-a-friend", peerId: "0".repeat(64), key: ours[0], stranger: true }
    const made = (number: number, key = ours[0]) =>
      ({ ...one, key, number, atMs: atMs + number }) as unknown as Decisions.Accounted
    expect([1, 2, 3].map((number) => strangers.count(made(number)))).toEqual([true, true, true])
    expect(strangers.take(atMs + 60_000)).toEqual([])
    expect(strangers.take(atMs + 60_001)).toMatchObject([{ at: atMs + 3, said: { key: ours[0], times: 3 } }])
    expect(strangers.waits()).toBe(false)
    for (let number = 1; number <= 5_000; number++) strangers.count(made(number, `${number}`))
    const [line] = strangers.take(atMs, true)
    expect(line!.said).toMatchObject({ peer: "", key: "", times: 5_000, keys: Bounds.strangerKeysMax })
    const { stranger: _, ...known } = made(1)
    expect(strangers.count(known)).toBe(false)
  })

  it("is a stranger's where the key is nobody's that the node knows, and refused", () => {
    const carol = person("carol")
    const line = signedLine(carol, "alice", noonMs - 1_000)
    const inputs = [...beginning, { _tag: "Line", channel: "lobby", author: "carol", line } as const]
    const state = inputs.reduce(
      (current, one, index) => Step.step(current, one, turnAt(noonMs, index))[0],
      State.start(alice.self, State.emptyDurable)
    )
    const noted = (who: Person, verdict: Verdict.Verdict) => {
      const { key, peerId } = who.proof.signer
      return Decisions.note(Decisions.begin(state), { key, peerId }, "session", verdict).state.passing.decided
    }
    const no = { admitted: false, rejection: Rejection.make("not-a-friend") } as const
    for (const one of [mallory, carol]) expect(noted(one, no)).toMatchObject([{ stranger: true }])
    expect(noted(mallory, { admitted: true })[0]).not.toHaveProperty("stranger")
    expect(noted(bob, no)[0]).not.toHaveProperty("stranger")
  })

  it("never keeps the node from running: a folder that cannot be written costs the log alone", async () => {
    const folder = newFolder()
    writeFileSync(folder, "a file is in the way")
    const account = await Effect.runPromise(Effect.scoped(Audit.open(folder, keys)).pipe(Effect.provide(Sodium.layer)))
    expect(typeof account.attend).toBe("function")
    expect(readFileSync(folder, "utf8")).toBe("a file is in the way")
  })
})
