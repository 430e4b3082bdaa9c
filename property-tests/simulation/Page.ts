/**
 * A run as a page: a lane for each node over virtual time, for a person who looks for what went wrong.
 * It never decides what matters; it draws every event that a node told, and a colour says of which kind it is.
 * One file without scripts: it can be sent to somebody, and shows the same in ten years.
 */
import { inWords, type Options } from "./Options.ts"

/** Something that happened to a node (or, with an empty name, to the world). */
export interface Moment {
  readonly atMs: number
  readonly node: string
  readonly kind: "up" | "down" | "died" | "told" | "wrong" | "trouble"
  readonly what: string
}

/** Pixels: an hour, a lane, the column of names. */
const hourWidth = 360
const laneHeight = 34
const left = 90
const top = 40
const hourMs = 3_600_000

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")

/** Events by what they mean for whoever looks; what is in none of them is grey. */
const colours: ReadonlyArray<readonly [string, RegExp, string]> = [
  ["talk", /^(Received|Delivered|Answered|JobStarted|JobEnded)/, "#2b8a3e"],
  ["friendship", /^(Friendship|RequestReceived|LinePosted|GrantChanged)/, "#1971c2"],
  ["links", /^(Connected|Disconnected|LinkRefused)/, "#868e96"],
  ["refusals", /^(Refused|PeerRefused|LineRefused|LineNotPosted|Banned|StorageFailed)/, "#e8590c"],
  ["keys and disks", /^(KeyRotated|DiskOlder|TwoMachines|Alarm)/, "#9c36b5"]
]

const colourOf = (what: string): string => colours.find(([, pattern]) => pattern.test(what))?.[2] ?? "#adb5bd"

const timeOf = (ms: number): string => new Date(ms).toISOString().slice(5, 19).replace("T", " ")

interface Scale {
  readonly fromMs: number
  readonly toMs: number
  readonly lanes: ReadonlyArray<string>
}

const x = ({ fromMs }: Scale, ms: number): string => (left + ((ms - fromMs) / hourMs) * hourWidth).toFixed(1)
const y = ({ lanes }: Scale, node: string): number => top + lanes.indexOf(node) * laneHeight

/** The times at which a node was up, as bars; a bar that ends in a death ends in black. */
const bars = (scale: Scale, node: string, moments: ReadonlyArray<Moment>): ReadonlyArray<string> => {
  const found: Array<string> = []
  let upMs: number | undefined
  const bar = (toMs: number) => {
    if (upMs === undefined) return
    const width = Math.max(1, ((toMs - upMs) / hourMs) * hourWidth).toFixed(1)
    found.push(`<rect class="up" x="${x(scale, upMs)}" y="${y(scale, node) + 8}" width="${width}" height="18"/>`)
  }
  for (const { atMs, kind } of moments) {
    if (kind === "up") upMs = atMs
    if (kind !== "down" && kind !== "died") continue
    bar(atMs)
    upMs = undefined
    if (kind === "died") {
      const title = `<title>${timeOf(atMs)} ${node} died</title>`
      found.push(`<rect x="${x(scale, atMs)}" y="${y(scale, node) + 4}" width="3" height="26">${title}</rect>`)
    }
  }
  bar(scale.toMs)
  return found
}

const mark = (scale: Scale, { atMs, kind, node, what }: Moment): string => {
  const title = `<title>${timeOf(atMs)} ${escaped(node)} ${escaped(what)}</title>`
  const at = x(scale, atMs)
  const middle = y(scale, node) + 17
  return kind === "wrong"
    ? `<path class="wrong" d="M${at} ${middle - 15}l9 15l-9 15l-9 -15z">${title}</path>`
    : kind === "trouble"
      ? `<circle class="trouble" cx="${at}" cy="${middle}" r="3">${title}</circle>`
      : `<rect fill="${colourOf(what)}" x="${at}" y="${middle - 9}" width="2" height="18">${title}</rect>`
}

const hours = (scale: Scale): ReadonlyArray<string> => {
  const count = Math.ceil((scale.toMs - scale.fromMs) / hourMs)
  const bottom = top + scale.lanes.length * laneHeight
  return Array.from({ length: count + 1 }, (_, hour) => {
    const ms = scale.fromMs + hour * hourMs
    const at = x(scale, ms)
    return `<line x1="${at}" y1="${top - 8}" x2="${at}" y2="${bottom}"/><text x="${at}" y="${top - 14}">${timeOf(ms)}</text>`
  })
}

const style = `body{font:14px system-ui,sans-serif;margin:1.5rem;color:#212529;background:#fff}
.lanes{overflow-x:auto;border:1px solid #dee2e6}
svg text{font:12px ui-monospace,monospace;fill:#495057}
svg line{stroke:#e9ecef}
.up{fill:#d3f9d8}.wrong{fill:#e03131}.trouble{fill:#f08c00}
.key span{display:inline-block;margin-right:1.2rem}.key i{display:inline-block;width:.8em;height:.8em;margin-right:.4em}
pre{background:#f8f9fa;padding:.8rem;overflow-x:auto}`

const key = [
  ...colours.map(([name, , colour]) => [name, colour] as const),
  ["other", "#adb5bd"],
  ["trouble", "#f08c00"],
  ["a checker", "#e03131"],
  ["up", "#d3f9d8"],
  ["died", "#000"]
]
  .map(([name, colour]) => `<span><i style="background:${colour}"></i>${name}</span>`)
  .join("")

/** The page of a run. `moments` in the order in which they happened. */
export const page = (options: Options, moments: ReadonlyArray<Moment>): string => {
  const nodes = Array.from({ length: options.nodes }, (_, index) => `n${index + 1}`)
  const fromMs = moments[0]?.atMs ?? 0
  const scale = { fromMs, toMs: moments.at(-1)?.atMs ?? fromMs, lanes: ["", ...nodes] }
  const of = (node: string) => moments.filter((moment) => moment.node === node)
  const wrong = moments.filter(({ kind }) => kind === "wrong")
  const width = left + 40 + Math.ceil((scale.toMs - fromMs) / hourMs) * hourWidth
  const height = top + scale.lanes.length * laneHeight + 10
  const names = scale.lanes.map(
    (node) => `<text x="8" y="${y(scale, node) + 21}">${node === "" ? "the world" : node}</text>`
  )
  const drawn = [
    ...hours(scale),
    ...names,
    ...nodes.flatMap((node) => bars(scale, node, of(node))),
    ...moments
      .filter(({ kind }) => kind === "told" || kind === "trouble" || kind === "wrong")
      .map((one) => mark(scale, one))
  ]
  const found = wrong.map(({ atMs, what }) => `<li>${timeOf(atMs)} ${escaped(what)}</li>`).join("")
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>seed ${options.seed}</title><style>${style}</style>
<h1>Seed ${options.seed}</h1>
<pre>${inWords(options).map(escaped).join("\n")}</pre>
<p>${found === "" ? "Everything was as it must be." : "What checkers found:"}</p>${found === "" ? "" : `<ul>${found}</ul>`}
<p class="key">${key}</p>
<p>Point at a mark to read what it is. Times are virtual.</p>
<div class="lanes" tabindex="0" role="region" aria-label="A lane for each node over time">
<svg width="${width}" height="${height}" role="img" aria-label="${options.nodes} nodes, ${moments.length} moments">
${drawn.join("\n")}
</svg></div></html>
`
}
