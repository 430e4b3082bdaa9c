/**
 * The package as strangers get it: a git clone that runs with no build, and a tarball that runs built.
 * It never builds in the project's own folder and never asks a registry: what is installed here is linked there.
 * Only declared dependencies are linked beside the tarball, so an import of anything else fails here and not at a user's.
 */

import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { delimiter, join } from "node:path"
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core"
import { publint } from "publint"
import { describe, expect, it } from "vitest"
import { copy, link, printed, run, scratch } from "../tidy/Copy.ts"
import { paths, projectRoot } from "../tidy/Tree.ts"

const read = (path: string) => JSON.parse(readFileSync(join(projectRoot, path), "utf8"))
const manifest = read("package.json")
const name: string = manifest.name

/** Runs a module's text in a folder and gives what it printed as JSON. */
const evaluate = (folder: string, text: string): unknown => {
  const result = run(folder, process.execPath, "--input-type=module", "--eval", text)
  expect(result.status, printed(result)).toBe(0)
  return JSON.parse(result.stdout)
}

const describePlugin = (specifier: string): string => `
  const first = await import(${JSON.stringify(`${specifier}?t=1`)})
  const again = await import(${JSON.stringify(`${specifier}?t=1`)})
  const fresh = await import(${JSON.stringify(`${specifier}?t=2`)})
  const { init, name, shutdown, version } = first.default
  console.log(JSON.stringify({
    name, version, init: typeof init, shutdown: typeof shutdown,
    same: again.default === first.default, fresh: fresh.default !== first.default
  }))`

const plugin = {
  name: "p2p",
  version: manifest.version,
  init: "function",
  shutdown: "function",
  same: true,
  fresh: true
}

/** What the program says when asked for its version and for help. */
const program = (folder: string, path: string) => {
  const version = run(folder, process.execPath, path, "version")
  const help = run(folder, process.execPath, path, "help")
  expect([version.status, help.status], `${printed(version)}${printed(help)}`).toEqual([0, 0])
  return { version: version.stdout.trim(), help: help.stdout }
}

describe("a git clone", () => {
  it("loads as a plugin with no build, and afresh for every new query", () => {
    const folder = copy("clone", false)
    expect(existsSync(join(folder, "dist"))).toBe(false)
    expect(evaluate(folder, describePlugin(`./${manifest.main}`))).toEqual(plugin)
    expect(existsSync(join(folder, "dist"))).toBe(false)
  })

  it("runs its program with no build", () => {
    const told = program(copy("clone", false), "plugin/wopr-p2p.js")
    expect(told.version).toContain(manifest.version)
    expect(told.help).toContain("wopr-p2p run")
  })
})

/** Packs a copy; gives the copy, the tarball and what is in it. */
const pack = () => {
  const folder = copy("pack", false)
  const result = run(folder, "npm", "pack", "--json")
  expect(result.status, printed(result)).toBe(0)
  const start = result.stdout.indexOf("[\n")
  const [packed] = JSON.parse(result.stdout.slice(start)) as [{ filename: string; files: Array<{ path: string }> }]
  return { folder, tarball: join(folder, packed.filename), files: packed.files.map(({ path }) => path) }
}

/** The tarball under a node_modules, as npm would put it there, beside its declared dependencies and nothing else. */
const install = (tarball: string): { readonly app: string; readonly place: string } => {
  const app = scratch("installed")
  const place = join(app, "node_modules", name)
  mkdirSync(place, { recursive: true })
  const unpacked = run(app, "tar", "-xzf", tarball, "-C", place, "--strip-components=1")
  expect(unpacked.status, printed(unpacked)).toBe(0)
  link(app, Object.keys(manifest.dependencies))
  return { app, place }
}

