/**
 * Each rule on planted texts: what it must find, and what it must leave alone.
 * It never reads the real house; a rule that finds nothing there could as well be blind.
 * The innocent texts are as close to the guilty ones as they can be: a rule that cries at everything gets switched off.
 */
import { describe, expect, it } from "vitest"
import { authority, gate } from "./Authority.ts"
import { imports, undeclared } from "./Imports.ts"
import { moduleState } from "./ModuleState.ts"
import { codes, links, machines, namedTests } from "./Pages.ts"
import { purity } from "./Purity.ts"
import type { Rule } from "./rules.ts"
import { docstrings, fileLength, fileLinesMax, functionLength, functionLinesMax, header } from "./Shape.ts"
import { source } from "./Source.ts"
import { words, wordsIn } from "./Words.ts"

/** A path, a text, and the line on which the rule must find something. */
type Guilty = readonly [path: string, text: string, line?: number]
type Innocent = readonly [path: string, text: string]

const judge = (name: string, rule: Rule, guilty: ReadonlyArray<Guilty>, innocent: ReadonlyArray<Innocent>): void => {
  describe(name, () => {
    for (const [path, text, line = 1] of guilty) {
      it(`finds ${path} ${JSON.stringify(text.slice(0, 80))}`, () => {
        const found = rule(source(path, text))
        expect(found.length).toBeGreaterThan(0)
        expect(found[0]).toMatchObject({ path, line })
        expect(found[0]?.sentence.length).toBeGreaterThan(20)
      })
    }
    for (const [path, text] of innocent) {
      it(`leaves alone ${path} ${JSON.stringify(text.slice(0, 80))}`, () => {
        expect(rule(source(path, text))).toEqual([])
      })
    }
  })
}

const lines = (count: number): string => "const x = 1\n".repeat(count)
const body = (count: number): string => "  use()\n".repeat(count)

judge(
  "imports",
  imports,
  [
    ["ports/Crypto.ts", `\nimport { readFile } from "node:fs"`, 2],
    ["ports/Crypto.ts", `import type { PeerId } from "../core/identity/PeerId.ts"`],
    ["core/friend/Roster.ts", `import * as Files from "../../adapters/filesystem/Files.ts"`],
    ["core/friend/Roster.ts", `export * from "../../plugin/Layers.ts"`],
    ["core/friend/Roster.ts", `import sodium from "sodium-native"`],
    ["core/friend/Roster.ts", `import { createHash } from "node:crypto"`],
    ["core/friend/Roster.ts", `import effectful from "effectful"`],
    ["core/wire/Frame.ts", `import * as Seal from "../session/Seal.ts"`],
    ["core/wire/Frame.ts", `import type { Session } from "../session/Seal.ts"`],
    ["core/wire/Frame.ts", `type S = import("../session/Seal.ts").Session`],
    ["core/wire/Frame.ts", `const seal = () => import("../session/Seal.ts")`],
    ["core/wire/Frame.ts", `const any = (name: string) => import(name)`],
    ["core/wire/Frame.ts", `import * as Core from "../index.ts"`],
    ["core/wire/Frame.ts", `import * as Other from "../Other.ts"`],
    ["core/attic/Old.ts", `import * as Frame from "../wire/Frame.ts"`],
    ["core/Table.ts", `import * as PeerId from "./identity/PeerId.ts"`],
    ["adapters/noble/Crypto.ts", `import { layer } from "../sodium/Crypto.ts"`],
    ["adapters/noble/Crypto.ts", `import sodium from "sodium-native"`],
    ["adapters/noble/Crypto.ts", `import * as Limits from "../../core/Limits.ts"`],
    ["adapters/noble/Crypto.ts", `/// <reference path="../sodium/sodium-native.d.ts" />`],
    ["plugin/Layers.ts", `import { World } from "../property-tests/world/World.ts"`],
    ["bench/bench.ts", `import { World } from "../property-tests/world/World.ts"`],
    ["property-tests/laws/wire.test.ts", `import { measure } from "../../bench/bench.ts"`]
  ],
  [
    ["ports/Crypto.ts", `import { Context } from "effect"\nimport type { Link } from "./Transport.ts"`],
    ["core/session/Seal.ts", `import * as Frame from "../wire/Frame.ts"\nimport type { Proof } from "./Proof.ts"`],
    ["core/wire/Frame.ts", `import * as Limits from "../Limits.ts"\nimport { x } from "effect/encoding"`],
    ["core/wire/Frame.ts", `// import * as Seal from "../session/Seal.ts"\nconst s = 'import "../session/Seal.ts"'`],
    ["core/index.ts", `export * as Frame from "./wire/Frame.ts"`],
    ["adapters/noble/Crypto.ts", `import { gcm } from "@noble/ciphers/aes.js"\nimport { x } from "node:crypto"`],
    [
      "adapters/hyperswarm/Link.ts",
      `/// <reference path="./hyperswarm.d.ts" />\nimport type { Link } from "../../ports/Transport.ts"`
    ],
    [
      "plugin/Layers.ts",
      `import { Step } from "../core/index.ts"\nimport { layer } from "../adapters/noble/Crypto.ts"`
    ],
    ["property-tests/laws/wire.test.ts", `import fc from "fast-check"\nimport { Step } from "../../core/index.ts"`]
  ]
)

