/**
 * The slash commands as verbs of the program: asked of the node that runs, answered from its files, or kept for its start.
 * It never parses a command: the one table does, here and at the node; and it always ends by itself.
 * What cannot be done now and can be done later is kept and said to be; what needs a running node says so with its own exit code.
 */
import { Effect, Result } from "effect"
import * as Commands from "../Commands.ts"
import * as Present from "../Present.ts"
import * as AtRest from "./AtRest.ts"
import * as Bounds from "./Bounds.ts"
import * as Carrying from "./Carrying.ts"
import * as Client from "./Client.ts"
import { ControlError } from "./ControlError.ts"
import * as IntentFiles from "./IntentFiles.ts"
import * as NodeFile from "./NodeFile.ts"
import type { Answer } from "./Request.ts"
import { waiting } from "./Spinner.ts"

/** Exit codes of every verb. */
const exits = { done: 0, refused: 1, misunderstood: 2, notRunning: 3 } as const

export interface Options {
  readonly dataFolder: string
  readonly json: boolean
  /** Wait for the outcome so long; absent: do not. */
  readonly waitMs?: number
  /** Refuse instead of keeping it for the next start. */
  readonly now: boolean
  /** An id of the caller's own for what is kept: said twice, it is done once. */
  readonly id?: string
}

/** What a verb came to: an exit code, and what to print. */
export interface Outcome {
  readonly exit: number
  readonly facts: Readonly<Record<string, unknown>>
  readonly lines: ReadonlyArray<Present.Line>
}

const refused = (exit: number, code: string, why: string): Outcome => ({ exit, ...Carrying.refusal(code, why, true) })

const fromFiles = "from the files of a node that is not running"

/** What a person reads where the answer has no line of its own; an id only where something comes of it later. */
const done = (id: unknown, seenIn: string | undefined): Present.Line => ({
  tone: "good",
  text:
    seenIn !== undefined && typeof id === "string"
      ? `under way: ${id.slice(0, 8)}, see /${seenIn} or wait ${id.slice(0, 8)}`
      : "done"
})

const ofAnswer = ({ facts, lines, ok, outcome }: Answer, seenIn?: string): Outcome => ({
  exit: ok ? exits.done : facts["code"] === "usage" ? exits.misunderstood : exits.refused,
  facts: { ...facts, running: true, ...(outcome === undefined ? {} : { outcome }) },
  lines: ok && lines.length === 0 ? [done(facts["id"], seenIn)] : lines
})

/** A question answered from the files, with a first line that says so. */
const answerAtRest = async (dataFolder: string, asked: Commands.Question, name: string): Promise<Outcome> => {
  const found = await Effect.runPromise(Effect.result(AtRest.describe(dataFolder)))
  if (Result.isFailure(found)) {
    const { code, message } = found.failure
    return refused(code === "no-identity" ? exits.notRunning : exits.refused, code, message)
  }
  const told = Carrying.answered(found.success, asked, name)
  const kept = (await IntentFiles.names(dataFolder)).length
  const more = kept === 0 ? "" : `; ${Present.counted(kept, "command")} wait for its next start`
  return {
    exit: exits.done,
    facts: { ...told.facts, running: false, note: fromFiles, kept },
    lines: [{ tone: "quiet", text: `${fromFiles}${more}` }, ...told.lines]
  }
}

const keep = async (line: string, options: Options): Promise<Outcome> => {
  const id = options.id ?? IntentFiles.newId()
  try {
    const isNew = await IntentFiles.keep(options.dataFolder, line, id, Date.now())
    const kept = isNew ? "kept, and carried out" : "kept already, and carried out once"
    return {
      exit: exits.done,
      facts: { ok: true, running: false, kept: id, isNew },
      lines: [{ tone: "good", text: `no node is running: ${kept} at its next start (${id.slice(0, 8)})` }]
    }
  } catch (error) {
    if (!(error instanceof ControlError)) throw error
    return refused(error.code === "not-running" ? exits.notRunning : exits.refused, error.code, error.message)
  }
}

const needsNode = (why: string): Outcome => refused(exits.notRunning, "not-running", `no node is running: ${why}`)

/** What becomes of a line where no node runs. */
const atRest = (line: string, parsed: Commands.Parsed, options: Options): Promise<Outcome> | Outcome => {
  switch (parsed.kind) {
    case "mistake":
      return refused(exits.misunderstood, "usage", parsed.message)
    case "question":
      return options.now
        ? needsNode("its files are not asked with --now")
        : answerAtRest(options.dataFolder, parsed.question, parsed.name)
    case "identity":
      return needsNode("its keys at rest are changed with wopr-p2p identity rotate|recovery")
    case "quit":
      return needsNode("there is none to end")
    case "secret-topic":
      return needsNode("a topic is made at one")
    case "command":
      if (options.waitMs !== undefined)
        return needsNode("nothing can come of it to wait for; without --wait it is kept for the next start")
      if (parsed.command._tag === "CreateInvite")
        return needsNode("the link of an invite is shown when it is made, and at no other time; start the node first")
      if (parsed.command._tag === "Accept" && parsed.command.name === "")
        return needsNode("say whom to accept; without a name that is whoever will have asked by then")
      return options.now ? needsNode("and with --now nothing is kept") : keep(line, options)
  }
}

