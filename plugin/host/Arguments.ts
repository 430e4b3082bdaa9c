/**
 * Arguments of tools: one row says how a model is told of one, and how it is checked here.
 * It never trusts what the host has checked: that drops allowed values, bounds and integers, and hands over what is left.
 * A mistake names the argument and what is allowed, because whoever made it can only read.
 */
import { Result, Schema } from "effect"

/** One argument: what the host shows of it, and the check that counts. */
export interface Argument<A> {
  readonly shown: Readonly<Record<string, unknown>>
  readonly schema: Schema.ConstraintDecoder<A>
  readonly allowed: string
  readonly required: boolean
}

const characters = 1_048_576

const argument = <A>(
  type: Readonly<Record<string, unknown>>,
  schema: Schema.ConstraintDecoder<A>,
  allowed: string,
  says: string
): Argument<A> => ({ shown: { ...type, description: `${says} (${allowed})` }, schema, allowed, required: true })

/** A text of 1 to `max` characters. */
export const text = (says: string, max = characters): Argument<string> =>
  argument(
    { type: "string" },
    Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(max)),
    `a text of 1 to ${max} characters`,
    says
  )

/** A whole number in a range. */
export const whole = (says: string, minimum: number, maximum: number): Argument<number> =>
  argument(
    { type: "number" },
    Schema.Int.check(Schema.isBetween({ minimum, maximum })),
    `a whole number from ${minimum} to ${maximum}`,
    says
  )

/** True or false. */
export const flag = (says: string): Argument<boolean> =>
  argument({ type: "boolean" }, Schema.Boolean, "true or false", says)

/** One of a few words. */
export const oneOf = <W extends string>(says: string, words: ReadonlyArray<W>): Argument<W> =>
  argument(
    { type: "string" },
    Schema.Literals(words) as unknown as Schema.ConstraintDecoder<W>,
    `one of: ${words.join(", ")}`,
    says
  )

/** Several texts, of those that are allowed if any are named. */
export const several = <W extends string>(says: string, words?: ReadonlyArray<W>): Argument<ReadonlyArray<W>> => {
  const one = words === undefined ? Schema.String.check(Schema.isMaxLength(300)) : Schema.Literals(words)
  return argument(
    { type: "array", items: { type: "string" } },
    Schema.Array(one).check(Schema.isMaxLength(20)) as unknown as Schema.ConstraintDecoder<ReadonlyArray<W>>,
    words === undefined ? "at most 20 texts" : `some of: ${words.join(", ")}`,
    says
  )
}

/** The same argument, which may be left out. */
export const optional = <A>(one: Argument<A>): Argument<A | undefined> => ({ ...one, required: false })

export type Arguments = Readonly<Record<string, Argument<unknown>>>
export type Given<A extends Arguments> = { readonly [Key in keyof A]: A[Key] extends Argument<infer T> ? T : never }

/** How the host is told of them. */
export const inputSchema = (all: Arguments): Record<string, unknown> => ({
  type: "object",
  properties: Object.fromEntries(Object.entries(all).map(([key, { shown }]) => [key, shown])),
  required: Object.entries(all).flatMap(([key, { required }]) => (required ? [key] : []))
})

/** The arguments as given, checked, or a sentence that names what is wrong with the first of them. */
export const read = <A extends Arguments>(all: A, given: unknown): Result.Result<Given<A>, string> => {
  const values: unknown = given ?? {}
  if (typeof values !== "object" || values === null || Array.isArray(values)) {
    return Result.fail("the arguments are one object")
  }
  const stray = Object.keys(values).find((key) => !Object.hasOwn(all, key))
  if (stray !== undefined) {
    return Result.fail(
      `there is no argument ${JSON.stringify(stray.slice(0, 40))}; there are: ${Object.keys(all).join(", ")}`
    )
  }
  const checked: Record<string, unknown> = {}
  for (const [key, { allowed, required, schema }] of Object.entries(all)) {
    const value = (values as Readonly<Record<string, unknown>>)[key] ?? undefined
    if (value === undefined && !required) continue
    const decoded = Schema.decodeUnknownResult(schema)(value)
    if (Result.isFailure(decoded)) return Result.fail(`${key}: allowed is ${allowed}`)
    checked[key] = decoded.success
  }
  return Result.succeed(checked as Given<A>)
}
