/**
 * The confinement of a sandbox as data: what is asked of the engine, and what its answer must show.
 * It must never start, change or repair anything: it compares and names what differs.
 * It exists apart from the adapter because asking for a flag proves nothing; an engine may drop one with a warning only.
 */
import type { ContainerCreateOptions, HostConfig } from "dockerode"
import { Equal } from "effect"

const mebibyte = 1024 * 1024

/** Nobody and nogroup, by number: an image needs no user table, and cannot rename root into it. */
export const user = "65534:65534"

/** What a job may use, at most. Bytes, processes, processor cores, descriptors. */
export const bounds = {
  memoryBytes: 512 * mebibyte,
  tmpBytes: 16 * mebibyte,
  pids: 100,
  cpus: 0.5,
  openFiles: 1024
} as const

/** The part of a container's definition that confines it; every key of it is looked for again in the engine's answer. */
export const hostConfig: HostConfig & { readonly CgroupnsMode: string } = {
  NetworkMode: "none",
  ReadonlyRootfs: true,
  CapDrop: ["ALL"],
  SecurityOpt: ["no-new-privileges"],
  PidsLimit: bounds.pids,
  Memory: bounds.memoryBytes,
  MemorySwap: bounds.memoryBytes,
  NanoCpus: bounds.cpus * 1e9,
  IpcMode: "none",
  CgroupnsMode: "private",
  LogConfig: { Type: "none", Config: {} },
  Tmpfs: { "/tmp": `rw,noexec,nosuid,nodev,size=${bounds.tmpBytes},mode=1777` },
  Ulimits: [
    { Name: "nofile", Soft: bounds.openFiles, Hard: bounds.openFiles },
    { Name: "core", Soft: 0, Hard: 0 }
  ],
  RestartPolicy: { Name: "no", MaximumRetryCount: 0 }
}

/** Ways out of a container: in an engine's answer each has to be absent, empty, zero or false. */
const closed = [
  "AutoRemove",
  "Binds",
  "CapAdd",
  "Cgroup",
  "CgroupParent",
  "ContainerIDFile",
  "CpuPeriod",
  "CpuQuota",
  "CpuRealtimePeriod",
  "CpuRealtimeRuntime",
  "DeviceCgroupRules",
  "DeviceRequests",
  "Devices",
  "ExtraHosts",
  "GroupAdd",
  "Links",
  "Mounts",
  "OomKillDisable",
  "PidMode",
  "PortBindings",
  "Privileged",
  "PublishAllPorts",
  "StorageOpt",
  "Sysctls",
  "UTSMode",
  "UsernsMode",
  "VolumeDriver",
  "VolumesFrom"
] as const

/** Paths of the kernel that an engine hides or makes read-only unless it was told not to. */
const guardedPaths = {
  MaskedPaths: ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
  ReadonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
} as const

/** What one job's container is called, made from and marked with. */
export interface Definition {
  readonly name: string
  readonly image: string
  readonly program: ReadonlyArray<string>
  readonly labels: Readonly<Record<string, string>>
  /** The engine's runtime to run it with; absent: the engine's default. */
  readonly runtime?: string
}

/**
 * The whole request to create a container. The image's own entry point, user and health check never run:
 * what runs is `program`, as nobody, with its input open until we close it.
 */
export const definition = ({ name, image, program, labels, runtime }: Definition): ContainerCreateOptions => ({
  name,
  Image: image,
  Entrypoint: [...program],
  Cmd: [],
  User: user,
  Hostname: "sandbox",
  Labels: { ...labels },
  Tty: false,
  OpenStdin: true,
  StdinOnce: true,
  AttachStdin: true,
  AttachStdout: true,
  AttachStderr: true,
  NetworkDisabled: true,
  Healthcheck: { Test: ["NONE"] },
  HostConfig: runtime === undefined ? hostConfig : { ...hostConfig, Runtime: runtime }
})

type Fields = Readonly<Record<string, unknown>>

const fields = (value: unknown): Fields => (typeof value === "object" && value !== null ? (value as Fields) : {})

const isNothing = (value: unknown): boolean =>
  value === undefined || value === null || value === "" || value === false || value === 0 || isEmpty(value)

const isEmpty = (value: unknown): boolean =>
  typeof value === "object" && value !== null && Object.keys(value).length === 0

/** Engines differ in how they spell this one option back. */
export const spelled = (value: unknown): unknown =>
  value === "no-new-privileges:true" || value === "no-new-privileges=true" ? "no-new-privileges" : value

const shown = (value: unknown): string => JSON.stringify(value) ?? "nothing"

