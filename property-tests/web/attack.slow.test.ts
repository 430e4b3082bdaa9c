/**
 * Attacks on the panel's server over bare sockets: rebound names, foreign pages, paths, sizes, bodies, bearers, smuggled requests.
 * It must never see anything open: no answer but a refusal, the node untouched, the owner's page served as before.
 * Every attack is made with the owner's own bearer too, where a browser might be made to send it: the door must not need luck.
 */
import { once } from "node:events"
import { connect } from "node:net"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import * as Bounds from "../../plugin/web/Bounds.ts"
import * as Routes from "../../plugin/web/Routes.ts"
import { mutate } from "../fuzz/Mutator.ts"
import * as Chance from "../simulation/Chance.ts"
import {
  type Answered,
  ask,
  hostOrigin,
  type Life,
  makePages,
  type Page,
  type Place,
  raw,
  read,
  segmentOf,
  signIn,
  until
} from "./Stage.ts"

let place: Place
let alice: Life
let page: Page
let host: string
const unhandled: Array<unknown> = []
const note = (reason: unknown) => void unhandled.push(reason)
beforeAll(async () => {
  process.on("unhandledRejection", note).on("uncaughtExceptionMonitor", note)
  ;({
    place,
    lives: [alice],
    pages: [page]
  } = await makePages("alice"))
  host = `127.0.0.1:${alice.port}`
}, 60_000)
afterAll(async () => {
  process.off("unhandledRejection", note).off("uncaughtExceptionMonitor", note)
  await place?.end()
})
afterEach(async () => {
  expect(unhandled).toEqual([])
  // What strangers used up comes back; the owner's page never has to wait for it.
  expect(await page.view()).toMatchObject({ identity: { name: "alice" }, friends: [], rules: [], invites: [] })
  expect(alice.log.filter((line) => line.includes("could not answer"))).toEqual([])
  await pause(1_500)
})
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** A request's bytes; headers that are given replace those of an honest one, null leaves one out. */
const bytes = (
  first: string,
  given: Readonly<Record<string, string | ReadonlyArray<string> | null>> = {},
  body = ""
): string => {
  const honest = { Host: host, Connection: "close", Authorization: `Bearer ${page.bearer}` }
  const headers = Object.entries({ ...honest, ...given }).flatMap(([name, value]) =>
    value === null ? [] : [value].flat().map((one) => `${name}: ${one}`)
  )
  return `${first} HTTP/1.1\r\n${headers.join("\r\n")}\r\n\r\n${body}`
}

const statusesOf = (said: string): ReadonlyArray<number> =>
  [...said.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]))

/** Sends bytes; whatever comes back must be refusals, one at most, and hold nothing of the node. */
const isRefused = async (what: string, sent: string | Uint8Array): Promise<number | undefined> => {
  const said = await raw(alice.port, sent)
  const statuses = statusesOf(said)
  expect(statuses.length, `${what}: ${said}`).toBeLessThanOrEqual(1)
  expect(statuses[0] ?? 400, `${what}: ${said}`).toBeGreaterThanOrEqual(400)
  expect(said, what).not.toContain("identityKey")
  expect(said.toLowerCase(), what).not.toContain("access-control-allow")
  return statuses[0]
}

const json = (value: unknown) => {
  const text = typeof value === "string" ? value : JSON.stringify(value)
  return { headers: { "Content-Type": "application/json", "Content-Length": String(Buffer.byteLength(text)) }, text }
}
const deed = json({ id: "evil-0001", line: "/auto-accept add *" })

