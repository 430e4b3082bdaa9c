/**
 * The program inside the sandbox: takes a turn of an agent, with its tools, and waits for another; its container mostly ends first.
 * It reaches the outside only by lines of JSON on its standard input and output (version 1); it holds no key and no address.
 * Plain JavaScript of one file, because it is copied into an image as it is and must start fast on half a processor.
 */
// @ts-check
import { spawn } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { createInterface } from "node:readline"

/** @typedef {{ id: string, name: string, input: string }} Call */
/** @typedef {{ role: "user", text: string } | { role: "assistant", text: string, calls: Call[] } | { role: "tool", callId: string, text: string }} Said */

const version = 1
const workspace = "/tmp/work"
/** The model's turns within one turn of ours; whoever needs more goes round in circles. */
const roundsMax = 24
/** Characters of a tool's result that the model sees, and of all that it is sent. */
const resultMax = 16_384
const saidMax = 400_000
const commandMs = 30_000

/** Reads lines from outside, one at a time. Without an outside there is nothing left to do here. */
const listen = () => {
  /** @type {string[]} */
  const heard = []
  /** @type {((line: string | undefined) => void) | undefined} */
  let waiting
  let over = false
  const input = createInterface({ input: process.stdin })
  input.on("line", (line) => {
    const resume = waiting
    waiting = undefined
    if (resume === undefined) heard.push(line)
    else resume(line)
  })
  input.on("close", () => {
    over = true
    waiting?.(undefined)
  })
  return async () => {
    const next = () =>
      new Promise((resume) => {
        waiting = resume
      })
    const line = heard.shift() ?? (over ? undefined : await next())
    if (line === undefined) process.exit(0)
    return JSON.parse(line)
  }
}
const hear = listen()

/** @param {unknown} line */
const say = (line) => new Promise((resume) => process.stdout.write(`${JSON.stringify(line)}\n`, resume))

/** @param {string} text @param {number} max */
const cut = (text, max) =>
  text.length <= max
    ? text
    : `${text.slice(0, max / 2)}\n… ${text.length - max} characters left out …\n${text.slice(-max / 2)}`

/** No process can be started any more: what was started before holds all of them, and nothing of it is ours to end. */
class NoProcess extends Error {}

/** Runs a command in a process group of its own, which ends with it or with its time. @param {string} command */
const shell = (command) =>
  new Promise((resume, refuse) => {
    const child = spawn("/bin/sh", ["-c", command], {
      cwd: workspace,
      env: { PATH: "/bin:/usr/bin", HOME: workspace, LC_ALL: "C" },
      detached: true,
      stdio: ["ignore", "pipe", "pipe"]
    })
    let output = ""
    let left = 0
    const keep = (/** @type {Buffer} */ chunk) => {
      if (output.length < resultMax * 4) output += chunk.toString()
      else left += chunk.length
    }
    child.stdout.on("data", keep)
    child.stderr.on("data", keep)
    const stop = () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL")
      } catch {
        // It has ended.
      }
    }
    const late = setTimeout(stop, commandMs)
    child.on("error", (error) => {
      clearTimeout(late)
      if (/** @type {NodeJS.ErrnoException} */ (error).code === "EAGAIN") refuse(new NoProcess(error.message))
      else resume(`cannot run: ${error.message}`)
    })
    child.on("exit", (code, signal) => {
      clearTimeout(late)
      // What it printed last may still be on its way; what it left running must not hold us up.
      setTimeout(() => {
        stop()
        const end =
          signal === null ? `exit code ${code}` : `ended by ${signal} (a command has ${commandMs / 1000} seconds)`
        resume(`${cut(output, resultMax)}${left > 0 ? `\n… ${left} bytes more …` : ""}\n[${end}]`)
      }, 20)
    })
  })

/** @param {string} path */
const inWorkspace = (path) => resolve(workspace, path)

const string = { type: "string" }
/** @param {Record<string, unknown>} properties */
const object = (properties) => ({ type: "object", properties, required: Object.keys(properties) })

