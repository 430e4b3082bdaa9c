/**
 * Both sides and an operator at each: the operator types, looks, and types again only what has not taken effect.
 * It never repeats a command that was acknowledged, and never one that may have happened: at most once is what is tested.
 * Everything waits for something that can be seen from outside, until the deadline of the run; then the run hangs.
 */
import { setTimeout as pause } from "node:timers/promises"
import type { Told } from "../../plugin/standalone/Child.ts"
import type { SideName } from "./Point.ts"
import type { Side } from "./Side.ts"

/** Nothing came until the deadline: what was waited for, and what for that, outermost first. */
export class Hung extends Error {
  readonly waits: ReadonlyArray<string>
  readonly limitMs: number

  constructor(limitMs: number, waits: ReadonlyArray<string>) {
    super(`not within ${limitMs} ms: ${waits.join(", for which: ")}`)
    this.limitMs = limitMs
    this.waits = waits
  }
}

/** A message or inject that an operator asked for. `id` only if it was acknowledged. */
export interface Asked {
  readonly from: SideName
  readonly kind: "message" | "inject"
  /** Appears in its text and nowhere else. */
  readonly mark: string
  readonly id: string | undefined
  /** The code, if the node refused to take it. */
  readonly refused: string | undefined
  /** Whether its operator took it back; `maybe` when that was not acknowledged. */
  cancelled: "no" | "maybe" | "yes"
}

export interface Stage {
  readonly alice: Side
  readonly bob: Side
  /** In the order in which they were asked. */
  readonly asked: Array<Asked>
  /** Fails `Hung` at the deadline, and `Mishap` as soon as a side had one, whatever is waited for. */
  until(what: string, holds: () => boolean | Promise<boolean>): Promise<void>
  /** Types a line and gives the reply; undefined if the process died before it said anything. */
  say(side: Side, line: string): Promise<Told | undefined>
  /** The lines of an answer to a question, asked again if a death was the answer. */
  ask(side: Side, line: string): Promise<ReadonlyArray<string>>
  message(from: Side, mark: string): Promise<Asked>
  inject(from: Side, wish: "short" | "long" | "never", mark: string): Promise<Asked>
}

const lookEveryMs = 8

const isReplyTo = (line: string) => (told: Told) => told.event === "reply" && told["line"] === line

const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)

export const otherOf = (stage: Pick<Stage, "alice" | "bob">, side: Side): Side =>
  side === stage.alice ? stage.bob : stage.alice

/** A stage for two sides that hangs `limitMs` from now. */
export const makeStage = (alice: Side, bob: Side, limitMs: number): Stage => {
  const deadlineMs = performance.now() + limitMs
  const asked: Array<Asked> = []

  /** What is asked in here may wait itself, and the deadline mostly passes there: the outer wait is the one that never ends. */
  const within = async (what: string, holds: () => boolean | Promise<boolean>): Promise<boolean> => {
    try {
      return await holds()
    } catch (error) {
      throw error instanceof Hung ? new Hung(limitMs, [what, ...error.waits]) : error
    }
  }
  const until: Stage["until"] = async (what, holds) => {
    for (;;) {
      for (const side of [alice, bob]) side.demandNoMishap()
      if (await within(what, holds)) return
      if (performance.now() > deadlineMs) throw new Hung(limitMs, [what])
      await pause(lookEveryMs)
    }
  }
  const say: Stage["say"] = async (side, line) => {
    await until(`${side.name} is up`, side.isUp)
    const life = side.lives()
    const before = side.told().length
    const reply = () => side.told().slice(before).find(isReplyTo(line))
    side.type(line)
    await until(`${side.name} replies to ${line}`, () => reply() !== undefined || side.lives() > life)
    return reply()
  }
  const ask: Stage["ask"] = async (side, line) => {
    for (;;) {
      const lines = (await say(side, line))?.["lines"]
      if (Array.isArray(lines)) return lines.map(String)
    }
  }
  const order = async (from: Side, kind: Asked["kind"], text: string, mark: string): Promise<Asked> => {
    const reply = await say(from, `/${kind} @${from === alice ? "bob" : "alice"} ${text}`)
    const one: Asked = {
      from: from.name,
      kind,
      mark,
      id: reply?.["ok"] === true ? textOf(reply["id"]) : undefined,
      refused: reply?.["ok"] === false ? textOf(reply["code"]) : undefined,
      cancelled: "no"
    }
    asked.push(one)
    return one
  }
  return {
    alice,
    bob,
    asked,
    until,
    say,
    ask,
    message: (from, mark) => order(from, "message", mark, mark),
    inject: (from, wish, mark) => order(from, "inject", `${wish} ${mark}`, mark)
  }
}
