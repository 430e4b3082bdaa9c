/**
 * The questions this adapter asks a Docker engine, each bounded in time and answered with a value or a `SandboxError`.
 * It must never pull an image nor read the environment: only the local socket it was given.
 * The vendor library is loaded when first needed, for it costs a fifth of a second that most commands need not pay.
 */
import type { Duplex } from "node:stream"
import { text } from "node:stream/consumers"
import type Docker from "dockerode"
import { Effect, Predicate } from "effect"
import { type SandboxCode, SandboxError } from "../../ports/Sandbox.ts"

export const defaultSocketPath = "/var/run/docker.sock"

/**
 * A client of the engine behind `socketPath`; nothing is asked of the engine yet.
 * Host and protocol are named as absent, since the library would otherwise let the environment win over the socket.
 */
export const connect = (socketPath: string): Effect.Effect<Docker> =>
  Effect.map(
    Effect.promise(() => import("dockerode")),
    ({ default: Client }) => new Client({ socketPath, host: undefined, port: undefined, protocol: "http" })
  )

/** What went wrong on one question: an HTTP status from the engine, or a code of the socket. */
export interface Fault {
  readonly status: number | undefined
  readonly errno: string | undefined
  readonly text: string
}

const textAt = (cause: unknown, key: string): string | undefined =>
  Predicate.hasProperty(cause, key) && typeof cause[key] === "string" ? cause[key] : undefined

/** Reads the vendor's error. Its `reason` is not used: it calls a missing image a missing container. */
export const faultOf = (cause: unknown): Fault => ({
  status:
    Predicate.hasProperty(cause, "statusCode") && typeof cause.statusCode === "number" ? cause.statusCode : undefined,
  errno: textAt(cause, "code"),
  text:
    (Predicate.hasProperty(cause, "json") ? textAt(cause.json, "message") : undefined) ??
    textAt(cause, "message") ??
    String(cause)
})

const nextStep: Readonly<Record<string, string>> = {
  ENOENT: "install Docker and start it",
  ECONNREFUSED: "start Docker",
  EACCES: "let this user talk to Docker, or use a rootless Docker of its own",
  EPERM: "let this user talk to Docker, or use a rootless Docker of its own"
}

/** An engine that answers nothing has failed; one whose disk is full says so in words only, whatever was asked of it. */
const codeOf = (fault: Fault, code: SandboxCode): SandboxCode =>
  fault.status === undefined ? "engine-failed" : /no space left on device/i.test(fault.text) ? "disk-full" : code

/** A refusal for a question that was asked before any container exists: no engine is told from a failing one. */
export const refusedBy =
  (socketPath: string, code: SandboxCode) =>
  (fault: Fault): SandboxError => {
    const step = nextStep[fault.errno ?? ""]
    return step === undefined
      ? new SandboxError({ code: codeOf(fault, code), message: fault.text })
      : new SandboxError({
          code: "no-engine",
          message: `no container engine answers at ${socketPath} (${fault.errno}): ${step}`
        })
  }

/** A refusal for a question about a container that exists: whatever happened, the engine failed us. */
export const failedBy =
  (code: SandboxCode) =>
  (fault: Fault): SandboxError =>
    new SandboxError({ code: codeOf(fault, code), message: fault.text })

/**
 * One question, at most `limitMs` long; interruption and the limit abort the request.
 * An engine that does not answer in time fails with `late`, by default `engine-failed`.
 */
export const ask = <A>(
  what: string,
  limitMs: number,
  question: (signal: AbortSignal) => Promise<A>,
  refusal: (fault: Fault) => SandboxError,
  late: SandboxCode = "engine-failed"
): Effect.Effect<A, SandboxError> =>
  Effect.tryPromise({ try: question, catch: (cause) => refusal(faultOf(cause)) }).pipe(
    Effect.timeoutOrElse({
      duration: limitMs,
      orElse: () =>
        Effect.fail(
          new SandboxError({ code: late, message: `the engine did not ${what} within ${limitMs} milliseconds` })
        )
    })
  )

