/**
 * What the crash test says of a run that does not come to its end, so that one in a thousand can be explained from its report.
 * It plays no story: the sides are puppets, and the process that is examined is a bare Node.
 * A hang that blames the wrong wait, or hides that a node ended, costs days; both happened.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, expect, it } from "vitest"
import type { Ending } from "../../plugin/standalone/Child.ts"
import { examine, nodeOptions } from "./Examination.ts"
import { Mishap, type Side } from "./Side.ts"
import { Hung, makeStage } from "./Stage.ts"

const folder = mkdtempSync(join(tmpdir(), "wopr-p2p-hang-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A side that is up and answers each line with what `answers` gives, or not at all. */
const puppet = (name: "alice" | "bob", answers: (line: string) => ReadonlyArray<string> | undefined) => {
  const told: Array<{ readonly event: string }> = []
  let mishap: string | undefined
  const side: Side = {
    name,
    told: () => told,
    toldNow: () => told,
    start: () => {},
    isUp: () => true,
    demandNoMishap: () => {
      if (mishap !== undefined) throw new Mishap(mishap)
    },
    lives: () => 1,
    type: (line) => {
      const lines = answers(line)
      if (lines !== undefined) told.push({ event: "reply", line, lines } as { readonly event: string })
    },
    count: () => {},
    died: () => false,
    whereabouts: async () => "",
    muttered: () => [],
    end: async () => {},
    kill: async () => {}
  }
  return {
    side,
    fall: (how: string) => {
      mishap = how
    }
  }
}

const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error
  )

it("a node that ends by itself ends the wait for its reply, long before the deadline", async () => {
  const [alice, bob] = [puppet("alice", () => undefined), puppet("bob", () => [])]
  const stage = makeStage(alice.side, bob.side, 600_000)
  const waiting = failureOf(stage.ask(alice.side, "/friends"))
  alice.fall("alice ended by itself (exit code 1)")
  expect(await waiting).toEqual(new Mishap("alice ended by itself (exit code 1)"))
})

it("a node that ends by itself ends a wait that only asks the other one", async () => {
  const [alice, bob] = [puppet("alice", () => undefined), puppet("bob", () => ["not yet"])]
  const stage = makeStage(alice.side, bob.side, 600_000)
  const waiting = failureOf(
    stage.until("bob knows", async () => (await stage.ask(bob.side, "/friends")).includes("done"))
  )
  alice.fall("alice ended by itself (SIGSEGV)")
  expect(await waiting).toBeInstanceOf(Mishap)
})

it("a hang names what never came, not only the question that happened to be open at the deadline", async () => {
  const [alice, bob] = [puppet("alice", () => undefined), puppet("bob", () => [])]
  const stage = makeStage(alice.side, bob.side, 50)
  const asks = async () => (await stage.ask(alice.side, "/friends")).length > 0
  expect(await failureOf(stage.until("they are connected", asks))).toEqual(
    new Hung(50, ["they are connected", "alice replies to /friends"])
  )
})

it("a process is said to work, with what its loop waits for, and to have ended, with how", async () => {
  const program =
    "setInterval(() => {}, 1000); console.log('up'); process.stdin.on('end', () => process.exit(7)).resume()"
  const child = spawn(process.execPath, ["-e", program], {
    stdio: ["pipe", "pipe", "ignore"],
    env: { ...process.env, NODE_OPTIONS: nodeOptions(folder, "alice") }
  })
  const over = new Promise<Ending>((resolve) => {
    child.once("close", (code, signal) => resolve({ code, signal }))
  })
  const examined = { pid: child.pid ?? -1, over }
  await once(child.stdout, "data")
  expect(await examine(folder, "alice", examined)).toMatch(/^process \d+: .*its loop has .*1 timer/)
  child.stdin.end()
  await over
  expect(await examine(folder, "alice", examined)).toMatch(/^process \d+: ended by itself with exit code 7$/)
})
