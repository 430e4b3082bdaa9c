/**
 * What an inject of the story asks for and what it gets: the responder answers by it, the checks expect it.
 * It never knows who asks.
 * A long answer is text that repeats its own mark, so that a piece in the wrong place is seen and none is compressible away.
 */
const longBytes = 400_000

/** The answer to an inject's text, undefined for one that never comes. */
export const answerTo = (asked: string): string | undefined => {
  const [wish, mark = ""] = asked.split(" ")
  if (wish === "never") return undefined
  if (wish !== "long") return `answer to ${mark}`
  const lines: Array<string> = [`answer to ${mark}`]
  for (let size = 0; size < longBytes; size += lines.at(-1)!.length + 1) lines.push(`${lines.length} of ${mark}`)
  return lines.join("\n")
}

/** What an answer to this mark begins with. */
export const answerBegins = (mark: string): string => `answer to ${mark}`