describe("a name that is made to point here", () => {
  it("opens nothing, whatever it is called", async () => {
    const others = [
      ...["evil.example", `evil.example:${alice.port}`, "127.0.0.1", `127.0.0.1:${alice.port + 1}`, "localhost"],
      ...[
        `localhost.evil.example:${alice.port}`,
        `[::1]:${alice.port}`,
        `0.0.0.0:${alice.port}`,
        `127.1:${alice.port}`
      ],
      ...[`alice@${host}`, `${host}.`, `${host}, evil.example`, "", `2130706433:${alice.port}`]
    ]
    for (const other of others) {
      for (const path of ["/api/view", "/", "/health"]) {
        const status = await isRefused(`host ${other}`, bytes(`GET ${path}`, { Host: other }))
        expect([400, 403], other).toContain(status)
      }
    }
    await isRefused("no host", bytes("GET /api/view", { Host: null }))
    await isRefused("two hosts", bytes("GET /api/view", { Host: [host, "evil.example"] }))
    await isRefused("two hosts", bytes("GET /api/view", { Host: [host, host] }))
    await isRefused("an absolute target", bytes(`GET http://${host}/api/view`))
    await isRefused("another's absolute target", bytes("GET http://evil.example/api/view"))
  }, 60_000)
})

describe("a page of another origin", () => {
  const foreign = () => [
    ...["null", "http://evil.example", `https://${host}`, `http://127.0.0.1:${alice.port + 1}`, hostOrigin],
    ...[`http://${host}.evil.example`, `http://${host}/`, `http://${host} http://evil.example`, ""]
  ]
  it("changes and reads nothing, with the owner's bearer or without, in any form that a browser sends", async () => {
    for (const origin of foreign()) {
      const status = await isRefused(
        `origin ${origin}`,
        bytes("POST /api/command", { Origin: origin, ...deed.headers }, deed.text)
      )
      expect(status, origin).toBe(403)
      await isRefused(`origin ${origin}`, bytes("GET /api/view", { Origin: origin }))
      const path = `/m/${segmentOf(alice.moduleUrl)}/session`
      await isRefused(`origin ${origin}`, bytes(`POST ${path}`, { Origin: origin, ...json({}).headers }, "{}"))
      const preflight = { Origin: origin, "Access-Control-Request-Method": "POST" }
      await isRefused(`preflight ${origin}`, bytes("OPTIONS /api/command", preflight))
    }
    for (const site of ["cross-site", "same-site", "nonsense"])
      for (const first of ["GET /api/view", "GET /page.js", `GET ${new URL(alice.moduleUrl).pathname}`])
        expect(await isRefused(site, bytes(first, { "Sec-Fetch-Site": site }))).toBe(403)
  }, 60_000)
  it("cannot post a form: a body is JSON and says so", async () => {
    for (const type of [
      "text/plain",
      "application/x-www-form-urlencoded",
      "multipart/form-data; boundary=x",
      "application/jsonx",
      ""
    ]) {
      const headers = { ...deed.headers, "Content-Type": type }
      expect(await isRefused(type, bytes("POST /api/command", headers, deed.text))).toBe(415)
    }
    const untyped = { "Content-Length": deed.headers["Content-Length"] }
    expect(await isRefused("no type", bytes("POST /api/command", untyped, deed.text))).toBe(415)
  })
  it("learns of the module nothing without its segment, and has nobody framed or opened by it", async () => {
    const { pathname } = new URL(alice.moduleUrl)
    const other = pathname.replace(/.(?=\/panel)/, (last) => (last === "A" ? "B" : "A"))
    expect(await isRefused("another segment", bytes(`GET ${other}`, { Origin: hostOrigin }))).toBe(404)
    const headers = (await ask(alice, "/")).headers
    expect(headers.get("content-security-policy")).toContain(`frame-ancestors 'self' ${hostOrigin};`)
    expect(headers.get("content-security-policy")).toContain("default-src 'none'")
    expect(headers.get("cross-origin-opener-policy")).toBe("same-origin")
    expect(headers.get("cross-origin-resource-policy")).toBe("same-origin")
    expect(headers.get("x-content-type-options")).toBe("nosniff")
    expect(headers.get("set-cookie")).toBeNull()
  })
})

