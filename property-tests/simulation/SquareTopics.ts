/**
 * The topics of the square: two public ones and a secret one, of which no node may ever show the key.
 * They are apart because both the square and those who look at it know them.
 */
import { Redacted, Result } from "effect"
import { Topic } from "../../core/index.ts"

const texts = ["chess", "go", "chess#AQIDBAUGBwgJCgsMDQ4PEA"]
export const topics: ReadonlyArray<Topic.Topic> = texts.map((text) => Result.getOrThrow(Topic.parse(text)))

/** The key of the secret topic, which must not be seen anywhere. */
export const secretKey = Redacted.value(topics[2]!.secret!)
