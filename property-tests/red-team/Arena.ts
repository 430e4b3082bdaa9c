/**
 * Where attempts are made: our sandbox as it ships, and control containers that lack what an attempt is meant to be stopped by.
 * A control container never touches the host: what it may reach are sentinels of this kit, containers and a socket of its own.
 * It has outer limits of its own in time, memory and processes, and everything here is gone when the arena closes.
 */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type Server } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Duplex } from "node:stream"
import Docker, { type HostConfig } from "dockerode"
import { Effect, ManagedRuntime, Result } from "effect"
import * as Agent from "../../adapters/docker/Agent.ts"
import { assemble, defaultCommands } from "../../adapters/docker/Image.ts"
import { definition, hostConfig } from "../../adapters/docker/isolation.ts"
import { collect } from "../../adapters/docker/Output.ts"
import { layer } from "../../adapters/docker/Sandbox.ts"
import { type Job, Sandbox } from "../../ports/Sandbox.ts"
import { neighbour, services } from "./sentinels.ts"

/** How a control container differs from ours. */
export interface Control {
  readonly host?: Partial<HostConfig>
  /** The user; ours is nobody. */
  readonly user?: "0:0"
  /** Shares the network, or the processes, of a sentinel. */
  readonly joins?: "network" | "processes"
}

export interface Arena {
  /** What a shell script prints in our sandbox; how it ended, if not well. */
  confined(script: string, limits?: Partial<Job>): Promise<string>
  /** What it prints in a control container. */
  control(script: string, control: Control): Promise<string>
  /** A folder of the kit that a control container may be given. */
  readonly folder: string
  readonly docker: Docker
  readonly image: string
  readonly ownerId: string
  close(): Promise<void>
}

/** A script's last resort against hanging; nothing here takes as long. */
const controlMs = 20_000
const outputBytesMax = 1024 * 1024
const shell: ReadonlyArray<string> = ["/bin/sh"]

const repository = "wopr-p2p-red-team"
const [baseTag, preparedTag] = [`${repository}:base`, `${repository}:prepared`]

const named = (what: string): string => `wopr-p2p-red-${what}-${crypto.randomUUID()}`

/** The agent's image with what attackers bring along: Perl for system calls, a root's secret, a program that is root's. */
const makeImage = async (docker: Docker, ownerId: string): Promise<string> => {
  const recipe = Agent.recipe({})
  const commands = [...defaultCommands, "chmod", "cp", "date", "seq", "stat", "timeout", "touch"]
  const { imageId } = await Effect.runPromise(
    assemble({
      ...recipe,
      tag: baseTag,
      commands,
      programs: { ...recipe.programs, "/usr/bin/perl": "/usr/bin/perl" }
    })
  )
  const prepare = "echo secret of root > /root-secret; chmod 600 /root-secret; cp /bin/id /root-id; chmod 4755 /root-id"
  const maker = await docker.createContainer({
    name: named("maker"),
    Image: imageId,
    Entrypoint: ["/bin/sh", "-c", prepare],
    User: "0:0",
    NetworkDisabled: true,
    Labels: { "wopr-p2p.owner": ownerId },
    HostConfig: { NetworkMode: "none" }
  })
  try {
    await maker.start()
    await maker.wait()
    const { Id } = (await maker.commit({ repo: repository, tag: "prepared" })) as { readonly Id: string }
    return Id
  } finally {
    await maker.remove({ force: true })
  }
}

/** A sentinel, up: it has printed its first line. */
const sentinel = async (
  docker: Docker,
  ownerId: string,
  image: string,
  kind: typeof services
): Promise<Docker.Container> => {
  const container = await docker.createContainer({
    ...definition({ name: named(kind.name), image, program: kind.program, labels: { "wopr-p2p.owner": ownerId } }),
    User: kind.user,
    Env: [...kind.environment],
    HostConfig: { ...hostConfig, ...kind.host }
  })
  const outputs = (await container.attach({ stream: true, hijack: true, stdout: true, stderr: true })) as Duplex
  outputs.on("error", () => undefined)
  const said = new Promise<string>((resolve) => {
    outputs.once("data", (chunk: Buffer) => resolve(chunk.toString()))
    outputs.once("close", () => resolve("it ended"))
    setTimeout(() => resolve("it said nothing"), 20_000).unref()
  })
  await container.start()
  const first = await said
  outputs.destroy()
  if (!first.includes("sentinel is up")) throw new Error(`the sentinel ${kind.name} did not come up: ${first}`)
  return container
}