describe("a path", () => {
  it("leads to nothing but what the table names", async () => {
    const segment = segmentOf(alice.moduleUrl)
    const paths = [
      ...[
        "/../../../../etc/passwd",
        "/..",
        "/.",
        "//etc/passwd",
        "/page.js/../../identity.json",
        "/%2e%2e/identity.json"
      ],
      ...[
        "/..%2fidentity.json",
        "/..\\identity.json",
        "/page.js%00",
        "/page.js/",
        "/page.JS",
        "/index.html",
        "/panel.json"
      ],
      ...["/scrape.key", "/identity.json", "/api/../api/view", "/api//view", "/api/view/", "/api/view;x", "/API/view"],
      ...[
        `/m/${segment}/words.js`,
        `/m/${segment}/../page.js`,
        `/m/${segment}/panel.js/x`,
        `/m/${segment}`,
        "/m//panel.js"
      ],
      ...[
        "/api/conversations/..",
        "/api/conversations/../view",
        "/api/conversations/..%2f..%2fidentity",
        "/api/conversations/"
      ],
      ...[
        "/api/conversations/a/b/export",
        "/api/conversations/%00",
        "*",
        "api/view",
        "?",
        "/?a?b",
        "/\u00e4",
        "/api/view#x"
      ]
    ]
    for (const path of paths) await isRefused(path, Buffer.from(bytes(`GET ${path}`), "latin1"))
  }, 60_000)
  it("of a conversation is a friend's id and nothing else", async () => {
    for (const name of [
      "x",
      "0".repeat(64),
      `${"0".repeat(64)}-sent`,
      "-",
      "_proto_",
      "constructor",
      "identity.json"
    ]) {
      expect((await page.ask(`/api/conversations/${name}`)).status).toBe(404)
      expect((await page.ask(`/api/conversations/${name}`, { method: "DELETE" })).status).toBe(404)
      expect((await page.ask(`/api/conversations/${name}/export`)).status).toBe(404)
    }
  })
  it("with another method is refused, whatever header asks for one", async () => {
    for (const { method, path } of Object.values(Routes.table)) {
      const place = path.replace(":segment", segmentOf(alice.moduleUrl)).replace(":friend", "0".repeat(64))
      const others = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "QUERY"]
      const allowed = Object.values(Routes.table)
        .filter((route) => route.path === path)
        .map((route) => route.method as string)
      for (const other of others.filter((one) => !allowed.includes(one)))
        expect(await isRefused(`${other} ${path}`, bytes(`${other} ${place}`))).toBe(405)
      const override = { "X-HTTP-Method-Override": method, "X-Method-Override": method }
      expect(await isRefused("an override", bytes(`PATCH ${place}`, override))).toBe(405)
    }
  }, 60_000)
})

describe("too much of anything", () => {
  it("is refused before it is read", async () => {
    const most = String(Bounds.bodyBytesMax + 1)
    expect(await isRefused("a body", bytes("POST /api/command", { ...deed.headers, "Content-Length": most }))).toBe(413)
    expect(
      await isRefused("a number", bytes("POST /api/command", { ...deed.headers, "Content-Length": "9".repeat(14) }))
    ).toBe(413)
    const session = bytes(
      `POST /m/${segmentOf(alice.moduleUrl)}/session`,
      { ...deed.headers, "Content-Length": "65" },
      " ".repeat(65)
    )
    expect(await isRefused("a trade", session)).toBe(413)
    expect(await isRefused("a target", bytes(`GET /api/view?${"x".repeat(2_100)}`))).toBe(400)
    expect(await isRefused("headers", bytes("GET /api/view", { "X-Long": "x".repeat(9_000) }))).toBe(431)
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`X-${index}`, "x"]))
    await isRefused("many headers", bytes("GET /api/view", many))
    expect(await isRefused("a body of none", bytes("GET /api/view", { "Content-Length": "5" }, "hello"))).toBe(413)
    const big = json({ id: "12345678", line: "x".repeat(Bounds.bodyBytesMax - 40) })
    const answer = await raw(alice.port, bytes("POST /api/command", big.headers, big.text), 60_000)
    expect(statusesOf(answer)).toEqual([200])
    expect(answer).toContain('"ok":false')
  }, 90_000)
  it("of requests at once is refused, and of strangers never at the owner's cost", async () => {
    const close = { connection: "close" }
    const flood = (count: number, asked: () => Promise<Answered>) =>
      Promise.all(Array.from({ length: count }, () => asked().catch(() => undefined)))
    const stranger = (await flood(90, () => ask(alice, "/api/view", { headers: close }))).filter(
      (one) => one !== undefined
    )
    expect(stranger.map(({ status }) => status)).toContain(429)
    expect(stranger.every(({ status }) => status === 401 || status === 429)).toBe(true)
    expect(stranger.find(({ status }) => status === 429)?.headers.get("retry-after")).toMatch(/^\d+$/)
    expect((await page.ask("/api/view")).status).toBe(200)
    const own = await flood(800, () => page.ask("/api/commands", { headers: close }))
    expect(own.some((one) => one === undefined || one.status === 429 || one.status === 503)).toBe(true)
    await pause(6_000)
  }, 60_000)
})

