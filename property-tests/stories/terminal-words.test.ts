/**
 * What a person reads in another terminal, as text: of a node that runs, of one that does not, and of what goes wrong.
 * It never checks what is done, only how it is said; the same verbs are tried with whole processes beside this.
 * Keys, ids and paths are another every time, and are written as such.
 */
import { join } from "node:path"
import { afterAll, beforeAll, expect, it } from "vitest"
import * as Cli from "../../plugin/control/Cli.ts"
import * as Child from "../../plugin/standalone/Child.ts"
import { clearPlaces, makePlace } from "./stage.ts"

let folder: string
let node: Child.Child
const args: Array<string> = []

beforeAll(async () => {
  const place = await makePlace()
  folder = join(place.folder, "alice")
  args.push(
    "--name",
    "alice",
    "--data",
    folder,
    "--room",
    place.room,
    "--sandbox",
    "off",
    "--local",
    "--local-port",
    String(place.port)
  )
  node = Child.start(args, place.env)
  await node.wait("the start", (told) => told.event === "started")
}, 60_000)
afterAll(async () => {
  await node.stop("SIGKILL")
  clearPlaces()
})

const verbs: ReadonlyArray<readonly [line: string, options?: Partial<Cli.Options>]> = [
  ["/status"],
  ["/friends"],
  ["/requests"],
  ["/queue"],
  ["/held"],
  ["/auto-accept list"],
  ["/fingerprint @bob"],
  ["/friend @bob"],
  ["/message @nobody hello"],
  ["/message @nobody hello", { waitMs: 1_000 }],
  ["/grant @bob everything"],
  ["/accept"],
  ["/pigeon"],
  ["/rotate"]
]

const shown = async (): Promise<string> => {
  const parts: Array<string> = []
  for (const [line, more = {}] of verbs) {
    const { exit, lines } = await Cli.carryOut(line, { dataFolder: folder, json: false, now: false, ...more })
    parts.push(
      `$ wopr-p2p ${line.slice(1)}${more.waitMs === undefined ? "" : " --wait"}   (${exit})`,
      ...lines.map(({ text, tone }) => `${tone.padEnd(6)} ${text}`)
    )
  }
  return parts
    .join("\n")
    .replaceAll(folder, "FOLDER")
    .replaceAll(/(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])/g, "KEY")
    .replaceAll(/\b[0-9a-f]{8}\b/g, "ID")
}

it("of a node that runs", async () => {
  expect(await shown()).toMatchSnapshot()
}, 30_000)

it("of a node that does not run", async () => {
  await node.stop()
  expect(await shown()).toMatchSnapshot()
}, 30_000)
