/**
 * What is left after a run, held against what was asked for: nothing lost, nothing twice, everything ended in one way.
 * It never excuses a loss with the crash: an outcome that nobody was told must be found by whoever starts the node again.
 * What was not acknowledged may have happened or not, but not twice.
 */
import { answersTo, opposite, outcomesTold, refusalsOf, shownAt } from "./Left.ts"
import { type SideName, sides } from "./Point.ts"
import * as Script from "./Script.ts"
import { type Place, respondedBy } from "./Side.ts"
import type { Asked, Stage } from "./Stage.ts"

export type Kind = "lost" | "doubled" | "respondedTwice" | "hung"
export interface Violation {
  readonly kind: Kind
  readonly what: string
}

/** Everything a check looks at, read once. */
interface Remains {
  readonly stage: Stage
  readonly place: Place
  readonly shown: Readonly<Record<SideName, ReadonlyArray<string>>>
  readonly refused: Readonly<Record<SideName, ReadonlyArray<{ readonly id: string; readonly code: string }>>>
}

const nameOf = (one: Asked): string => `the ${one.kind} ${one.mark} (${one.id ?? "not acknowledged"})`

const violation = (holds: boolean, kind: Kind, what: string): ReadonlyArray<Violation> =>
  holds ? [] : [{ kind, what }]

const atMostOnce = (count: number, kind: Kind, what: string): ReadonlyArray<Violation> =>
  violation(count <= 1, kind, `${what} ${count} times`)

/** How something ended: what was told of it, what is stored, what is shown. */
const outcomesOf = (remains: Remains, one: Asked): ReadonlyArray<string> => {
  const stored = remains.refused[one.from].filter(({ id }) => id === one.id).map(({ code }) => code)
  const answered = one.kind === "inject" && answersTo(remains.place, one).length > 0 ? ["answered"] : []
  const arrived = one.kind === "message" && remains.shown[opposite(one.from)].includes(one.mark) ? ["delivered"] : []
  return [...new Set([...outcomesTold(remains.stage, one), ...stored, ...answered, ...arrived])]
}

/** Acknowledged: it ended, in one way, and what is said of it is so. */
const checkEnd = (remains: Remains, one: Asked): ReadonlyArray<Violation> => {
  const what = nameOf(one)
  const outcomes = outcomesOf(remains, one)
  const said = outcomesTold(remains.stage, one)
  const isShown =
    one.kind === "message"
      ? remains.shown[opposite(one.from)].includes(one.mark)
      : answersTo(remains.place, one).length > 0
  return [
    ...violation(outcomes.length > 0, "lost", `${what} has no outcome`),
    ...violation(outcomes.length <= 1, "doubled", `${what} ended as ${outcomes.join(" and ")}`),
    ...violation(isShown || !(said.has("delivered") || said.has("answered")), "lost", `${what} is shown to nobody`),
    ...violation(
      one.kind === "inject" || one.cancelled !== "yes" || !isShown,
      "doubled",
      `${what} was taken back and shown`
    )
  ]
}

const checkMessage = ({ shown, stage }: Remains, one: Asked): ReadonlyArray<Violation> => {
  const told = stage[opposite(one.from)]
    .told()
    .filter((event) => event.event === "received" && (event["entry"] as { readonly text?: string }).text === one.mark)
  const copies = shown[opposite(one.from)].filter((text) => text === one.mark)
  return [
    ...atMostOnce(copies.length, "doubled", `${nameOf(one)} is in the conversation`),
    ...atMostOnce(told.length, "doubled", `${nameOf(one)} was told`),
    ...violation(one.refused === undefined || copies.length === 0, "doubled", `${nameOf(one)} was refused and shown`)
  ]
}

const checkInject = ({ place, shown, stage }: Remains, one: Asked): ReadonlyArray<Violation> => {
  const what = nameOf(one)
  const asks = (text: string): boolean => text.endsWith(` ${one.mark}`) && !text.includes("\n")
  const answers = answersTo(place, one)
  const told = stage[one.from]
    .told()
    .filter((event) => event.event === "answered" && one.id !== undefined && event["id"] === one.id)
  const possible = ["short", "long"].map((wish) => Script.answerTo(`${wish} ${one.mark}`))
  return [
    ...atMostOnce(respondedBy(place, opposite(one.from)).filter(asks).length, "respondedTwice", `${what} was run`),
    ...atMostOnce(shown[opposite(one.from)].filter(asks).length, "doubled", `${what} is in the conversation`),
    ...atMostOnce(answers.length, "doubled", `the answer to ${what} is in the conversation`),
    ...atMostOnce(told.length, "doubled", `the answer to ${what} was told`),
    ...violation(
      answers.every((text) => possible.includes(text)),
      "lost",
      `the answer to ${what} is not what was answered`
    )
  ]
}

/** What was asked in one direction is shown in that order. */
const checkOrder = ({ shown, stage }: Remains): ReadonlyArray<Violation> =>
  sides.flatMap((from) => {
    const marks = stage.asked.filter((one) => one.kind === "message" && one.from === from).map(({ mark }) => mark)
    const order = shown[opposite(from)].filter((text) => marks.includes(text))
    const expected = marks.filter((mark) => order.includes(mark))
    const holds = new Set(order).size !== order.length || order.join() === expected.join()
    return violation(holds, "lost", `the order of ${from}'s messages: they are shown as ${order.join(", ")}`)
  })

/** Everything that a finished run did wrong, and how its injects ended. To be asked when both processes are gone. */
export const check = async (
  stage: Stage,
  place: Place
): Promise<{ readonly violations: ReadonlyArray<Violation>; readonly outcomes: ReadonlyArray<string> }> => {
  const remains: Remains = {
    stage,
    place,
    shown: { alice: shownAt(place, "alice"), bob: shownAt(place, "bob") },
    refused: { alice: await refusalsOf(place, "alice"), bob: await refusalsOf(place, "bob") }
  }
  const violations = stage.asked.flatMap((one) => [
    ...(one.id === undefined ? [] : checkEnd(remains, one)),
    ...(one.kind === "message" ? checkMessage : checkInject)(remains, one)
  ])
  const injects = stage.asked.filter((one) => one.kind === "inject" && one.id !== undefined)
  return {
    violations: [...violations, ...checkOrder(remains)],
    outcomes: injects.flatMap((one) => outcomesOf(remains, one).slice(0, 1))
  }
}
