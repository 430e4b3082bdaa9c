/**
 * The readers of the panel's server: the head of a request at the door, and the body of one behind it.
 * It never opens a socket: the door and the Schemas are the same code without one; `property-tests/web` goes over real ones.
 * The secrets are written here, so that an honest request comes in and a reading is the same every time.
 */
import { Redacted, Result, Schema } from "effect"
import * as Commands from "../../plugin/Commands.ts"
import * as Contract from "../../plugin/web/Contract.ts"
import * as Door from "../../plugin/web/Door.ts"
import type { Secrets } from "../../plugin/web/Secrets.ts"
import { demand, type Reading, refused, type Target, value } from "./Target.ts"

const [port, nowMs] = [7_334, 1_767_225_600_000]
const [segment, bearer, scrapeKey] = ["S".repeat(22), "B".repeat(43), "K".repeat(43)]
const origins = ["http://127.0.0.1:3000"]

const secrets: Secrets = {
  segment: Redacted.make(segment),
  link: () => Redacted.make(segment),
  knows: (given) => given === segment,
  trade: () => undefined,
  session: (given) => (given === bearer ? { id: 1 } : undefined),
  isScrapeKey: (given) => given === scrapeKey,
  sessions: () => 1
}

/** A head as text: the request line, then a header a line. */
const knockOf = (input: Uint8Array): Door.Knock => {
  const [first = "", ...lines] = Buffer.from(input).toString("latin1").split("\n")
  const [method = "", target = "", version = ""] = first.split(" ")
  const rawHeaders = lines.flatMap((line) => {
    const at = line.indexOf(": ")
    return at < 0 ? [] : [line.slice(0, at), line.slice(at + 2)]
  })
  return { method, target, version, rawHeaders }
}

const valuesOf = ({ rawHeaders }: Door.Knock, name: string): ReadonlyArray<string> =>
  rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]!.toLowerCase() === name)

const hosts = [`127.0.0.1:${port}`, `localhost:${port}`]

/** What no entry may be without, said a second time and more simply. */
const mayEnter = (knock: Door.Knock, entry: Door.Entry): void => {
  const [host, origin, authorization] = ["host", "origin", "authorization"].map((name) => valuesOf(knock, name))
  demand(host!.length === 1 && hosts.includes(host![0]!), "a request for another host came in")
  const own = hosts.map((one) => `http://${one}`)
  const isModule = entry.kind === "asset" && entry.asset === "module"
  const known = isModule ? [...own, ...origins] : own
  demand(
    origin!.every((one) => known.includes(one)),
    "a page of another origin came in"
  )
  demand(!/%|\.\.|\/\//.test(knock.target.split("?")[0]!), "a path that could be another one came in")
  demand(!isModule || knock.target.includes(segment), "the module without its segment")
  if (entry.kind === "asset") return
  const shown = authorization![0] ?? ""
  const scrapes = (entry.name === "health" || entry.name === "metrics") && shown === `Bearer ${scrapeKey}`
  const trades = entry.name === "session" && knock.target.includes(segment)
  demand(trades || scrapes || shown === `Bearer ${bearer}`, `${entry.name} without a bearer`)
  demand(valuesOf(knock, "transfer-encoding").length === 0, "a body without a length came in")
}

const head = (first: string, ...headers: ReadonlyArray<string>): Uint8Array =>
  Uint8Array.from(Buffer.from([`${first} 1.1`, `Host: ${hosts[0]}`, ...headers].join("\n")))

const door: Target = {
  name: "panel-door",
  says: "the head of a request to the panel's server",
  samples: (luck) =>
    luck.pick([
      head("GET /"),
      head("GET /page.js", "Sec-Fetch-Site: same-origin"),
      head(`GET /m/${segment}/panel.js`, `Origin: ${origins[0]}`, "Sec-Fetch-Site: cross-site"),
      head(
        `POST /m/${segment}/session`,
        `Origin: http://${hosts[0]}`,
        "Content-Type: application/json",
        "Content-Length: 2"
      ),
      head("GET /api/view", `Authorization: Bearer ${bearer}`),
      head("GET /api/events?after=0-1", `Authorization: Bearer ${bearer}`, "Last-Event-ID: 0-2"),
      head("DELETE /api/conversations/00ff", `Authorization: Bearer ${bearer}`, "Content-Length: 0"),
      head(
        "POST /api/command",
        `Authorization: Bearer ${bearer}`,
        "Content-Type: application/json",
        "Content-Length: 40"
      ),
      head("GET /metrics", `Authorization: Bearer ${scrapeKey}`)
    ]),
  words: [
    "Origin: null",
    "Host: evil.example",
    "..",
    "%2e",
    "//",
    "Transfer-Encoding: chunked",
    "Content-Length: 9",
    "/api/",
    "OPTIONS"
  ],
  read: (input): Reading => {
    const knock = knockOf(input)
    const entry = Door.make({ port, origins, secrets })(knock, nowMs)
    if (Result.isFailure(entry)) return refused(entry.failure.code)
    mayEnter(knock, entry.success)
    const { success } = entry
    return value(success.kind === "route" ? { ...success, query: [...success.query] } : success)
  }
}

const decode = Schema.decodeUnknownResult(Schema.fromJsonString(Contract.Command))
const decodeWish = Schema.decodeUnknownResult(Schema.fromJsonString(Contract.InviteWish))
const encode = Schema.encodeSync(Schema.fromJsonString(Contract.Command))

const body: Target = {
  name: "panel-body",
  says: "the body of a command or a wish for an invite, from a page with a bearer",
  samples: (luck) =>
    Uint8Array.from(
      Buffer.from(
        JSON.stringify(
          luck.pick<unknown>([
            {
              id: "12345678",
              line: luck.pick(["/friends", "/message @bob hi", "/claim wop3://x", "/rotate compromise"])
            },
            { id: "a-b_c-d_e", name: "grant", rest: "@bob#abc inject", waitMs: 5 },
            { id: "12345678", capability: "inject", uses: 3, expires: "7d", for: "A".repeat(43) }
          ])
        )
      )
    ),
  words: ["id", "line", "name", "rest", "waitMs", "null", "1e999", "__proto__", "\\ud800", "expires", "[[[[", "25000"],
  read: (input): Reading => {
    const text = Buffer.from(input).toString("utf8")
    const [command, wish] = [decode(text), decodeWish(text)]
    if (Result.isSuccess(command)) {
      const given = command.success
      const line = "line" in given ? given.line : `/${given.name} ${given.rest}`
      demand(Result.isSuccess(decode(encode(given))), "a command that was read cannot be read again")
      return value({ given, parsed: Commands.parse(line, { channel: undefined }).kind })
    }
    return Result.isSuccess(wish) ? value(wish.success) : refused("wrong-shape")
  }
}

export const webTargets: ReadonlyArray<Target> = [door, body]