/** How long a node that has its folder but not yet its socket is waited for. */
const startingMs = 5_000
const lookAgainMs = 100

/** The node of a folder, or undefined if none runs. One that is just starting is waited for. Rejects with a `ControlError`. */
export const reachSoon = async (dataFolder: string): Promise<Client.Client | undefined> => {
  const untilMs = performance.now() + startingMs
  for (;;) {
    try {
      return await Client.reach(dataFolder)
    } catch (error) {
      if (!(error instanceof ControlError) || error.code !== "not-running") throw error
    }
    const holder = await AtRest.holder(dataFolder)
    if (holder === undefined) return undefined
    if (performance.now() > untilMs) {
      throw new ControlError({
        code: "unreachable",
        message: `process ${holder.pid} on ${holder.host} holds ${dataFolder} and answers no other terminal; see: wopr-p2p doctor`
      })
    }
    await new Promise((resolve) => setTimeout(resolve, lookAgainMs))
  }
}

/** Carries out one line: at the node if one runs, else as far as files go. */
export const carryOut = async (line: string, options: Options): Promise<Outcome> => {
  // Mistakes are found without a node; a channel is known where it runs.
  const node = NodeFile.read(options.dataFolder)
  const channel = node === undefined ? "room:lobby" : node.channel
  const parsed = Commands.parse(line, { channel })
  if (parsed.kind === "mistake") return refused(exits.misunderstood, "usage", parsed.message)
  const isLong = line.length > Bounds.requestBytesMax / 6
  if (isLong) return refused(exits.refused, "body-too-large", "the text is longer than one message can carry (1 MiB)")
  try {
    const client = await reachSoon(options.dataFolder)
    if (client === undefined) return await atRest(line, parsed, options)
    // A command that a node carries out has no id of its own: a second try must not be a second deed.
    if (options.id !== undefined) {
      client.close()
      const why = "--id is for a command that is kept while no node runs, and one runs; see queue for what became of it"
      return refused(exits.refused, "node-runs", why)
    }
    try {
      const { waitMs } = options
      const answer = await client.ask({ kind: "line", line, ...(waitMs === undefined ? {} : { waitMs }) })
      return ofAnswer(answer, Carrying.seenIn(parsed))
    } finally {
      client.close()
    }
  } catch (error) {
    if (!(error instanceof ControlError)) throw error
    return refused(error.code === "unreachable" ? exits.notRunning : exits.refused, error.code, error.message)
  }
}

/** Asks the node one thing that no file answers; `without` says what cannot be where none runs. */
const askNode = async (asked: Client.Asked, options: Options, without: string): Promise<Outcome> => {
  try {
    const client = await reachSoon(options.dataFolder)
    if (client === undefined) return needsNode(without)
    try {
      return ofAnswer(await client.ask(asked))
    } finally {
      client.close()
    }
  } catch (error) {
    if (!(error instanceof ControlError)) throw error
    return refused(error.code === "unreachable" ? exits.notRunning : exits.refused, error.code, error.message)
  }
}

/** Waits for the outcome of a message by its id. */
const waitFor = async (id: string, options: Options): Promise<Outcome> => {
  if (!/^[0-9a-f]{4,32}$/.test(id))
    return refused(exits.misunderstood, "usage", "usage: wopr-p2p wait ID [--timeout SECONDS]")
  const asked = { kind: "wait", message: id, waitMs: options.waitMs ?? 60_000 } as const
  return askNode(asked, options, "nothing can come of it to wait for")
}

/** Prints an outcome: to standard error what is refused, unless it is JSON. */
const print = ({ exit, facts, lines }: Outcome, json: boolean): void => {
  if (json) {
    process.stdout.write(`${Present.json(facts)}\n`)
    return
  }
  const stream = exit === exits.done ? process.stdout : process.stderr
  const colour = stream.isTTY === true && (process.env["NO_COLOR"] ?? "") === ""
  for (const line of lines) stream.write(`${Present.paint(line, colour)}\n`)
}

/** What a verb comes to: the commands of the table are lines, and two are asked of the node alone. */
const workOf = (name: string, text: ReadonlyArray<string>, options: Options): Promise<Outcome> => {
  if (name === "wait") return waitFor(text[0] ?? "", options)
  if (name === "panel") return askNode({ kind: "panel" }, options, "start it with --panel, and ask again for a link")
  return carryOut(`/${[name, ...text].join(" ")}`, options)
}

/** The command `wopr-p2p VERB …`. Gives the exit code. */
export const verb = async (words: ReadonlyArray<string>, options: Options): Promise<number> => {
  const [name = "", ...rest] = words
  const text = rest.at(-1) === "-" ? [...rest.slice(0, -1), await readInput()] : rest
  const outcome = await waiting(workOf(name, text, options), options.json)
  print(outcome, options.json)
  return outcome.exit
}

/** Standard input, whole: a text that other users of the machine must not see in the list of processes. */
const readInput = async (): Promise<string> => {
  let text = ""
  for await (const piece of process.stdin.setEncoding("utf8")) {
    text += piece
    if (text.length > Bounds.requestBytesMax) break
  }
  return text.replace(/\n$/, "")
}
