/**
 * Help for a person's eyes: fitted to the width of a terminal, cut down to one command, and a guess at what was meant.
 * It never says anything of its own; the texts stand where the commands and options do.
 * A terminal breaks long lines in the middle of words and without their column, which makes two columns unreadable.
 */

const widthMin = 60
/** Columns of help at most: a terminal may be wider, a line that is read should not be. */
export const widthMax = 100
/** Where the right column begins if the left one takes the whole line. */
const hanging = 25

/** How wide help may be: as the terminal, within reason; a file or a pipe is no terminal. */
export const widthOf = (columns: number | undefined): number =>
  Math.min(widthMax, Math.max(widthMin, columns ?? widthMax))

/** Words in lines of at most so many columns; a longer word stands alone. */
export const folded = (text: string, columns: number): ReadonlyArray<string> => {
  const lines: Array<string> = []
  for (const word of text.split(" ")) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= columns) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}

/** Words in lines of at most `width`, the first after `start` and the others below it. */
const fill = (start: string, text: string, width: number): string =>
  folded(text, width - start.length)
    .map((line, index) => `${index === 0 ? start : " ".repeat(start.length)}${line}`)
    .join("\n")

const fitLine = (line: string, width: number): string => {
  if (line.length <= width) return line
  const found = /^ */.exec(line)![0].length
  const indent = found > width / 2 ? hanging : found
  // Two columns have a gap between them, or meet where the right one begins.
  const [, left, right] = /^( *\S.*?\S {2,})(\S.*)$/.exec(line) ?? /^( {2}\S.{21} )(\S.*)$/.exec(line) ?? []
  if (left === undefined || right === undefined) return fill(" ".repeat(indent), line.trim(), width)
  if (left.length <= width / 2) return fill(left, right, width)
  const short = left.trimEnd()
  if (short.length + 2 <= hanging) return fill(short.padEnd(hanging), right, width)
  // A left column that leaves no room has a line of its own.
  return `${fill(" ".repeat(indent), left.trim(), width)}\n${fill(" ".repeat(hanging), right, width)}`
}

/** A help text whose lines are no longer than `width`, with both columns kept. */
export const fit = (text: string, width: number): string =>
  text
    .split("\n")
    .map((line) => fitLine(line, width))
    .join("\n")

/** The part of the program's help that is about one command. */
export const about = (usage: string, command: string): string => {
  const parts = usage.split("\n\n")
  // A command may have several lines, and each of them lines that go on.
  const how = (parts[1] ?? "").split(/\n(?= {2}\S)/).filter((lines) => lines.startsWith(`  wopr-p2p ${command} `))
  const rest = parts.filter(
    (part) => part.startsWith(`Options of ${command}\n`) || /^(Environment|Exit codes)/.test(part)
  )
  return `${[how.join("\n"), ...rest].join("\n\n").trimEnd()}\n`
}

/** How many letters have to be put in, left out, changed or swapped with their neighbour. */
const distance = (from: string, to: string): number => {
  const rows: Array<ReadonlyArray<number>> = [Array.from({ length: to.length + 1 }, (_, index) => index)]
  for (let i = 1; i <= from.length; i++) {
    const row = [i]
    for (let j = 1; j <= to.length; j++) {
      const changed = rows[i - 1]![j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1)
      const swapped =
        i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1] ? rows[i - 2]![j - 2]! + 1 : changed
      row.push(Math.min(changed, swapped, row[j - 1]! + 1, rows[i - 1]![j]! + 1))
    }
    rows.push(row)
  }
  return rows.at(-1)!.at(-1)!
}

/** The word that was probably meant, if one is near. */
export const nearest = (typed: string, words: ReadonlyArray<string>): string | undefined => {
  const [best] = words
    .map((word) => ({ word, off: distance(typed.slice(0, 40), word) }))
    .sort((one, other) => one.off - other.off)
  return best === undefined || best.off > Math.max(1, Math.floor(best.word.length / 3)) ? undefined : best.word
}
