/**
 * Twelve chat systems as they treat a line between two agents: limits, escapes, links, mentions, copies, losses, order.
 * It never signs or reads a line; what it knows of one is that it is text under an account.
 * Each is a model of what a bot receives there, so that a handshake that completes here has a chance out there.
 */
import type { Chance } from "../simulation/Chance.ts"

/** One copy of a line as the other side's adapter hands it on, and how long after it was posted. */
export interface Heard {
  readonly text: string
  /** The account as the system vouches for it; null where it cannot. */
  readonly author: string | null
  readonly afterMs: number
}

export interface System {
  readonly name: string
  /** What it does to a line, in a sentence. */
  readonly does: string
  /** Longest line in UTF-8 bytes that it takes in one piece. */
  readonly bytesMax: number
  /** Names that agents have there. */
  readonly names: ReadonlyArray<string>
  /** What becomes of one line. `account` is who posts it. */
  readonly carry: (line: string, account: string, luck: Chance) => ReadonlyArray<Heard>
}

const second = 1_000
const minute = 60 * second

/** Once, as it is, after a while. */
const whole = (text: string, author: string | null, luck: Chance, latestMs = 2 * second): ReadonlyArray<Heard> => [
  { text, author, afterMs: luck.whole(20, latestMs) }
]

/** Lost sometimes, and twice sometimes. */
const unreliable = (
  heard: ReadonlyArray<Heard>,
  luck: Chance,
  chances: { readonly lost?: number; readonly twice?: number; readonly againMs?: number }
): ReadonlyArray<Heard> => {
  if (luck.happens(chances.lost ?? 0)) return []
  if (!luck.happens(chances.twice ?? 0)) return heard
  return [...heard, ...heard.map((one) => ({ ...one, afterMs: one.afterMs + luck.whole(0, chances.againMs ?? 5_000) }))]
}

/** The named and numeric references that HTML needs, and those that programs add to be sure. */
const escapedHtml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")

/** What a program takes for a link of its own accord: a word with a dot and a known ending. */
const links = /\b[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)*\.(?:dev|io|com|ai)\b/gi

/** In pieces of at most so many bytes, cut at white space where there is some: what clients do with long lines. */
const inPieces = (text: string, bytesMax: number): ReadonlyArray<string> => {
  const pieces: Array<string> = []
  for (let rest = text; rest !== ""; ) {
    if (Buffer.byteLength(rest) <= bytesMax) return [...pieces, rest]
    let end = bytesMax
    while (Buffer.byteLength(rest.slice(0, end)) > bytesMax) end--
    const space = rest.lastIndexOf(" ", end)
    pieces.push(rest.slice(0, space > 0 ? space : end))
    rest = rest.slice(space > 0 ? space + 1 : end)
  }
  return pieces
}

/** Text wrapped at white space, as mail programs do. */
const wrapped = (text: string, columns: number): string =>
  text.replace(new RegExp(`(.{1,${columns}})(?: |$)|(\\S+)(?: |$)`, "g"), "$1$2\n").trimEnd()

const plain = ["alice", "bob", "carol", "dave_bot", "Eve", "agent-7", "x"]
const everywhere = [...plain, "build.dev", "ops.example.com", "_ada_", "R&D", "naïve☃", "李小龙", "🦊", "Ωmega"]

const irc: System = {
  name: "irc",
  does: "512 bytes with prefix and line end, longer ones cut in pieces; drops what comes too fast; ASCII nicknames",
  bytesMax: 400,
  names: plain.map((name) => name.slice(0, 9)),
  carry: (line, account, luck) =>
    inPieces(line, 400).flatMap((piece) => unreliable(whole(piece, account, luck), luck, { lost: 0.02 }))
}

const twitch: System = {
  name: "twitch",
  does: "500 characters; the same words again within half a minute are dropped; names in lower case",
  bytesMax: 500,
  names: plain,
  carry: (line, account, luck) => unreliable(whole(line, account.toLowerCase(), luck, 4 * second), luck, { lost: 0.02 })
}

const slack: System = {
  name: "slack",
  does: "escapes &, < and >, makes links of words with dots, and delivers an event again when the answer was late",
  bytesMax: 40_000,
  names: everywhere,
  carry: (line, account, luck) => {
    const linked = escapedHtml(line)
      .replaceAll("&quot;", '"')
      .replace(links, (word) => `<http://${word}|${word}>`)
    return unreliable(whole(linked, account, luck), luck, { twice: 0.05, againMs: 3 * minute })
  }
}

const discord: System = {
  name: "discord",
  does: "2,000 characters as they are; mentions become numbers; late and in any order while the gateway resumes",
  bytesMax: 2_000,
  names: everywhere,
  carry: (line, account, luck) => {
    const text = luck.happens(0.1) ? `<@${luck.whole(1, 2 ** 30)}> ${line}` : line
    const isResuming = luck.happens(0.05)
    return unreliable(whole(text, account, luck, isResuming ? 2 * minute : second), luck, { lost: 0.005, twice: 0.02 })
  }
}

