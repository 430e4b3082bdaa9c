/**
 * `wopr-p2p bugreport [FILE]`: a report to give to somebody, from the node that runs or from its files.
 * It never sends anything anywhere, and never writes over a file; what is in it is JSON that its owner can read first.
 * The story comes from the audit log, so that it is there after a crash as well.
 */
import { randomBytes } from "node:crypto"
import { Effect } from "effect"
import { inWords } from "../../adapters/filesystem/Files.ts"
import * as PrivateFile from "../../adapters/filesystem/PrivateFile.ts"
import * as Sodium from "../../adapters/sodium/Crypto.ts"
import type { Describe } from "../../core/index.ts"
import { Crypto } from "../../ports/Crypto.ts"
import * as AuditFolder from "../audit/AuditFolder.ts"
import * as AuditLine from "../audit/AuditLine.ts"
import * as Verify from "../audit/Verify.ts"
import * as AtRest from "../control/AtRest.ts"
import { reachSoon } from "../control/Cli.ts"
import * as NodeFile from "../control/NodeFile.ts"
import * as DataFolder from "../DataFolder.ts"
import { version } from "../Version.ts"
import * as Redacting from "./Redacting.ts"
import * as Report from "./Report.ts"

export interface Options {
  readonly dataFolder: string
  /** Absent: to standard output. */
  readonly file: string | undefined
}

/** Checks what was given on the command line. */
export const readOptions = (
  words: ReadonlyArray<string>,
  given: { readonly data?: string | undefined }
): Options | { readonly mistake: string } => {
  if (words.length > 1) return { mistake: `bugreport takes one file, not "${words.join(" ")}"` }
  const chosen = DataFolder.choose(DataFolder.machine(), given.data)
  return chosen.ok ? { dataFolder: chosen.folder, file: words[0] } : { mistake: chosen.message }
}

/** The node as it says it is, if one runs, else as its files say. */
const view = async (
  dataFolder: string
): Promise<{ readonly running: boolean; readonly node: Describe.Description }> => {
  const client = await reachSoon(dataFolder)
  if (client === undefined) return { running: false, node: await Effect.runPromise(AtRest.describe(dataFolder)) }
  try {
    const { facts } = await client.ask({ kind: "describe" })
    return { running: true, node: facts as unknown as Describe.Description }
  } finally {
    client.close()
  }
}

/** The report of a folder's node. Rejects where there is none. */
export const make = async (dataFolder: string, salt: Uint8Array): Promise<Report.Report> => {
  const name = Redacting.naming(salt)
  const { node, running } = await view(dataFolder)
  const crypto = await Effect.runPromise(Effect.provide(Crypto, Sodium.layer))
  const found = AuditFolder.read(AuditFolder.folderOf(dataFolder))
  const verified = Verify.verify(crypto, found, [])
  const lines = found.files
    .flatMap(({ text }) => text.split("\n"))
    .flatMap((text) => AuditLine.read(crypto, text)?.body ?? [])
  return {
    report: 1,
    program: { version: version(), node: process.versions.node, platform: process.platform, arch: process.arch },
    running,
    ...Redacting.described(node, NodeFile.read(dataFolder), name, Date.now()),
    audit: { ok: verified.ok, codes: [...new Set(verified.findings.map(({ code }) => code))] },
    story: Redacting.story(lines, name)
  }
}

/** The command. Gives the exit code. */
export const bugreport = async ({ dataFolder, file }: Options): Promise<number> => {
  try {
    const text = `${JSON.stringify(await make(dataFolder, randomBytes(32)), null, 1)}\n`
    if (Report.read(text) === undefined) throw new Error("the report holds what none may hold; nothing is written")
    if (file === undefined) process.stdout.write(text)
    else {
      await Effect.runPromise(PrivateFile.writeNew(file, new TextEncoder().encode(text)))
      process.stdout.write(`${file}: no texts, names, keys or addresses are in it; read it before you pass it on\n`)
    }
    return 0
  } catch (error) {
    process.stderr.write(`${inWords(error)}\n`)
    return 1
  }
}