judge(
  "declared dependencies",
  undeclared(["effect", "@noble/curves"]),
  [
    ["plugin/cli.ts", `import fc from "fast-check"`],
    ["plugin/cli.ts", `const check = () => import("fast-check")`]
  ],
  [
    [
      "plugin/cli.ts",
      `import "effect/testing"\nimport "@noble/curves/ed25519.js"\nimport "node:fs"\nimport "./index.ts"`
    ]
  ]
)

judge(
  "authority",
  authority,
  [
    ["core/node/Ingress.ts", `import { type Authentic, prove } from "../identity/Authentic.ts"`],
    ["core/node/Ingress.ts", `import { prove as believe } from "../identity/Authentic.ts"`],
    [
      "core/node/Ingress.ts",
      `import * as Authentic from "../identity/Authentic.ts"\nconst x = Authentic.prove(s, v)`,
      2
    ],
    ["core/index.ts", `export * as Authentic from "./identity/Authentic.ts"`],
    ["plugin/index.ts", `export { prove } from "../core/identity/Authentic.ts"`]
  ],
  [
    ["core/session/Seal.ts", `import { type Authentic, prove } from "../identity/Authentic.ts"`],
    ["core/node/Ingress.ts", `import * as Authentic from "../identity/Authentic.ts"\nconst x = Authentic.map(a, f)`],
    ["core/node/Input.ts", `import type { Authentic } from "../identity/Authentic.ts"`]
  ]
)

judge(
  "gate",
  gate,
  [["core/node/Friending.ts", `import * as Verdict from "../admission/Verdict.ts"\nconst v = Verdict.decide(q)`, 2]],
  [
    ["core/node/Decisions.ts", `const v = Verdict.decide(q)`],
    ["core/node/Friending.ts", `const v = Decisions.decide(state, who, asked, q)`]
  ]
)

judge(
  "purity",
  purity,
  [
    ["core/node/Step.ts", `/** A header. */\nexport const now = () => Date.now()`, 2],
    ["core/node/Step.ts", `const now = new Date()`],
    ["core/node/Step.ts", `const D = Date\nconst now = D["now"]()`],
    ["core/node/Step.ts", `const chance = Math.random()`],
    ["core/node/Step.ts", `const chance = Math["random"]()`],
    ["core/node/Step.ts", `const { random } = Math`],
    ["core/node/Step.ts", `import { Effect, Random } from "effect"`],
    ["core/node/Step.ts", `const t = performance.now()`],
    ["core/node/Step.ts", `setTimeout(() => {}, 1)`],
    ["core/node/Step.ts", `const later = globalThis.setTimeout`],
    ["core/node/Step.ts", `const home = process.env["HOME"]`],
    ["core/node/Step.ts", `const bag = { process }`],
    ["core/node/Step.ts", `const s = \`at \${Date.now()}\``]
  ],
  [
    ["core/node/Step.ts", `// Date.now() and Math.random() do not occur\nconst s = "Date.now() process globalThis"`],
    ["core/node/Step.ts", `const run = (process: { run: () => void }) => process.run()`],
    ["core/node/Step.ts", `const x = { process: 1 }.process + Math.max(1, 2)`],
    ["core/node/Step.ts", `interface Job { readonly process: string }`],
    ["core/node/Step.ts", `const nowMs = (turn: { readonly nowMs: number }) => turn.nowMs`],
    ["adapters/docker/Engine.ts", `const now = Date.now()`]
  ]
)

