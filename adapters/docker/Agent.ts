/**
 * The image and the command line of the agent's program in the sandbox.
 * It must never take anything else of this machine along: the running Node, a shell, a few commands, their libraries.
 * An image carries the hash of the program in it as a label, so that a newer program is not run in an older image unseen.
 */
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { defaultCommands, type Engine, type Recipe } from "./Image.ts"
import { user } from "./isolation.ts"

const nodePath = "/usr/bin/node"
const runnerPath = "/runner.js"
const canaryPath = "/canary.js"

/** What a model expects of a shell; commands that this machine lacks are left out. */
const moreCommands = (
  "awk base64 basename chmod cmp comm cp cut date df diff dirname du expand expr factor find fold gzip join ln md5sum mktemp " +
  "mv nl paste printf rmdir seq sha256sum shuf sort split stat tar tee test timeout touch tsort uniq xargs"
).split(" ")

/** The label with the hash of the program that the image holds. */
export const runnerLabel = "wopr-p2p.runner"

/** How a container of that image takes a turn. Node's own memory stays well below the container's. */
export const program: ReadonlyArray<string> = [nodePath, "--max-old-space-size=256", runnerPath]

/** What proves from inside that the confinement holds. */
export const canary: ReadonlyArray<string> = [nodePath, canaryPath]

const textOf = (name: string): string => readFileSync(new URL(`./${name}.js`, import.meta.url), "utf8")

/** The hash of the programs of the image, as the label holds it. */
export const runnerHash = (): string =>
  createHash("sha256").update(textOf("runner")).update("\0").update(textOf("canary")).digest("hex")

/** The texts of the image. */
export const files = () => [
  { path: runnerPath, text: textOf("runner") },
  { path: canaryPath, text: textOf("canary") }
]

/** How to build the same on an image that brings Node and a shell, wherever its Node is. */
export const dockerfile = (base: string): string => `FROM ${base}
USER 0:0
RUN [ -e ${nodePath} ] || ln -s "$(command -v node)" ${nodePath}
COPY ${runnerPath.slice(1)} ${canaryPath.slice(1)} /
LABEL ${runnerLabel}=${runnerHash()}
USER ${user}
ENTRYPOINT ["/bin/sh"]
`

/** What to assemble; the tag names the program's version, so that images of several versions stand side by side. */
export const recipe = (engine: Engine): Recipe => ({
  ...engine,
  tag: `wopr-p2p-agent:${runnerHash().slice(0, 12)}`,
  files: files(),
  commands: [...defaultCommands, ...moreCommands],
  programs: { [nodePath]: process.execPath },
  labels: { [runnerLabel]: runnerHash() }
})