describe("a body", () => {
  it("that is no JSON of the route's shape is refused in a sentence that repeats nothing of it", async () => {
    const wrong: ReadonlyArray<unknown> = [
      ...["", "{", "null", "[]", "true", "1e999", '"x"', "{}", "\u0000", '{"id":"12345678"}', `${"[".repeat(100_000)}`],
      ...[`{"a":`.repeat(20_000), '{"id":"12345678","line":5}', '{"id":"short","line":"canary-in-body"}'],
      ...['{"id":"has space","line":"/friends"}', '{"id":"12345678","line":"/friends","waitMs":1e9}'],
      ...['{"id":"12345678","line":"/friends","waitMs":"5"}', '{"id":"12345678","name":"Grant","rest":""}'],
      ...['{"__proto__":{"id":"12345678","line":"/friends"}}', '{"id":"12345678","name":"../x","rest":"x"}', "{'id':1}"]
    ]
    for (const one of wrong) {
      const { headers, text } = json(one as string)
      const said = await raw(alice.port, bytes("POST /api/command", headers, text))
      expect(statusesOf(said), text.slice(0, 80)).toEqual([400])
      expect(said).not.toContain("canary-in-body")
      await pause(10)
    }
    const bad = { "Content-Type": "application/json", "Content-Length": "4" }
    for (const route of ["command", "invites", "qr"])
      await isRefused("not UTF-8", Buffer.from(bytes(`POST /api/${route}`, bad, "\xff\xfe\x80{"), "latin1"))
    expect(({} as Record<string, unknown>)["id"]).toBeUndefined()
  }, 60_000)
})

describe("a bearer", () => {
  it("that was not given out by this server is none, wherever it stands", async () => {
    const segment = segmentOf(alice.moduleUrl)
    const wrong = [
      ...[
        "",
        "Bearer",
        "Bearer ",
        `Bearer ${"A".repeat(43)}`,
        `Bearer ${page.bearer.slice(0, -1)}`,
        `Bearer ${page.bearer}A`
      ],
      ...[
        `Bearer ${segment}`,
        `Basic ${Buffer.from(`x:${page.bearer}`).toString("base64")}`,
        page.bearer,
        `Token ${page.bearer}`
      ],
      ...[
        `Bearer ${page.bearer}, Bearer x`,
        `Bearer  ${page.bearer}`,
        "Bearer null",
        "Bearer undefined",
        "Bearer __proto__"
      ]
    ]
    for (const authorization of wrong)
      expect(await isRefused(authorization, bytes("GET /api/view", { Authorization: authorization }))).toBe(401)
    await pause(2_000)
    const none = { Authorization: null }
    const elsewhere = [
      bytes("GET /api/view", { ...none, Cookie: `bearer=${page.bearer}` }),
      bytes(`GET /api/view?bearer=${page.bearer}&authorization=Bearer+${page.bearer}`, none),
      bytes("GET /api/view", {
        ...none,
        "X-Authorization": `Bearer ${page.bearer}`,
        "Proxy-Authorization": `Bearer ${page.bearer}`
      }),
      bytes("GET /api/view", { Authorization: [`Bearer ${page.bearer}`, "Bearer x"] }),
      bytes(`GET /m/${segment}/api/view`, none),
      bytes("GET /api/events", none)
    ]
    for (const one of elsewhere) await isRefused("a bearer elsewhere", one)
    for (const guess of ["A".repeat(22), segment.slice(1), `${segment}A`, page.bearer, "..", "constructor"])
      expect(
        await isRefused(guess, bytes(`POST /m/${guess}/session`, { ...none, ...json({}).headers }, "{}"))
      ).toBeOneOf([400, 404])
  }, 60_000)
})