judge(
  "module state",
  moduleState,
  [
    ["adapters/noble/Crypto.ts", `/** A header. */\nlet calls = 0`, 2],
    ["adapters/noble/Crypto.ts", `export var calls = 0`],
    ["core/node/Step.ts", `const seen = new Map<string, number>()`],
    ["core/node/Step.ts", `export const seen = { peers: new Set<string>() }`],
    ["core/node/Step.ts", `const cache = new WeakMap<object, string>()`],
    ["core/node/Step.ts", `const scratch = new Uint8Array(32)`],
    ["core/node/Step.ts", `const list = new Array<string>(8)`],
    ["core/node/Step.ts", `const list: Array<string> = []\nexport const add = (one: string) => list.push(one)`, 2],
    ["core/node/Step.ts", `const counts = { turns: 0 }\nexport const turn = () => { counts.turns += 1 }`, 2],
    ["core/node/Step.ts", `const counts = { turns: 0 }\nexport const turn = () => { counts.turns++ }`, 2],
    [
      "core/node/Step.ts",
      `const peers: Record<string, number> = {}\nexport const drop = (p: string) => { delete peers[p] }`,
      2
    ],
    ["core/node/Step.ts", `const peers = {}\nexport const put = (p: object) => Object.assign(peers, p)`, 2],
    ["core/node/Step.ts", `export class Counter { static calls = 0 }`],
    ["plugin/load.js", `let loaded`]
  ],
  [
    [
      "core/node/Step.ts",
      `export const count = () => { let calls = 0; const seen = new Map(); seen.set(1, 1); return ++calls }`
    ],
    ["core/node/Step.ts", `const letters: ReadonlySet<string> = new Set(["a", "b"])`],
    ["core/node/Step.ts", `const limits = { turns: 8 }\nexport const turns = () => limits.turns`],
    ["core/node/Step.ts", `const list = ["a"]\nexport const add = (list: Array<string>) => list.push("b")`],
    [
      "core/node/Step.ts",
      `const list = ["a"]\nexport const add = () => { const list = [""]; list.push("b"); return list }`
    ],
    [
      "core/node/Step.ts",
      `import * as Table from "../Table.ts"\nexport const put = (t: Table.Table<string>) => Table.set(t, "a", "b")`
    ],
    ["adapters/memory/Model.ts", `export class Script { readonly #asked = new Map<string, number>() }`],
    ["adapters/sodium/sodium-native.d.ts", `declare module "sodium-native" { export let version: string }`],
    ["bench/bench.ts", `let rounds = 0\nrounds += 1`]
  ]
)

const threeSentences = "/**\n * It counts. It never forgets: that\n * is the reason.\n */\n"

judge(
  "headers",
  header,
  [
    ["core/node/Step.ts", `import { x } from "./x.ts"`],
    ["core/node/Step.ts", `// a step\nexport const x = 1`],
    ["core/node/Step.ts", `/** One sentence only. */\nexport const x = 1`]
  ],
  [
    ["core/node/Step.ts", `${threeSentences}export const x = 1`],
    ["plugin/wopr-p2p.js", `#!/usr/bin/env node\n${threeSentences}`],
    ["adapters/hyperswarm/Link.ts", `/// <reference path="./hyperswarm.d.ts" />\n${threeSentences}`]
  ]
)

judge(
  "length of a file",
  fileLength,
  [["core/node/Step.ts", lines(fileLinesMax + 1), fileLinesMax + 2]],
  [
    ["core/node/Step.ts", lines(fileLinesMax)],
    ["property-tests/laws/wire.test.ts", lines(fileLinesMax + 1)]
  ]
)

judge(
  "length of a function",
  functionLength,
  [
    ["core/node/Step.ts", `export const f = () => {\n${body(functionLinesMax - 1)}}`],
    [
      "core/node/Step.ts",
      `export const f = () => {\n  const g = () => {\n${body(functionLinesMax - 1)}  }\n  return g\n}`,
      2
    ]
  ],
  [
    ["core/node/Step.ts", `export const f = () => {\n${body(functionLinesMax - 2)}}`],
    [
      "core/node/Step.ts",
      `export const f = () => {\n  const g = () => {\n${body(40)}  }\n  const h = () => {\n${body(40)}  }\n  return [g, h]\n}`
    ]
  ]
)