const asAsked = (found: Fields): ReadonlyArray<string> =>
  Object.entries(hostConfig).flatMap(([flag, wanted]) => {
    const value = found[flag]
    const seen = flag === "SecurityOpt" && Array.isArray(value) ? value.map(spelled) : value
    return Equal.equals(seen, wanted) ? [] : [`${flag} is ${shown(value)}, not ${shown(wanted)}`]
  })

const stillClosed = (found: Fields): ReadonlyArray<string> =>
  closed.flatMap((flag) =>
    isNothing(found[flag]) || (found[flag] === "private" && (flag === "PidMode" || flag === "UTSMode"))
      ? []
      : [`${flag} is ${shown(found[flag])}, not empty`]
  )

const stillGuarded = (found: Fields): ReadonlyArray<string> =>
  Object.entries(guardedPaths).flatMap(([flag, paths]) => {
    const seen = found[flag]
    const missing = Array.isArray(seen) ? paths.filter((path) => !seen.includes(path)) : paths
    return missing.length === 0 ? [] : [`${flag} lacks ${missing.join(", ")}`]
  })

const mounted = (mounts: unknown): ReadonlyArray<string> =>
  (Array.isArray(mounts) ? mounts : []).flatMap((mount) =>
    fields(mount)["Type"] === "tmpfs" && fields(mount)["Destination"] === "/tmp"
      ? []
      : [`Mounts holds ${shown(fields(mount)["Destination"])}, of type ${shown(fields(mount)["Type"])}`]
  )

/**
 * What an engine's description of a container (`GET /containers/{id}/json`) shows to be looser than asked;
 * empty means that everything is in force. Takes anything: what it cannot find, it counts as not applied. A runtime is looked
 * for if one was asked for.
 */
export const notApplied = (
  inspected: unknown,
  program: ReadonlyArray<string>,
  runtime?: string
): ReadonlyArray<string> => {
  const found = fields(fields(inspected)["HostConfig"])
  const config = fields(fields(inspected)["Config"])
  const wanted = { User: user, Entrypoint: program, Tty: false, StdinOnce: true }
  return [
    ...asAsked(found),
    ...stillClosed(found),
    ...stillGuarded(found),
    ...(runtime === undefined || found["Runtime"] === runtime
      ? []
      : [`Runtime is ${shown(found["Runtime"])}, not ${shown(runtime)}`]),
    ...mounted(fields(inspected)["Mounts"]),
    ...Object.entries(wanted).flatMap(([flag, value]) =>
      Equal.equals(config[flag], value) ? [] : [`${flag} is ${shown(config[flag])}, not ${shown(value)}`]
    ),
    ...["Cmd", "Volumes"].flatMap((flag) =>
      isNothing(config[flag]) ? [] : [`${flag} is ${shown(config[flag])}, not empty`]
    )
  ]
}

const profiles = /^name=seccomp,profile=(default|builtin)$/

/**
 * What an engine's description of itself (`GET /info`) says it cannot enforce here: a limit its kernel lacks,
 * or a seccomp profile other than its own, or the runtime that is asked for. Empty means that all of it is there.
 */
export const notEnforceable = (info: unknown, runtime?: string): ReadonlyArray<string> => {
  const found = fields(info)
  const limits = ["MemoryLimit", "SwapLimit", "PidsLimit", "CpuCfsQuota"]
  const options = found["SecurityOptions"]
  const seccomp = Array.isArray(options) && options.some((option) => profiles.test(String(option)))
  return [
    ...limits.flatMap((limit) => (found[limit] === true ? [] : [`the engine reports no ${limit}`])),
    ...(seccomp ? [] : ["the engine does not use its default seccomp profile"]),
    ...(runtime === undefined || Object.hasOwn(fields(found["Runtimes"]), runtime)
      ? []
      : [
          `the engine has no runtime ${runtime}; it lists ${Object.keys(fields(found["Runtimes"])).join(", ") || "none"}`
        ]),
    ...(found["OSType"] === "linux" ? [] : ["the engine does not run Linux containers"])
  ]
}

/** The runtime that a container gets of an engine that describes itself so: the one asked for, or the engine's default. */
export const runtimeOf = (info: unknown, asked?: string): string => {
  const fallback = fields(info)["DefaultRuntime"]
  return asked ?? (typeof fallback === "string" ? fallback : "")
}

/** Whether a runtime is gVisor, by its name: a kernel of its own in user space, which shows other marks of confinement. */
export const isGvisor = (runtime: string): boolean => /runsc|gvisor/i.test(runtime)