const telegram: System = {
  name: "telegram",
  does: "bots do not hear bots, so a person pastes each line; her program turns __words__ italic and breaks lines",
  bytesMax: 4_096,
  names: plain,
  carry: (line, account, luck) => {
    const copied = luck.pick([line, `${line}\n`, `  ${line}`, line.replaceAll(" | ", "\n| "), `${account}:\n${line}`])
    const text = copied.replace(/(?<![A-Za-z0-9])__([^_\n]+)__(?![A-Za-z0-9])/g, "$1")
    return unreliable(whole(text, account, luck, 3 * minute), luck, { lost: 0.02, twice: 0.05, againMs: minute })
  }
}

const matrix: System = {
  name: "matrix",
  does: "quotes the line that it answers, delivers again when servers find each other, late when they do not",
  bytesMax: 65_536,
  names: everywhere,
  carry: (line, account, luck) => {
    const text = luck.happens(0.3) ? `> <@somebody:example.org> what about it?\n\n${line}` : line
    const latestMs = luck.happens(0.05) ? 4 * minute : 3 * second
    return unreliable(whole(text, account, luck, latestMs), luck, { lost: 0.005, twice: 0.1, againMs: 10 * minute })
  }
}

const mattermost: System = {
  name: "mattermost",
  does: "a bridge escapes Markdown with backslashes; an edit delivers the line once more, with a mark",
  bytesMax: 16_383,
  names: everywhere,
  carry: (line, account, luck) => {
    const text = luck.happens(0.5) ? line.replace(/[_|*~`]/g, "\\$&") : line
    const edited = luck.happens(0.1) ? whole(`${text} (edited)`, account, luck, minute) : []
    return [...unreliable(whole(text, account, luck), luck, { lost: 0.01 }), ...edited]
  }
}

const teams: System = {
  name: "teams",
  does: "hands out HTML: paragraphs, non-breaking spaces, references for signs, mentions as elements",
  bytesMax: 28_000,
  names: everywhere,
  carry: (line, account, luck) => {
    const escaped = escapedHtml(line).replaceAll("|", luck.pick(["|", "&#124;", "&#x7C;", "&vert;"]))
    const spaced = luck.happens(0.5) ? escaped.replaceAll(" ", "&nbsp;") : escaped
    const mention = luck.happens(0.2) ? '<at id="0">agents</at>&nbsp;' : ""
    return unreliable(whole(`<p>${mention}${spaced}</p>`, account, luck), luck, { lost: 0.005, twice: 0.02 })
  }
}

const xmpp: System = {
  name: "xmpp",
  does: "tells who joins what was said before, hours late; who speaks is a nickname, or nobody on some servers",
  bytesMax: 10_000,
  names: everywhere,
  carry: (line, account, luck) => {
    const author = luck.happens(0.3) ? null : account
    const history = luck.happens(0.1) ? [{ text: line, author, afterMs: luck.whole(minute, 60 * minute) }] : []
    return [...unreliable(whole(line, author, luck), luck, { lost: 0.02 }), ...history]
  }
}

const zulip: System = {
  name: "zulip",
  does: "people put lines into code spans, fences and quotes, and quote them again below",
  bytesMax: 10_000,
  names: everywhere.filter((name) => !name.includes("`")),
  carry: (line, account, luck) => {
    const dressed = luck.pick([
      line,
      `\`${line}\``,
      `\`\`\`\n${line}\n\`\`\``,
      `\`\`\`quote\n${line}\n\`\`\``,
      `* ${line}`
    ])
    return unreliable(whole(dressed, account, luck), luck, { lost: 0.01, twice: 0.1, againMs: minute })
  }
}

const whatsapp: System = {
  name: "whatsapp",
  does: "a bridge that speaks for everybody: the author is nobody, the name stands before the line, copies are common",
  bytesMax: 65_536,
  names: plain,
  carry: (line, account, luck) =>
    unreliable(whole(`*${account}*: ${line}`, null, luck, 10 * second), luck, {
      lost: 0.03,
      twice: 0.2,
      againMs: minute
    })
}

const mail: System = {
  name: "mail",
  does: "a mailing list wraps lines at 76 columns, adds a footer, quotes them in answers, and takes its time",
  bytesMax: 100_000,
  names: plain,
  carry: (line, account, luck) => {
    const body = wrapped(line, 76)
    const quoted = luck.happens(0.3)
      ? whole(`On Friday somebody wrote:\n> ${body.replaceAll("\n", "\n> ")}`, "somebody", luck, 4 * minute)
      : []
    const posted = whole(`${body}\n-- \nagents mailing list`, account, luck, 4 * minute)
    return [...unreliable(posted, luck, { lost: 0.005, twice: 0.02 }), ...quoted]
  }
}

/** All twelve. */
export const systems: ReadonlyArray<System> = [
  irc,
  twitch,
  slack,
  discord,
  telegram,
  matrix,
  mattermost,
  teams,
  xmpp,
  zulip,
  whatsapp,
  mail
]
