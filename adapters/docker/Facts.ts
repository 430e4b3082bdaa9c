/**
 * What an engine confirmed of a container, as the facts that go along with an answer.
 * It never judges: `isolation.ts` did, and what it let pass is written down here.
 * Each fact is read from the engine's description, not from what we asked for, so that the two cannot be confused.
 */
import type Docker from "dockerode"
import type { Confinement } from "../../ports/Sandbox.ts"
import type { Facts } from "./Engine.ts"
import { spelled } from "./isolation.ts"

const listed = (value: ReadonlyArray<string> | null | undefined): string => (value ?? []).join(",")

/** The size of `/tmp` in the engine's words for it. */
const sizeOf = (tmpfs: Readonly<Record<string, string>> | undefined): number =>
  Number(/(?:^|,)size=(\d+)(?:,|$)/.exec(tmpfs?.["/tmp"] ?? "")?.[1] ?? 0)

/** Which user namespace containers are in; the engine says it of itself. */
const usersOf = (info: unknown): string => {
  const options = JSON.stringify((info as { readonly SecurityOptions?: unknown } | null)?.SecurityOptions ?? [])
  return options.includes("name=rootless") ? "rootless" : options.includes("name=userns") ? "remapped" : "host"
}

/** The facts of an inspected container; `provenAtMs` is when a canary looked last. */
export const confinementOf = (
  { Config, HostConfig: host, Id, Image }: Docker.ContainerInspectInfo,
  { engine, info }: Facts,
  provenAtMs: number | undefined
): Confinement => {
  const options = (host.SecurityOpt ?? []) as ReadonlyArray<string>
  return {
    engine,
    containerId: Id,
    user: Config.User,
    network: host.NetworkMode ?? "",
    readOnlyRoot: host.ReadonlyRootfs === true,
    memoryBytes: host.Memory ?? 0,
    pids: host.PidsLimit ?? 0,
    cpus: (host.NanoCpus ?? 0) / 1e9,
    runtime: host.Runtime ?? "",
    capabilitiesDropped: listed(host.CapDrop as ReadonlyArray<string> | null),
    capabilitiesAdded: listed(host.CapAdd as ReadonlyArray<string> | null),
    noNewPrivileges: options.some((option) => spelled(option) === "no-new-privileges"),
    // No other profile was named, and the engine has said that its own is the default one.
    seccomp: options.find((option) => option.startsWith("seccomp=")) ?? "default",
    swapBytes: Math.max(0, (host.MemorySwap ?? 0) - (host.Memory ?? 0)),
    tmpfsBytes: sizeOf(host.Tmpfs as Readonly<Record<string, string>> | undefined),
    users: usersOf(info),
    imageId: Image,
    ...(provenAtMs === undefined ? {} : { provenAtMs })
  }
}