describe("somebody slow", () => {
  it("is hung up on in time: with a head, with a body, and with a connection that asks for nothing", async () => {
    const began = performance.now()
    const { headers } = json({ id: "12345678", line: "/friends" })
    const drip = async (first: string, rest: string) => {
      const socket = connect(alice.port, "127.0.0.1")
      let said = ""
      socket.on("data", (chunk) => {
        said += chunk.toString("latin1")
      })
      socket.on("error", () => {})
      const closed = once(socket, "close")
      socket.write(first)
      const dripping = setInterval(() => socket.write(rest), 500)
      await closed
      clearInterval(dripping)
      return said
    }
    const [head, body, nothing] = await Promise.all([
      drip("GET /api/view HTTP/1.1\r\n", "X: y\r\n"),
      drip(bytes("POST /api/command", { ...headers, Connection: "keep-alive", "Content-Length": "5000" }), " "),
      drip("", "")
    ])
    for (const said of [head, body, nothing]) expect(statusesOf(said).filter((status) => status < 400)).toEqual([])
    expect(performance.now() - began).toBeLessThan(Bounds.requestMs + 30_000)
  }, 90_000)
  it("does not keep the owner out, however many there are", async () => {
    const sockets = Array.from({ length: 300 }, () => connect(alice.port, "127.0.0.1").on("error", () => {}))
    await until(
      "the owner is served again",
      async () => (await page.ask("/api/view").catch(() => undefined))?.status === 200
    )
    for (const socket of sockets) socket.destroy()
  }, 90_000)
})

describe("event streams", () => {
  it("are so many at most, of a page and of all, and the rest of the server goes on", async () => {
    const pages = await Promise.all(Array.from({ length: 6 }, () => signIn(alice)))
    const all = await Promise.all(
      pages.flatMap((one) => Array.from({ length: 6 }, () => read(one, "/api/events").catch(() => undefined)))
    )
    const open = all.filter((stream) => stream !== undefined)
    expect(open).toHaveLength(Bounds.streamsMax)
    expect((await page.ask("/api/events")).json).toMatchObject({ code: "too-many" })
    expect((await page.ask("/api/view")).status).toBe(200)
    for (const stream of open) stream.close()
    await until("their places are free", async () => {
      const stream = await read(page, "/api/events").catch(() => undefined)
      stream?.close()
      return stream !== undefined
    })
  }, 60_000)
})

