/**
 * What the stories of moving share: nodes that end with their test, and `identity export` and `import` as commands.
 * It never starts a node outside the folders and the network of its place.
 * The passphrase lies in a file, as for a script; who is asked for it at a terminal is another story.
 */
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect, onTestFinished } from "vitest"
import * as Child from "../../plugin/standalone/Child.ts"
import { type Ended, finish, type Place } from "./stage.ts"

const started = (told: Child.Told): boolean => told.event === "started"
/** A node of a place, killed with its test if nobody has ended it. */
export const begin = async (place: Place, name: string, data = name): Promise<Child.Child> => {
  const common = ["--room", place.room, "--sandbox", "off", "--local", "--local-port", String(place.port)]
  const node = Child.start(["--name", name, "--data", join(place.folder, data), ...common], place.env)
  onTestFinished(async () => {
    await node.stop("SIGKILL")
  })
  await node.wait(`${name} is up`, started)
  return node
}
/** Ends a node as Ctrl-C does. */
export const end = async (node: Child.Child): Promise<void> => {
  expect(await node.stop()).toBe(0)
}

export const secret = "correct horse battery"
/** The path of a new file that holds a passphrase. */
export const withPassphrase = (place: Place, text = `${secret}\n`, mode = 0o600): string => {
  const file = join(place.folder, `passphrase-${Math.abs(Buffer.from(text).readInt8(0))}-${mode}-${text.length}`)
  writeFileSync(file, text)
  chmodSync(file, mode)
  return file
}
interface Wanted {
  readonly data: string
  readonly file?: string
  readonly passphrase?: string
  readonly env?: Readonly<Record<string, string>>
}
/** A program that exports or imports in a place, to its end. */
export const moveOf =
  (place: Place, verb: "export" | "import") =>
  ({ data, env = {}, file = "moving", passphrase }: Wanted): Promise<Ended> => {
    const from = passphrase === undefined ? [] : ["--passphrase-file", passphrase]
    const args = ["identity", verb, join(place.folder, file), "--data", join(place.folder, data), ...from, "--json"]
    return finish(args, { ...place.env, WOPR_P2P_PASSPHRASE: "", ...env })
  }
/** Everything in a folder, as names and bytes; nothing for one that is not there. */
export const contentOf = (folder: string): ReadonlyArray<readonly [string, string]> =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => !name.startsWith("lock."))
        .sort()
        .map((name) => [name, statSync(join(folder, name)).isFile() ? readFileSync(join(folder, name), "latin1") : ""])
    : []