describe("a tarball", () => {
  it("holds every module built, what `files` lists, and nothing else; no build stays behind", () => {
    const { files, folder } = pack()
    expect(existsSync(join(folder, "dist"))).toBe(false)
    const modules = paths(projectRoot, false)
      .filter(
        (path) => /^(core|ports|adapters|plugin)\/.*\.ts$|^adapters\/.*\.js$/.test(path) && !path.endsWith(".d.ts")
      )
      .map((path) => path.replace(/\.[tj]s$/, ""))
    expect(modules.length).toBeGreaterThan(60)
    const built = modules.flatMap((path) => [`dist/${path}.js`, `dist/${path}.d.ts`])
    const browsers = paths(projectRoot, false).filter((path) => /^plugin\/web\/(page|panel)\//.test(path))
    expect(browsers).toContain("plugin/web/page/index.html")
    const listed = (manifest.files as Array<string>).filter((path) => path !== "dist")
    // npm takes the README of every folder that it takes something from, asked or not.
    expect([...files].sort()).toEqual(
      [...built, ...browsers.map((path) => `dist/${path}`), ...listed, "plugin/README.md", "package.json"].sort()
    )
  })

  it("installed with its dependencies alone, loads as a plugin, runs its program and gives its core", () => {
    const { app, place } = install(pack().tarball)
    const main = `./node_modules/${name}/${manifest.main}`
    expect(evaluate(app, describePlugin(main))).toEqual(plugin)
    const byName = `import plugin from "${name}"\nimport { Step } from "${name}/core"
      console.log(JSON.stringify([plugin.name, typeof Step.step]))`
    expect(evaluate(app, byName)).toEqual(["p2p", "function"])
    const assets = `import { read } from "./node_modules/${name}/dist/plugin/web/Assets.js"
      console.log(JSON.stringify(Object.keys(read())))`
    expect(evaluate(app, assets)).toContain("/page.js")
    expect(program(app, join(place, manifest.bin["wopr-p2p"])).version).toContain(manifest.version)
  })

  it("gives its types to a strict program", () => {
    const { app } = install(pack().tarball)
    link(app, ["typescript", "@types/node"])
    const lines = [
      `import plugin, { type Plugin } from "${name}"`,
      `import { type Input, Rejection, Step } from "${name}/core"`,
      `export const known: Plugin = plugin`,
      `export const step: typeof Step.step = Step.step`,
      `export const code: Rejection.Code = "not-a-friend"`,
      `export const input: Input.Input = { _tag: "Tick" }`
    ]
    writeFileSync(join(app, "user.ts"), `${lines.join("\n")}\n`)
    const tsc = ["node_modules/typescript/bin/tsc", "--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext"]
    const good = run(app, process.execPath, ...tsc, "user.ts")
    expect(good.status, printed(good)).toBe(0)
    writeFileSync(join(app, "wrong.ts"), `${lines.join("\n").replace("not-a-friend", "not-a-code")}\n`)
    expect(printed(run(app, process.execPath, ...tsc, "wrong.ts"))).toContain("not-a-code")
  })
})

/** What is wrong for programs that import; for those that require, an ESM package has nothing. */
const wrongTypes = async (tarball: string): Promise<ReadonlyArray<unknown>> => {
  const analysis = await checkPackage(createPackageFromTarballData(new Uint8Array(readFileSync(tarball))))
  if (!analysis.types) return ["the package has no types"]
  const isOfRequire = (problem: object) =>
    "resolutionKind" in problem && ["node10", "node16-cjs"].includes(String(problem.resolutionKind))
  expect(Object.keys(analysis.entrypoints).sort()).toEqual([".", "./core", "./package.json"])
  return analysis.problems.filter((problem) => !isOfRequire(problem))
}

const unpacked = (tarball: string): string => {
  const folder = scratch("unpacked")
  expect(run(folder, "tar", "-xzf", tarball).status).toBe(0)
  return join(folder, "package")
}

describe("both tarballs", () => {
  it("have nothing that publint or are-the-types-wrong finds, and differ in their name alone", async () => {
    const { folder, tarball } = pack()
    const result = run(folder, "npm", "run", "pack:host", "--silent")
    expect(result.status, printed(result)).toBe(0)
    const second = join(folder, result.stdout.trim())
    expect(existsSync(join(folder, "dist"))).toBe(false)
    for (const one of [tarball, second]) {
      const bytes = Uint8Array.from(readFileSync(one))
      expect((await publint({ pack: { tarball: bytes.buffer }, strict: true })).messages).toEqual([])
      expect(await wrongTypes(one)).toEqual([])
      console.info(`${one.split("/").at(-1)}: ${Math.round(bytes.length / 1_000)} kB`)
      expect(bytes.length).toBeLessThan(1_000_000)
    }
    const [ours, theirs] = [unpacked(tarball), unpacked(second)]
    const packed = JSON.parse(readFileSync(join(theirs, "package.json"), "utf8"))
    expect(packed).toEqual({ ...manifest, name: "@wopr-network/plugin-p2p" })
    expect(
      printed(run(folder, "diff", "-rq", ours, theirs))
        .trim()
        .split("\n")
    ).toEqual([expect.stringMatching(/package\.json .*differ$/)])
  }, 120_000)

  it("a plugin whose types are missing is found", async () => {
    const folder = copy("untyped", false)
    const without = { ...manifest, files: ["plugin/entry.js", "plugin/load.js"], scripts: {} }
    writeFileSync(join(folder, "package.json"), JSON.stringify(without))
    const result = run(folder, "npm", "pack", "--json")
    const [packed] = JSON.parse(result.stdout) as [{ filename: string }]
    const bytes = Uint8Array.from(readFileSync(join(folder, packed.filename)))
    expect((await publint({ pack: { tarball: bytes.buffer }, strict: true })).messages.length).toBeGreaterThan(0)
    expect(await wrongTypes(join(folder, packed.filename))).not.toEqual([])
  })

  it("run nothing when they are installed", () => {
    expect(Object.keys(manifest.scripts).filter((name) => /^(pre|post)?(install|prepare)$/.test(name))).toEqual([])
  })
})

const tooOld = (version: string): boolean => {
  const [major = 0, minor = 0] = version.replace(/^v/, "").split(".").map(Number)
  return major < 22 || (major === 22 && minor < 19)
}

/** A Node of this machine that is too old for the sources, if there is one. */
const oldNode = (process.env["PATH"] ?? "")
  .split(delimiter)
  .map((folder) => join(folder, "node"))
  .find((path) => existsSync(path) && tooOld(spawnSync(path, ["--version"], { encoding: "utf8" }).stdout ?? "v99"))
if (oldNode === undefined)
  console.warn("SKIPPED: no Node older than 22.19 on this machine; its version is pretended only")

describe("an old Node", () => {
  const pretending = (version: string) => {
    const pretence = `data:text/javascript,Object.defineProperty(process.versions,"node",{value:"${version}"})`
    return run(projectRoot, process.execPath, "--import", pretence, "plugin/wopr-p2p.js", "version")
  }

  it.each(["18.20.4", "20.20.2", "22.18.0"])("%s is told which one is needed", (version) => {
    const result = pretending(version)
    expect(result.status).toBe(1)
    expect(result.stderr).toBe(
      `Node ${version} is too old: this program needs 22.19 or newer. In a clone, "npm start" brings its own.\n`
    )
  })

  it.each(["22.19.0", "24.0.0", "26.1.0"])("%s is new enough", (version) => {
    expect(pretending(version).status).toBe(0)
  })

  it.runIf(oldNode !== undefined)("a real one says so too, as program and as plugin", () => {
    const asProgram = run(projectRoot, oldNode ?? "", "plugin/wopr-p2p.js", "version")
    expect(asProgram.status).toBe(1)
    expect(asProgram.stderr).toContain("this program needs 22.19 or newer")
    const asPlugin = run(projectRoot, oldNode ?? "", "--input-type=module", "--eval", `import "./plugin/entry.js"`)
    expect(asPlugin.status).not.toBe(0)
    expect(asPlugin.stderr).toContain("this program needs 22.19 or newer")
  })

  it("is refused by the manifest as well", () => {
    expect(manifest.engines.node).toBe(">=22.19")
  })
})

describe("what an installation runs and where it comes from", () => {
  const locked = Object.entries<{
    readonly resolved?: string
    readonly hasInstallScript?: boolean
    readonly link?: boolean
  }>(read("package-lock.json").packages)

  it("names no host that packages were fetched from, and every package has its hash", () => {
    expect(locked.length).toBeGreaterThan(100)
    expect(locked.filter(([, { resolved }]) => resolved !== undefined).map(([path]) => path)).toEqual([])
    expect(locked.filter(([path, one]) => path !== "" && !("integrity" in one)).map(([path]) => path)).toEqual([])
  })

  it("runs no install script but the one that brings Node", () => {
    const withScript = locked
      .filter(([, { hasInstallScript }]) => hasInstallScript === true)
      .map(([path]) => path.replace(/^.*node_modules\//, ""))
    const { allowScripts } = manifest as { readonly allowScripts: Readonly<Record<string, boolean>> }
    expect(Object.keys(allowScripts)).toEqual(expect.arrayContaining(withScript))
    expect(Object.entries(allowScripts).filter(([, allowed]) => allowed)).toEqual([["node", true]])
  })
})