describe("two requests in one", () => {
  it("are one at most, and never the hidden one", async () => {
    const hidden = bytes("GET /api/view")
    const length = String(hidden.length)
    const typed = { "Content-Type": "application/json" }
    const smuggled: ReadonlyArray<readonly [string, string]> = [
      [
        "both lengths",
        bytes(
          "POST /api/command",
          { ...typed, "Content-Length": "4", "Transfer-Encoding": "chunked" },
          `0\r\n\r\n${hidden}`
        )
      ],
      ["two lengths", bytes("POST /api/command", { ...typed, "Content-Length": ["0", length] }, hidden)],
      ["two equal lengths", bytes("POST /api/command", { ...typed, "Content-Length": [length, length] }, hidden)],
      ["chunks", bytes("POST /api/command", { ...typed, "Transfer-Encoding": "chunked" }, `0\r\n\r\n${hidden}`)],
      ["odd chunks", bytes("POST /api/command", { ...typed, "Transfer-Encoding": "xchunked" }, `0\r\n\r\n${hidden}`)],
      [
        "chunks twice",
        bytes("POST /api/command", { ...typed, "Transfer-Encoding": "chunked, identity" }, `0\r\n\r\n${hidden}`)
      ],
      ["a folded header", bytes("POST /api/command", { ...typed, "Transfer-Encoding": "\r\n chunked" }, hidden)],
      ["a space before the colon", bytes("POST /api/command", { ...typed, "Content-Length ": length }, hidden)],
      ["a sign", bytes("POST /api/command", { ...typed, "Content-Length": `+${length}` }, hidden)],
      ["a bare line feed", bytes("POST /api/command", { ...typed, "X-A": "b\nContent-Length: 0" }, hidden)],
      ["a bare return", bytes("POST /api/command", { ...typed, "X-A": "b\rContent-Length: 0" }, hidden)],
      ["a null", bytes("GET /api/view", { "X-A": "b\0c" })],
      ["one behind a refused one", bytes("GET /api/nothing", { Connection: "keep-alive" }) + hidden],
      ["one behind a foreign one", bytes("GET /api/view", { Connection: "keep-alive", Origin: "null" }) + hidden],
      [
        "one in a refused body",
        bytes("POST /api/command", { "Content-Type": "text/plain", "Content-Length": length }, hidden)
      ]
    ]
    for (const [what, sent] of smuggled) await isRefused(what, sent)
  }, 60_000)
  it("in another protocol are none", async () => {
    const others = [
      ...[
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /api/view\r\n\r\n",
        bytes("GET /api/view").replace("HTTP/1.1", "HTTP/1.0")
      ],
      ...[
        bytes("GET /api/view").replace("HTTP/1.1", "HTTP/1.2"),
        bytes("CONNECT evil.example:443"),
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
      ],
      ...[
        bytes("GET /api/events", {
          Connection: "Upgrade",
          Upgrade: "websocket",
          "Sec-WebSocket-Version": "13",
          "Sec-WebSocket-Key": "x"
        })
      ],
      ...[
        bytes("GET /api/view", { Connection: "Upgrade, HTTP2-Settings", Upgrade: "h2c", "HTTP2-Settings": "x" }),
        "\r\n\r\n\r\n\r\n\x00"
      ]
    ]
    for (const one of others) await isRefused(JSON.stringify(one.slice(0, 60)), Buffer.from(one, "latin1"))
  }, 60_000)
})

describe("mutated requests", () => {
  it("open nothing without a bearer and break nothing with one, for a while, from a seed", async () => {
    const seed = process.env["SEED"] ?? String(Date.now())
    console.log(`SEED=${seed}`)
    const luck = Chance.of(`panel ${seed}`)
    const words = [
      "Content-Length: ",
      "Transfer-Encoding: chunked",
      "\r\n\r\n",
      "\0",
      "%2e",
      "//",
      "HTTP/1.0",
      "Origin: null"
    ]
    const honest = (withBearer: boolean) => {
      const none = withBearer ? {} : { Authorization: null }
      const { headers, text } = json({ id: "12345678", line: "/status" })
      return [
        bytes("GET /api/view", none),
        bytes("POST /api/command", { ...none, ...headers }, text),
        bytes("GET /api/conversations/00ff?limit=5&search=x", none),
        bytes(`POST /m/${"A".repeat(22)}/session`, { ...none, ...json({}).headers }, "{}")
      ].map((one) => Uint8Array.from(Buffer.from(one)))
    }
    const untilMs = performance.now() + 20_000
    for (let tried = 0; performance.now() < untilMs; tried++) {
      const withBearer = luck.happens(0.5)
      const samples = honest(withBearer)
      const sent = mutate(luck.pick(samples), luck.pick(samples), words, luck)
      const said = await raw(alice.port, sent, 600)
      const what = `SEED=${seed}, number ${tried}: ${Buffer.from(sent).toString("base64")}`
      for (const status of statusesOf(said)) {
        if (!withBearer)
          expect(status === 200 ? said.includes("text/html") || said.includes("text/css") : true, what).toBe(true)
        expect(status, what).not.toBe(500)
      }
      expect(withBearer || !said.includes("identityKey"), what).toBe(true)
      await pause(20)
    }
    await pause(7_000)
  }, 120_000)
})
