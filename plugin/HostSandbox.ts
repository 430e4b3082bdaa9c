/**
 * Our sandbox in the form in which the WOPR host and its plugins look for one: the extension `sandbox`.
 * It never runs anything but a shell command in a container of its own, under the same flags as a friend's question, and
 * hands nobody the engine. Each command starts anew: what the contract calls a container is only a name here, because a
 * container that stays would let one command leave something for the next.
 */
import { Effect, Fiber, Result } from "effect"
import type { SandboxError, SandboxShape } from "../ports/Sandbox.ts"

/** What a command came to. A command that was stopped has exit code 124, and says why on `stderr`. */
export interface Executed {
  readonly stdout: string
  readonly stderr: string
  readonly exitCode: number
}

/** How a command is to be run; all optional. */
export interface Execution {
  /** `/tmp`, or a folder below it, which is made. */
  readonly workdir?: string
  /** More variables for the command; names of letters, digits and underscores. */
  readonly env?: Readonly<Record<string, string>>
  /** Seconds, 1 to 60; 30 unless told. */
  readonly timeout?: number
}

interface Session {
  readonly sessionName: string
  readonly trustLevel?: string
}

/** The extension, with the names that the host's own code and its plugins call. */
export interface HostSandbox {
  shouldSandbox(session: Session): boolean
  resolveSandboxConfig(session: Session): { readonly enabled: boolean; readonly network: "none" }
  resolveSandboxContext(session: Session): Promise<Readonly<Record<string, unknown>> | null>
  getSandboxWorkspaceInfo(session: Session): { readonly workspaceDir: string; readonly workspaceAccess: "none" }
  isToolAllowed(tool: string): boolean
  filterToolsByPolicy(tools: ReadonlyArray<string>): ReadonlyArray<string>
  execInContainer(name: string, command: string, options?: Execution): Promise<Executed>
  execInContainerRaw(name: string, argv: ReadonlyArray<string>, options?: Execution): Promise<Executed>
  execDocker(): Promise<never>
  pruneAllSandboxes(): Promise<number>
}

const outputBytesMax = 1024 * 1024
const secondsDefault = 30
const secondsMax = 60

/** Sessions of the owner run where the owner runs; everybody else's in here. */
const isOwn = (trustLevel: string | undefined): boolean => trustLevel === "owner" || trustLevel === "trusted"

/** A word of a shell, whatever is in it. */
const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`

const refuse = (why: string): Error => new Error(`refused: ${why}`)

/** The script that runs a command and says first how it ended: the adapter itself only tells of programs that end well. */
const scriptOf = (command: string, { env = {}, workdir = "/tmp" }: Execution): string => {
  if (!/^\/tmp(\/[\w.-]+)*$/.test(workdir) || workdir.includes(".."))
    throw refuse(`workdir ${workdir}: only /tmp and folders below it can be written to`)
  const exports = Object.entries(env).map(([name, value]) => {
    if (!/^[A-Za-z_]\w*$/.test(name)) throw refuse(`env ${name}: a name has letters, digits and underscores`)
    return `export ${name}=${quoted(value)}\n`
  })
  return `${exports.join("")}export PATH=/bin:/usr/bin
mkdir -p ${workdir} /tmp/.told && cd ${workdir} || exit 1
/bin/sh -c ${quoted(command)} >/tmp/.told/out 2>/tmp/.told/err </dev/null
code=$?
printf '%s %s\\n' "$code" "$(wc -c </tmp/.told/out)"
cat /tmp/.told/out /tmp/.told/err
`
}

/** What the script printed, taken apart. A command that spoiled it spoiled its own result. */
const executedIn = (output: Uint8Array): Executed => {
  const end = output.indexOf(0x0a)
  const [, code, length] = /^(\d{1,3}) +(\d{1,9})$/.exec(new TextDecoder().decode(output.subarray(0, end))) ?? []
  if (code === undefined) throw refuse("the command left no result that can be read")
  const rest = output.subarray(end + 1)
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
  return {
    exitCode: Number(code),
    stdout: text(rest.subarray(0, Number(length))),
    stderr: text(rest.subarray(Number(length)))
  }
}

const failed = ({ code, message }: SandboxError): Executed => {
  if (code === "timed-out") return { stdout: "", stderr: message, exitCode: 124 }
  throw refuse(`${code}: ${message}`)
}

/** The extension over a sandbox whose program is a shell that reads its script from its input. */
export const make = (sandbox: SandboxShape): HostSandbox => {
  const running = new Set<Fiber.Fiber<unknown, unknown>>()
  const execute = async (command: string, options: Execution = {}): Promise<Executed> => {
    const { timeout = secondsDefault } = options
    if (!(timeout >= 1 && timeout <= secondsMax)) throw refuse(`timeout ${timeout}: 1 to ${secondsMax} seconds`)
    const job = {
      id: `host-${crypto.randomUUID()}`,
      input: new TextEncoder().encode(scriptOf(command, options)),
      timeLimitMs: timeout * 1_000,
      outputBytesMax
    }
    const fiber = Effect.runFork(Effect.result(sandbox.run(job)))
    running.add(fiber)
    try {
      const result = await Effect.runPromise(Fiber.join(fiber))
      return Result.isSuccess(result) ? executedIn(result.success.output) : failed(result.failure)
    } finally {
      running.delete(fiber)
    }
  }
  return {
    shouldSandbox: ({ trustLevel }) => !isOwn(trustLevel),
    resolveSandboxConfig: ({ trustLevel }) => ({ enabled: !isOwn(trustLevel), network: "none" }),
    resolveSandboxContext: async ({ sessionName, trustLevel }) =>
      isOwn(trustLevel)
        ? null
        : {
            enabled: true,
            sessionKey: sessionName,
            workspaceDir: "",
            workspaceAccess: "none",
            containerName: `wopr-p2p ${sessionName}`,
            containerWorkdir: "/tmp",
            docker: {},
            tools: { allow: [], deny: ["*"] }
          },
    getSandboxWorkspaceInfo: () => ({ workspaceDir: "", workspaceAccess: "none" }),
    // Tools of the host run on the host: none of them is for a session that belongs in here.
    isToolAllowed: () => false,
    filterToolsByPolicy: () => [],
    execInContainer: (_, command, options) => execute(command, options),
    execInContainerRaw: (_, argv, options) => execute(argv.map(quoted).join(" "), options),
    execDocker: () => Promise.reject(refuse("nobody is handed the container engine, which is root of this machine")),
    pruneAllSandboxes: async () => {
      const stopped = [...running]
      await Promise.all(stopped.map((fiber) => Effect.runPromise(Fiber.interrupt(fiber))))
      return stopped.length
    }
  }
}
