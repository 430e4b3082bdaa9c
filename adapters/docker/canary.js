/**
 * The canary of the sandbox: looks from the inside at what confines it, tries the ways out, and prints what it found.
 * It never judges; `Attestation.ts` does, outside, where nothing in here can reach.
 * With `memory` it takes more memory than it may have, and is expected not to live; with `processes` it starts more than it may,
 * and `apart` leaves that out, for a kernel that may not survive it.
 */
// @ts-check
import { spawnSync } from "node:child_process"
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeFileSync
} from "node:fs"
import { connect } from "node:net"
import { networkInterfaces } from "node:os"

const mebibyte = 1024 * 1024

/** @param {string} path */
const textOf = (path) => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return ""
  }
}

/** A line of `/proc/self/status`, without its name. @param {string} name */
const status = (name) => new RegExp(`^${name}:\\s*(.*)$`, "m").exec(textOf("/proc/self/status"))?.[1] ?? ""

/** Which of some paths can be written to. @param {string[]} paths */
const writable = (paths) =>
  paths.filter((path) => {
    try {
      writeFileSync(path, "canary")
      return true
    } catch {
      return false
    }
  })

/** Which addresses answer, or would. @param {[string, number][]} addresses */
const reached = async (addresses) => {
  const tries = addresses.map(
    ([host, port]) =>
      new Promise((resolve) => {
        const socket = connect({ host, port, timeout: 500 })
        const settle = (/** @type {string[]} */ found) => {
          socket.destroy()
          resolve(found)
        }
        socket.on("connect", () => settle([`${host}:${port}`]))
        // Refused means that somebody was there to refuse.
        socket.on("error", (error) =>
          settle("code" in error && error.code === "ECONNREFUSED" ? [`${host}:${port}`] : [])
        )
        socket.on("timeout", () => settle([`${host}:${port} (silent)`]))
      })
  )
  return (await Promise.all(tries)).flat()
}

const kernelFiles = /^(proc|sysfs|tmpfs|devpts|mqueue|cgroup|cgroup2|devtmpfs)$/
const engineFiles = ["/etc/resolv.conf", "/etc/hostname", "/etc/hosts"]

/** What is mounted besides the kernel's own file systems and the engine's three files, each with its type. */
const mounts = () =>
  textOf("/proc/self/mountinfo")
    .split("\n")
    .filter((line) => line !== "")
    .flatMap((line) => {
      const [before, after = ""] = line.split(" - ")
      const [, , , , place = "", options = ""] = before?.split(" ") ?? []
      const type = after.split(" ")[0] ?? ""
      const isRoot = place === "/" && /(^|,)ro(,|$)/.test(options)
      return isRoot || kernelFiles.test(type) || engineFiles.includes(place) ? [] : [`${place} (${type})`]
    })

/** How much fits into /tmp before it is full. */
const room = () => {
  const file = "/tmp/canary-room"
  try {
    for (let size = 1; size <= 256; size++) writeFileSync(file, Buffer.alloc(mebibyte), { flag: "a" })
  } catch {
    // It is full.
  }
  const { size } = statSync(file, { throwIfNoEntry: false }) ?? { size: 0 }
  if (existsSync(file)) unlinkSync(file)
  return size
}

/** Whether a program can be run that was put into /tmp. */
const executes = () => {
  try {
    // A script of our own interpreter: an image may hold no other program that fits.
    writeFileSync("/tmp/canary-script", `#!${process.execPath}\n`, { mode: 0o755 })
    return spawnSync("/tmp/canary-script", { timeout: 10_000 }).error === undefined
  } catch {
    return false
  }
}

const hasShell = existsSync("/bin/sh")

/** How many threads there are of us and of a child that starts as many more; 0 if it may not. @param {number} more */
const threads = (more) => {
  const script =
    'require("node:fs").stat("/", () => console.log(require("node:fs").readdirSync("/proc/self/task").length))'
  const env = { UV_THREADPOOL_SIZE: String(more) }
  const { status: code, stdout } = spawnSync(process.execPath, ["-e", script], {
    env,
    encoding: "utf8",
    timeout: 10_000
  })
  return code === 0 ? Number(stdout) + readdirSync("/proc/self/task").length : 0
}

/** How many processes can be at once: those a shell can start beside us, or, without one, threads, which count the same. */
const processes = () => {
  if (!hasShell) return [400, 90, 80, 70, 60].reduce((found, more) => found || threads(more), 0)
  const script = "i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo $i; sleep 2 & done 2>/dev/null"
  const { stdout } = spawnSync("/bin/sh", ["-c", script], { encoding: "utf8", timeout: 10_000 })
  return Number((stdout ?? "").trimEnd().split("\n").at(-1) ?? 0)
}

/** How many files can be open at once; more than this is not tried. */
const openFiles = () => {
  /** @type {number[]} */
  const open = []
  try {
    while (open.length < 4096) open.push(openSync("/dev/null", "r"))
  } catch {
    // No more.
  }
  for (const one of open) closeSync(one)
  return open.length
}

/** How many processors' time we get, as our control group says; 0 where it sets no limit or cannot be read. */
const processors = () => {
  const [most = "", each = ""] = textOf("/sys/fs/cgroup/cpu.max").trim().split(" ")
  if (Number(most) > 0 && Number(each) > 0) return Number(most) / Number(each)
  const folder = ["cpu", "cpu,cpuacct"].find((name) => existsSync(`/sys/fs/cgroup/${name}/cpu.cfs_quota_us`))
  const [quota, period] = ["quota", "period"].map((what) =>
    Number(textOf(`/sys/fs/cgroup/${folder}/cpu.cfs_${what}_us`))
  )
  return quota !== undefined && period !== undefined && quota > 0 && period > 0 ? quota / period : 0
}

/** @param {boolean} apart */
const look = async (apart) => ({
  uid: process.getuid?.(),
  capabilities: ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(status),
  noNewPrivileges: status("NoNewPrivs"),
  seccomp: status("Seccomp"),
  kernel: textOf("/proc/version").trim(),
  interfaces: Object.keys(networkInterfaces()).filter((name) => name !== "lo"),
  routes: textOf("/proc/net/route").trimEnd().split("\n").slice(1),
  reached: await reached([
    ["192.0.2.1", 80],
    ["169.254.169.254", 80],
    ["2001:db8::1", 80]
  ]),
  writable: writable([
    "/canary",
    "/etc/canary",
    "/usr/canary",
    "/proc/sys/kernel/hostname",
    "/sys/canary",
    "/dev/canary"
  ]),
  sockets: ["/var/run/docker.sock", "/run/docker.sock", "/run/podman/podman.sock"].filter((path) => existsSync(path)),
  mounts: mounts(),
  executes: executes(),
  tmpBytes: room(),
  processes: apart ? 1 : processes(),
  openFiles: openFiles(),
  cpus: processors(),
  shell: hasShell
})

if (process.argv[2] === "memory") {
  const held = []
  for (let index = 0; index < 1024; index++) held.push(Buffer.alloc(mebibyte, index))
  process.stdout.write(`${held.length}\n`)
} else if (process.argv[2] === "processes") process.stdout.write(`${processes()}\n`)
else process.stdout.write(`${JSON.stringify(await look(process.argv[2] === "apart"))}\n`)