/** @type {Record<string, { purpose: string, input: unknown, use: (input: any) => unknown }>} */
const tools = {
  ...(existsSync("/bin/sh")
    ? {
        shell: {
          purpose: `Runs a command with /bin/sh in ${workspace}, without network, for at most ${commandMs / 1000} seconds. Gives what it printed and its exit code.`,
          input: object({ command: string }),
          use: ({ command }) => shell(String(command))
        }
      }
    : {}),
  read_file: {
    purpose: "Gives the text of a file.",
    input: object({ path: string }),
    use: ({ path }) => readFileSync(inWorkspace(String(path)), "utf8")
  },
  write_file: {
    purpose: `Writes a text file; a relative path is in ${workspace}. Do not count on it after this answer.`,
    input: object({ path: string, text: string }),
    use: ({ path, text }) => {
      const file = inWorkspace(String(path))
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, String(text))
      return `${String(text).length} characters written`
    }
  },
  list_files: {
    purpose: "Lists a folder: a name a line, folders with a slash.",
    input: object({ path: string }),
    use: ({ path }) => {
      const folder = inWorkspace(String(path))
      return readdirSync(folder)
        .map((name) => (statSync(resolve(folder, name), { throwIfNoEntry: false })?.isDirectory() ? `${name}/` : name))
        .join("\n")
    }
  }
}
const offered = Object.entries(tools).map(([name, { input, purpose }]) => ({ name, purpose, input }))

/** What comes of a call. Whatever goes wrong is told to the model, which may do better. @param {Call} call */
const use = async ({ input, name }) => {
  const tool = Object.hasOwn(tools, name) ? tools[name] : undefined
  if (tool === undefined) return `there is no tool "${name}"; there are ${Object.keys(tools).join(", ")}`
  try {
    return cut(String(await tool.use(JSON.parse(input === "" ? "{}" : input))), resultMax)
  } catch (error) {
    if (error instanceof NoProcess) throw error
    return `failed: ${error instanceof Error ? error.message : error}`
  }
}

/** Asks the model. Its answer is heard whole before anything is said: the outside writes meanwhile and does not read. @param {Said[]} said */
const ask = async (said) => {
  await say({ kind: "ask", said, tools: offered })
  let text = ""
  /** @type {Call[]} */
  const calls = []
  for (;;) {
    const line = await hear()
    if (line.kind === "over") return { text, calls }
    if (line.kind === "text") text += line.text
    if (line.kind === "call") calls.push(line.call)
  }
}

/** Whether all that was said still fits what the model is sent; a long turn must end before it is cut off. @param {Said[]} said */
const fits = (said) => said.reduce((sum, one) => sum + JSON.stringify(one).length, 0) <= saidMax

/** There is no answer. @param {string} why */
const failed = async (why) => {
  await say({ kind: "failed", why })
  return false
}

/** Takes a turn. Gives whether another may follow. */
const turn = async () => {
  await say({ kind: "ready", version })
  const { before, kind, text, version: theirs } = await hear()
  if (kind !== "turn" || theirs !== version) return failed(`version ${theirs} is not ours`)
  mkdirSync(workspace, { recursive: true })
  /** @type {Said[]} */
  const said = before.map((/** @type {{ by: string, text: string }} */ one) =>
    one.by === "friend" ? { role: "user", text: one.text } : { role: "assistant", text: one.text, calls: [] }
  )
  said.push({ role: "user", text })
  let isBegun = false
  for (let round = 0; round < roundsMax; round++) {
    const answer = await ask(said)
    said.push({ role: "assistant", ...answer })
    if (answer.text !== "") {
      await say({ kind: "text", text: isBegun ? `\n\n${answer.text}` : answer.text })
      isBegun = true
    }
    if (answer.calls.length === 0) {
      await say({ kind: "end" })
      return true
    }
    for (const call of answer.calls) said.push({ role: "tool", callId: call.id, text: await use(call) })
    if (!fits(said)) return failed("the turn became too long for the model")
  }
  return failed(`no answer after ${roundsMax} rounds`)
}

try {
  // Whoever wants no other turn removes the container; one that failed is wanted by nobody.
  while (await turn());
} catch (error) {
  const reason = error instanceof NoProcess ? { reason: "processes" } : {}
  await say({ kind: "failed", why: error instanceof Error ? error.message : String(error), ...reason })
}
process.exit(0)
