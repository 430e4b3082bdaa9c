/**
 * What friends' questions may cost, as an owner writes it: `calls=200,tokens=500000,minutes=60`, each part optional.
 * It never counts anything; the core does, with what is read here in place of its own limits.
 * One spelling for a turn, a friend's day and everybody's day, so that there is one thing to learn.
 */
import { Limits, Node } from "../core/index.ts"

/** What replaces the limits of the core, for a turn, a day (UTC) of one friend, and a day of all friends together. */
export type Budgets = NonNullable<Node.AgentOptions["allowances"]>

type Allowance = NonNullable<Budgets["day"]>

/** What is expected, for a message. */
export const expected = "calls=N,tokens=N,minutes=N (one or more of them, whole numbers)"

const fields = { calls: ["calls", 1], tokens: ["tokens", 1], minutes: ["ms", 60_000] } as const

/** Reads one budget; undefined for what is none. A turn gets at most the minute that every run gets. */
export const parse = (whose: keyof Budgets, text: string): Allowance | undefined => {
  const budget: { calls: number; tokens: number; ms: number } = { ...Node.allowances[whose] }
  const seen = new Set<string>()
  for (const part of text.split(",")) {
    const [, name, digits] = /^\s*(calls|tokens|minutes)=(\d{1,12})\s*$/.exec(part) ?? []
    if (name === undefined || seen.has(name)) return undefined
    seen.add(name)
    const [field, unit] = fields[name as keyof typeof fields]
    budget[field] = Number(digits) * unit
  }
  return whose === "turn" ? { ...budget, ms: Math.min(budget.ms, Limits.injectTimeMs) } : budget
}

/** The budgets that were written, of those that can be read; what was not written keeps the limits of the core. */
export const given = (written: ReadonlyArray<readonly [whose: keyof Budgets, text: string | undefined]>): Budgets =>
  Object.fromEntries(
    written.flatMap(([whose, text]) => {
      const budget = text === undefined ? undefined : parse(whose, text)
      return budget === undefined ? [] : [[whose, budget]]
    })
  )