judge(
  "docstrings",
  docstrings,
  [
    ["core/node/Step.ts", `${threeSentences}\nimport { Effect } from "effect"\nexport const f = () => 1`, 7],
    ["core/node/Step.ts", `const x = 1\nexport function f() { return 1 }`, 2],
    ["ports/Model.ts", `import { Effect } from "effect"\nexport const f = Effect.fnUntraced(function* () {})`, 2],
    ["core/node/Step.ts", `const x = 1\n// Says it in the wrong kind of comment.\nexport const f = () => 1`, 3]
  ],
  [
    ["core/node/Step.ts", `/** Says what it promises. */\nexport const f = () => 1`],
    ["core/node/Step.ts", `const f = () => 1\nexport const limit = 8`],
    ["plugin/cli.ts", `const x = 1\nexport const f = () => 1`]
  ]
)

judge(
  "words",
  words,
  [
    ["core/node/utils.ts", ""],
    ["adapters/docker/image-helpers.ts", ""],
    ["property-tests/helpers/World.ts", ""],
    ["core/node/Step.ts", `\nexport const peerInfo = 1`, 2],
    ["core/node/Step.ts", `export class MessageHandler {}`],
    ["core/node/Step.ts", `export interface FrameData { readonly x: 1 }`],
    ["core/node/Step.ts", `const a = 1\nexport { a as msg }`, 2]
  ],
  [
    ["plugin/DataFolder.ts", `export const dataFolder = "x"`],
    ["core/node/Step.ts", `const info = 1\nexport const information = info`],
    ["adapters/hyperswarm/hyperswarm.d.ts", `declare module "x" { export interface PeerInfo {} }`],
    ["property-tests/laws/wire.test.ts", `export const data = 1`]
  ]
)

it("takes a name apart into its words", () => {
  expect(["msgBytes", "HTTPHandler", "read_data", "invite-token", "informant", "dataFolderInfo"].map(wordsIn)).toEqual([
    ["msg"],
    ["handler"],
    ["data"],
    [],
    [],
    ["info"]
  ])
})

const there = (path: string): boolean =>
  ["README.md", "core", "core/README.md", "property-tests/laws/a.test.ts"].includes(path)

judge(
  "links",
  links(there),
  [
    ["README.md", "see\n[the core](core/READMEE.md)", 2],
    ["core/README.md", "[the house](README.md) and [up](../LICENSE)"]
  ],
  [
    ["README.md", "[core](core/README.md#laws) [folder](core/) [out](https://example.org/x) [here](#there)"],
    ["core/README.md", "[the house](../README.md)"],
    ["README.md", "```\n[an example](nowhere.md)\n```"],
    ["core/node/Step.ts", "// [a comment](nowhere.md)"]
  ]
)

judge(
  "named tests",
  namedTests(there),
  [["SECURITY.md", "| held by | `laws/a.test.ts`,\n`laws/b.test.ts` |", 2]],
  [
    ["SECURITY.md", "| held by | `laws/a.test.ts` |"],
    ["README.md", "`laws/b.test.ts`"]
  ]
)

judge(
  "codes",
  codes((code) => code === "not-a-friend"),
  [
    ["SECURITY.md", "it is told\n`no-such-code`", 2],
    ["README.md", "alice writes again: refused, not-friends"]
  ],
  [
    ["SECURITY.md", "it is told `not-a-friend`, in `kebab_no`, `single`"],
    ["README.md", "refused, not-a-friend"],
    ["core/README.md", "`any-thing`"]
  ]
)

judge(
  "machines",
  machines,
  [
    ["package-lock.json", `{\n"a": "${["https://packages.example/effect-4.1.0", "tgz"].join(".")}" }`, 2],
    ["package-lock.json", `"x": "${["registry", "npmjs"].join(".")}"`],
    [".npmrc", `fund=false\n${["registry", "https://packages.example"].join("=")}`, 2],
    ["README.md", `run it in ${["", "home", "alice", "p2p"].join("/")}`],
    ["core/node/Step.ts", `// see ${["", "Users", "alice"].join("/")}`],
    ["README.md", `run it in ${["C:", "Users", "alice"].join("\\")}`]
  ],
  [
    ["README.md", "--room /tmp/lobby, ~/.wopr/p2p, $WOPR_HOME/home/x, /data/p2p, docs/home/index.md, /dev/null"],
    ["package-lock.json", `"url": "https://github.com/sponsors/one", "integrity": "sha512-abc/root/def=="`],
    [".npmrc", "omit-lockfile-registry-resolved=true"]
  ]
)
