/**
 * A Docker engine of a test's own, with settings that the machine's engine does not have; it is gone with the test.
 * It must never touch the machine's engine, its images, its users or its files: all of it is in one temporary folder.
 * Where it cannot be had (not root, no dockerd) it says why, and the test is skipped by that name.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { chmodSync, createWriteStream, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import Docker from "dockerode"

export interface OwnEngine {
  readonly socketPath: string
  readonly docker: Docker
  readonly end: () => Promise<void>
}

export interface Settings {
  /** More runtimes by name: the program and its arguments. */
  readonly runtimes?: Readonly<Record<string, { readonly path: string; readonly runtimeArgs?: ReadonlyArray<string> }>>
  readonly defaultRuntime?: string
  /** Container users are moved away from the machine's. */
  readonly remapped?: boolean
}

/** Why there can be no engine of one's own with these settings here; undefined where there can. */
export const whyNot = ({ remapped = false }: Settings): string | undefined => {
  if (process.getuid?.() !== 0) return "it needs root"
  const lacking = ["dockerd", "containerd", "runc", "unshare", "mount"].filter(
    (program) => spawnSync("/bin/sh", ["-c", `command -v ${program}`]).status !== 0
  )
  if (lacking.length > 0) return `there is no ${lacking.join(", ")}`
  return remapped && spawnSync("unshare", ["--mount", "--user", "true"]).status !== 0
    ? "there are no user or mount namespaces"
    : undefined
}

const ended = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve()
    child.once("exit", () => resolve())
  })

const answers = async (docker: Docker, child: ChildProcess): Promise<boolean> => {
  for (let tries = 0; tries < 300 && child.exitCode === null; tries++) {
    if (await docker.ping().then(Boolean, () => false)) return true
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return false
}

/** The end of what the engine wrote about itself, for whoever reads why it did not come up. */
const lastWords = (folder: string): string => {
  const file = join(folder, "log")
  return existsSync(file) ? readFileSync(file, "utf8").trimEnd().split("\n").slice(-3).join(" | ") : "it said nothing"
}

/** Starts one, or fails with its last words. */
export const start = async ({ defaultRuntime, remapped = false, runtimes = {} }: Settings): Promise<OwnEngine> => {
  const folder = mkdtempSync(join(tmpdir(), "own-engine-"))
  // Remapped users go through it to what is theirs.
  chmodSync(folder, 0o711)
  const at = (name: string) => join(folder, name)
  writeFileSync(
    at("daemon.json"),
    JSON.stringify({ runtimes, ...(defaultRuntime && { "default-runtime": defaultRuntime }) })
  )
  for (const file of ["subuid", "subgid"]) writeFileSync(at(file), "nobody:200000:65536\nnogroup:200000:65536\n")
  const socketPath = at("engine.sock")
  const flags = [
    ...["--config-file", at("daemon.json"), "--data-root", at("root"), "--exec-root", at("exec")],
    ...["--pidfile", at("pid"), "-H", `unix://${socketPath}`, "--iptables=false", "--ip6tables=false", "--bridge=none"],
    ...(remapped ? ["--userns-remap=nobody:nogroup"] : [])
  ]
  // The machine's own tables of users are hidden from this engine alone, not changed.
  const hide =
    'for name in subuid subgid; do touch /etc/$name; mount --bind "$1/$name" /etc/$name || exit 9; done; shift; exec dockerd "$@"'
  const child = remapped
    ? spawn("unshare", ["--mount", "/bin/sh", "-c", hide, "sh", folder, ...flags], {
        stdio: ["ignore", "pipe", "pipe"]
      })
    : spawn("dockerd", flags, { stdio: ["ignore", "pipe", "pipe"] })
  const log = createWriteStream(at("log"))
  child.stdout?.pipe(log, { end: false })
  child.stderr?.pipe(log, { end: false })
  const docker = new Docker({ socketPath, host: undefined, port: undefined, protocol: "http" })
  const end = async () => {
    child.kill("SIGTERM")
    const late = setTimeout(() => child.kill("SIGKILL"), 15_000)
    await ended(child)
    clearTimeout(late)
    log.close()
    spawnSync("/bin/sh", [
      "-c",
      'grep -F " $1/" /proc/self/mountinfo | cut -d" " -f5 | sort -r | xargs -r umount -l',
      "sh",
      folder
    ])
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
  if (await answers(docker, child)) return { socketPath, docker, end }
  const why = lastWords(folder)
  await end()
  throw new Error(`the engine did not come up: ${why}`)
}
