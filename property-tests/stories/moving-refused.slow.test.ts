/**
 * Everything that an export or import refuses, as a person meets it: an exit code, a code, a sentence, nothing changed.
 * It drives the shipped program, some thirty times; the laws of what is in the file are elsewhere.
 * Nodes run only to make folders; none talks to another.
 */
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { begin, contentOf, end, moveOf, secret, withPassphrase } from "./moving-stage.ts"
import { clearPlaces, type Ended, finish, makePlace } from "./stage.ts"

afterAll(clearPlaces)

describe("moving to another machine", () => {
  it("refuses by a code and a sentence, with nothing changed", { timeout: 120_000 }, async () => {
    const place = await makePlace()
    const alice = await begin(place, "alice")
    const passphrase = withPassphrase(place)
    const [exporting, importing] = [moveOf(place, "export"), moveOf(place, "import")]
    const folder = (data: string) => join(place.folder, data)
    const watched = ["alice", "other", "nothing", "moving", "half"].map(folder)
    const refused = async (run: Promise<Ended>, code: string, sentence: RegExp) => {
      const { code: exit, stderr, stdout } = await run
      expect([exit, (JSON.parse(stdout) as { readonly code: string }).code]).toEqual([1, code])
      expect(stderr).toMatch(sentence)
      expect(stderr).not.toContain(secret)
    }
    await refused(
      exporting({ data: "alice", passphrase }),
      "locked",
      new RegExp(`process ${alice.pid} on .* stop that one`)
    )
    await refused(importing({ data: "alice", file: "none", passphrase }), "identity-exists", /empty folder with --data/)
    await end(alice)
    expect((await exporting({ data: "alice", passphrase })).code).toBe(0)
    const other = await begin(place, "other")
    await end(other)
    const whole = readFileSync(folder("moving"))
    writeFileSync(folder("half"), whole.subarray(0, whole.length - 5))
    writeFileSync(
      folder("costly"),
      whole.toString("latin1").replace(/"memBytes":\d+/, '"memBytes":9007199254740991'),
      "latin1"
    )
    writeFileSync(folder("newer"), whole.toString("latin1").replace('"version":1', '"version":9'), "latin1")
    mkdirSync(folder("foreign"), { mode: 0o700 })
    writeFileSync(join(folder("foreign"), "journal.log"), readFileSync(join(folder("other"), "journal.log")))
    const before = watched.map((one) =>
      existsSync(one) && statSync(one).isFile() ? readFileSync(one) : contentOf(one)
    )

    await refused(exporting({ data: "nothing", file: "x", passphrase }), "no-identity", /--data/)
    await refused(exporting({ data: "alice", passphrase }), "file-exists", /name another file/)
    const open = withPassphrase(place, `${secret}\n`, 0o644)
    await refused(exporting({ data: "alice", file: "x", passphrase: open }), "file-open-to-others", /chmod 600/)
    const short = withPassphrase(place, "eleven char\n")
    await refused(
      exporting({ data: "alice", file: "x", passphrase: short }),
      "passphrase-short",
      /at least 12 characters/
    )
    await refused(exporting({ data: "alice", file: "x" }), "passphrase-missing", /--passphrase-file FILE/)
    await refused(importing({ data: "other", passphrase }), "identity-exists", /holds an identity/)
    const wrong = { WOPR_P2P_PASSPHRASE: "not the passphrase" }
    await refused(importing({ data: "nothing", env: wrong }), "wrong-passphrase", /try again/)
    await refused(importing({ data: "nothing", file: "half", passphrase }), "damaged", /another copy/)
    await refused(importing({ data: "nothing", file: "costly", passphrase }), "too-costly", /more than/)
    await refused(importing({ data: "nothing", file: "newer", passphrase }), "version-unknown", /upgrade/)
    await refused(importing({ data: "nothing", file: "none", passphrase }), "file-unreadable", /none cannot be read/)
    await refused(importing({ data: "foreign", passphrase }), "records-exist", /records of another node/)
    expect(existsSync(join(folder("foreign"), "identity.json"))).toBe(false)
    expect([existsSync(folder("x")), existsSync(folder("nothing"))]).toEqual([false, false])
    expect(
      watched.map((one) => (existsSync(one) && statSync(one).isFile() ? readFileSync(one) : contentOf(one)))
    ).toEqual(before)
    for (const args of [["export"], ["import", "a", "b"], ["export", "a", "--compromise"], ["show", "more"]]) {
      expect((await finish(["identity", ...args], place.env)).code).toBe(2)
    }
    // And with what was asked for, from the environment, it comes in; also where an import was cut off before its end.
    mkdirSync(folder("nothing"), { mode: 0o700 })
    writeFileSync(join(folder("nothing"), "journal.log"), readFileSync(join(folder("alice"), "journal.log")))
    expect((await importing({ data: "nothing", env: { WOPR_P2P_PASSPHRASE: secret } })).code).toBe(0)
  })
})
