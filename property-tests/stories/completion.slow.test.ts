/**
 * What a shell completes: the scripts are run by the shells themselves, as far as this machine has them; bash is everywhere.
 * It never looks at a script's text where it can ask the shell what it makes of it.
 * A command that is in the help and not in the list of commands would be completed by nobody: the two are compared.
 */
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as HelpText from "../../plugin/HelpText.ts"
import { program } from "../../plugin/standalone/Child.ts"
import { finish } from "./stage.ts"

const folder = mkdtempSync(join(tmpdir(), "completion-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const shells = ["bash", "zsh", "fish"] as const
type Shell = (typeof shells)[number]
const file = (shell: Shell): string => join(folder, `wopr-p2p.${shell}`)

beforeAll(async () => {
  for (const shell of shells) writeFileSync(file(shell), (await finish(["completion", shell], {})).stdout)
})

const has = (shell: Shell): boolean => spawnSync(shell, ["-c", "true"]).status === 0

/** What each shell runs to say what it would complete: the words typed so far, the last one unfinished. */
const asks: Readonly<Record<Shell, (words: ReadonlyArray<string>) => ReadonlyArray<string>>> = {
  bash: (words) => {
    const typed = words.map((word) => `'${word}'`).join(" ")
    const run = `COMP_WORDS=(${typed}); COMP_CWORD=${words.length - 1}; _wopr_p2p; printf '%s\\n' "\${COMPREPLY[@]}"`
    return ["--norc", "-c", `source '${file("bash")}'; complete -p wopr-p2p >/dev/null || exit 9; ${run}`]
  },
  zsh: (words) => {
    const typed = words.map((word) => `'${word}'`).join(" ")
    const stand = `compdef() { : }; compadd() { shift; print -l -- "$@" }; _describe() { print -l -- "\${(@P)2%%:*}" }; _files() { print FILES }`
    return ["-f", "-c", `${stand}; source '${file("zsh")}'; words=(${typed}); CURRENT=${words.length}; _wopr_p2p`]
  },
  fish: (words) => ["--no-config", "-c", `source '${file("fish")}'; complete -C '${words.join(" ")}'`]
}

const completed = (shell: Shell, ...words: ReadonlyArray<string>): ReadonlyArray<string> => {
  const { status, stderr, stdout } = spawnSync(shell, [...asks[shell](words)], { encoding: "utf8", cwd: folder })
  expect([status, stderr]).toEqual([0, ""])
  return stdout
    .split("\n")
    .map((line) => line.split("\t")[0]!)
    .filter((line) => line !== "")
}

describe.each(shells)("completion of %s", (shell) => {
  if (!has(shell)) console.warn(`SKIPPED: completion of ${shell}: there is no ${shell} here`)
  it.skipIf(!has(shell))("knows commands, verbs, their words, options and values", () => {
    expect(completed(shell, "wopr-p2p", "")).toEqual(expect.arrayContaining(["run", "completion", "message", "wait"]))
    expect(completed(shell, "wopr-p2p", "run", "--")).toEqual(
      expect.arrayContaining(["--irc-channel", "--config", "--json"])
    )
    expect(completed(shell, "wopr-p2p", "identity", "")).toEqual(expect.arrayContaining(["export", "import"]))
    expect(completed(shell, "wopr-p2p", "friend", "")).toEqual(expect.arrayContaining(["pending", "remove"]))
    expect(completed(shell, "wopr-p2p", "p2p", "")).toEqual(expect.arrayContaining(["peers", "doctor"]))
    expect([...completed(shell, "wopr-p2p", "panel", "--")].sort()).toEqual(["--data", "--help", "--json"])
    expect(completed(shell, "wopr-p2p", "hold", "")).toEqual(expect.arrayContaining(["always", "never"]))
    expect([...completed(shell, "wopr-p2p", "run", "--sandbox", "")].sort()).toEqual(["agent", "off", "scripted"])
    expect(completed(shell, "wopr-p2p", "run", "--name", "")).toEqual([])
    expect(completed(shell, "wopr-p2p", "doctor", "--")).not.toContain("--irc")
    const files = completed(shell, "wopr-p2p", "run", "--config", "wopr")
    if (shell === "zsh") expect(files).toEqual(["FILES"])
    else expect([...files].sort()).toEqual(["wopr-p2p.bash", "wopr-p2p.fish", "wopr-p2p.zsh"])
  })
})

it("bash completes what was begun, and nothing else", () => {
  expect(completed("bash", "wopr-p2p", "ide")).toEqual(["identity"])
  expect(completed("bash", "wopr-p2p", "run", "--irc-p")).toEqual(["--irc-password-file", "--irc-plain"])
  expect(completed("bash", "wopr-p2p", "migrate", "--from", "nowhere")).toEqual([])
})

it("knows every command of the help, and says of each option what it is for", async () => {
  const { stdout: help } = await finish(["help"], {})
  const commands = new Set([...help.matchAll(/^ {2}wopr-p2p ([a-z]+)/gm)].map(([, name]) => name!))
  expect(commands.size).toBeGreaterThan(7)
  expect(completed("bash", "wopr-p2p", "")).toEqual(expect.arrayContaining([...commands]))
  const { stdout } = await finish(["completion", "fish"], {})
  expect(stdout.split("\n").filter((line) => line.endsWith("-d ''"))).toEqual([])
})

it("is refused for another shell, as JSON where that was asked for", async () => {
  expect(await finish(["completion", "tcsh"], {})).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("bash|zsh|fish")
  })
  const asked = await finish(["doctor", "--ofline", "--json"], {})
  expect(asked).toMatchObject({ code: 2, stderr: "" })
  expect(JSON.parse(asked.stdout)).toEqual({
    ok: false,
    code: "usage",
    why: "there is no option --ofline here; did you mean --offline?"
  })
  expect(JSON.parse((await finish(["version", "--json"], {})).stdout)).toEqual({ version: expect.any(String) })
})

describe("help", () => {
  it("keeps to the width it is given, loses no word, and leaves short lines alone", async () => {
    for (const args of [["help"], ["help", "commands"]]) {
      const text = spawnSync(process.execPath, [program(), ...args], { encoding: "utf8" }).stdout
      for (const width of [60, 80, 100]) {
        const fitted = HelpText.fit(text, width)
        expect(fitted.split("\n").filter((line) => line.length > width)).toEqual([])
        expect(fitted.split(/\s+/)).toEqual(text.split(/\s+/))
      }
    }
    expect(HelpText.fit("  --name NAME  short\n\n", 80)).toBe("  --name NAME  short\n\n")
  })

  it("guesses what was meant, and does not guess wildly", () => {
    const words = ["friends", "message", "status", "run"]
    for (const [typed, word] of [
      ["freinds", "friends"],
      ["mesage", "message"],
      ["staus", "status"],
      ["rn", "run"],
      ["xyzzy", undefined],
      ["", undefined]
    ] as const)
      expect(HelpText.nearest(typed, words), typed).toBe(word)
  })
})