/** What claims to be a container engine, on a socket in the kit's folder. */
const fakeEngine = (path: string): Promise<Server> =>
  new Promise((resolve) => {
    const server = createServer((socket) => {
      socket.on("error", () => undefined)
      socket.end("HTTP/1.1 200 OK\r\n\r\nan engine answers\n")
    })
    server.listen(path, () => {
      chmodSync(path, 0o777)
      resolve(server)
    })
  })

/** Opens the arena: image, sentinels, a false engine and a folder. Seconds the first time. */
export const open = async (): Promise<Arena> => {
  const docker = new Docker({ socketPath: "/var/run/docker.sock", host: undefined, port: undefined, protocol: "http" })
  const ownerId = `red-team-${process.pid}`
  // Not the kit's own: a sandbox that starts removes what its owner left.
  const sandboxOwnerId = `${ownerId}-sandbox`
  const folder = mkdtempSync(join(tmpdir(), "red-team-"))
  chmodSync(folder, 0o777)
  writeFileSync(join(folder, "secret"), "secret of the host\n", { mode: 0o644 })
  const image = await makeImage(docker, ownerId)
  const engine = await fakeEngine(join(folder, "engine.sock"))
  const sentinels = await Promise.all([services, neighbour].map((kind) => sentinel(docker, ownerId, image, kind)))
  const [network, processes] = sentinels.map(({ id }) => `container:${id}`)
  const sandbox = ManagedRuntime.make(layer({ image, program: shell, ownerId: sandboxOwnerId }))
  const confined = async (script: string, limits: Partial<Job> = {}): Promise<string> => {
    const job = {
      id: `red-${crypto.randomUUID()}`,
      input: Buffer.from(script),
      timeLimitMs: controlMs,
      outputBytesMax,
      ...limits
    }
    const result = await sandbox.runPromise(Effect.result(Effect.flatMap(Sandbox, (port) => port.run(job))))
    return Result.isSuccess(result)
      ? new TextDecoder().decode(result.success.output)
      : `[${result.failure.code}: ${result.failure.message}]`
  }
  const control = async (script: string, { host = {}, joins, user }: Control): Promise<string> => {
    const { Hostname, ...plain } = definition({
      name: named("control"),
      image,
      program: shell,
      labels: { "wopr-p2p.owner": ownerId }
    })
    const container = await docker.createContainer({
      ...plain,
      ...(joins === "network" ? { NetworkDisabled: false } : { Hostname: Hostname ?? "" }),
      ...(user === undefined ? {} : { User: user }),
      HostConfig: {
        ...hostConfig,
        ...(joins === "network" ? { NetworkMode: network! } : {}),
        ...(joins === "processes" ? { PidMode: processes! } : {}),
        ...host
      }
    })
    const late = setTimeout(() => void container.kill().catch(() => undefined), controlMs)
    try {
      const outputs = (await container.attach({ stream: true, hijack: true, stdout: true, stderr: true })) as Duplex
      const input = (await container.attach({ stream: true, hijack: true, stdin: true })) as Duplex
      for (const socket of [outputs, input]) socket.on("error", () => undefined)
      await container.start()
      input.end(script)
      const printed = await Effect.runPromise(Effect.result(collect(outputs, 64 * outputBytesMax)))
      return Result.isSuccess(printed) ? new TextDecoder().decode(printed.success.output) : `[${printed.failure.code}]`
    } finally {
      clearTimeout(late)
      await container.remove({ force: true, v: true })
    }
  }
  const close = async () => {
    await sandbox.dispose()
    await Promise.all(sentinels.map((one) => one.remove({ force: true, v: true }).catch(() => undefined)))
    // What the kit made of them is in nobody else's way, but a hundred megabytes are.
    for (const tag of [preparedTag, baseTag])
      await docker
        .getImage(tag)
        .remove({ force: true })
        .catch(() => undefined)
    engine.close()
    rmSync(folder, { recursive: true, force: true })
  }
  return { confined, control, folder, docker, image, ownerId, close }
}