/** What the engine says of itself: its name for people, and the answer that `isolation.notEnforceable` judges. */
export interface Facts {
  readonly engine: string
  readonly info: unknown
}

/** The library forwards an abort signal on these two; its types do not say so. */
interface Abortable {
  version(options: { readonly abortSignal: AbortSignal }): Promise<Docker.DockerVersion>
  info(options: { readonly abortSignal: AbortSignal }): Promise<unknown>
}

const nameOf = (version: Docker.DockerVersion, info: unknown): string => {
  const podman = JSON.stringify(version.Components ?? []).includes("Podman")
  const options = Predicate.hasProperty(info, "SecurityOptions") ? JSON.stringify(info.SecurityOptions) : ""
  const number = /^[0-9.]+/.exec(version.Version)?.[0] ?? version.Version
  const users = ["rootless", "userns"].filter((one) => options.includes(`name=${one}`))
  return [podman ? "podman" : "docker", number, ...users].join(" ")
}

/** Asks the engine who it is and what it can enforce. Fails with `no-engine` or `engine-failed`. */
export const facts = (docker: Docker, socketPath: string, limitMs: number): Effect.Effect<Facts, SandboxError> =>
  ask(
    "describe itself",
    limitMs,
    async (abortSignal) => {
      const engine = docker as unknown as Abortable
      const [version, info] = await Promise.all([engine.version({ abortSignal }), engine.info({ abortSignal })])
      return { engine: nameOf(version, info), info }
    },
    refusedBy(socketPath, "engine-failed")
  )

/** Fails with `no-image`, naming the next step, unless the engine already holds the image. */
export const imagePresent = (docker: Docker, socketPath: string, image: string, limitMs: number) =>
  ask(
    "look for the image",
    limitMs,
    (abortSignal) => docker.getImage(image).inspect({ abortSignal } as Docker.ImageInspectOptions),
    (fault) => (fault.status === 404 ? noImage(image) : refusedBy(socketPath, "engine-failed")(fault))
  )

/**
 * Whether somebody had the engine kill a container since a moment, as the engine's own log of events has it. What the kernel
 * kills leaves no such event. An engine that does not answer has not said so.
 */
export const wasKilled = (docker: Docker, containerId: string, sinceMs: number, nowMs: number, limitMs: number) =>
  ask(
    "tell what happened to the container",
    limitMs,
    async (abortSignal) => {
      const filters = JSON.stringify({ container: [containerId], event: ["kill"] })
      // The engine counts in whole seconds here, and a log that ends in the future would be waited for.
      const range = { since: Math.floor(sinceMs / 1_000), until: Math.ceil(nowMs / 1_000) }
      const events = await docker.getEvents({ ...range, filters, abortSignal })
      return (await text(events)).includes('"kill"')
    },
    failedBy("engine-failed")
  ).pipe(Effect.catch(() => Effect.succeed(false)))

export const noImage = (image: string): SandboxError =>
  new SandboxError({
    code: "no-image",
    message: `the engine has no image ${image}: build or import it first, nothing is ever pulled`
  })

/**
 * One connection to a container's input or to its outputs, closed with the scope.
 * They are two, so that a program which never reads its input cannot break the connection its answer comes on.
 */
export const attached = (container: Docker.Container, end: "input" | "outputs", limitMs: number) =>
  Effect.acquireRelease(
    ask(
      `connect to the container's ${end}`,
      limitMs,
      async (abortSignal) => {
        const input = end === "input"
        const socket = (await container.attach({
          stream: true,
          hijack: true,
          stdin: input,
          stdout: !input,
          stderr: !input,
          abortSignal
        })) as Duplex
        // A socket without a listener for errors ends the whole process at the first one.
        return socket.on("error", () => undefined)
      },
      failedBy("engine-failed")
    ),
    (socket) => Effect.sync(() => void socket.destroy()),
    { interruptible: true }
  )
