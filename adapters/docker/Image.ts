/**
 * Makes a small image out of this machine's own shell and a few commands, and gives it to the engine: no registry.
 * It must never reach the network, nor put anything in the image but the commands, their libraries and the given texts.
 * The archive is the same for the same content, so that its hash, kept as a label, tells that nothing is to be done.
 */
import { execFile } from "node:child_process"
import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import { access, realpath, stat } from "node:fs/promises"
import { posix } from "node:path"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { promisify } from "node:util"
import type Docker from "dockerode"
import { Data, Effect, Predicate } from "effect"
import { type Pack, pack } from "tar-stream"
import type { SandboxCode } from "../../ports/Sandbox.ts"
import { connect, defaultSocketPath, faultOf, refusedBy } from "./Engine.ts"
import { user } from "./isolation.ts"

/** A text of the image. `path` is absolute; `executable` makes it 0755 instead of 0644. */
export interface TextFile {
  readonly path: string
  readonly text: string
  readonly executable?: boolean
}

/** Which engine: absent, the one at Docker's usual socket. */
export interface Engine {
  readonly socketPath?: string
}

export interface Recipe extends Engine {
  /** `name:tag` under which the engine will hold it. */
  readonly tag: string
  readonly files?: ReadonlyArray<TextFile>
  /** Commands of this machine to take along beside `sh`; those it lacks are left out. */
  readonly commands?: ReadonlyArray<string>
  /** False: no `sh` is taken along. */
  readonly shell?: boolean
  /** Programs of this machine, by where they are to be in the image, with the libraries they are linked with. */
  readonly programs?: Readonly<Record<string, string>>
  /** More labels for the image. */
  readonly labels?: Readonly<Record<string, string>>
}

export interface Assembled {
  readonly imageId: string
  /** False when the engine already held the same content under the tag. */
  readonly imported: boolean
}

export class ImageError extends Data.TaggedError("ImageError")<{
  readonly code: SandboxCode
  readonly message: string
}> {}

type Entry =
  | { readonly type: "file"; readonly bytes: Uint8Array; readonly mode: number }
  /** A file of this machine. It is read piece by piece, each time anew: Node alone is over a hundred megabytes. */
  | { readonly type: "copy"; readonly of: string; readonly mode: number }
  | { readonly type: "symlink"; readonly target: string }
  | { readonly type: "directory"; readonly mode: number }

export const defaultCommands = "cat dd echo env grep head id ls mkdir od rm sed sleep tail tr true wc yes".split(" ")

/** An engine that does not answer keeps its images. */
const dropLimitMs = 10_000

const contentLabel = "wopr-p2p.content"
const folders = ["/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin"]
const run = promisify(execFile)

const located = async (command: string): Promise<string | undefined> => {
  for (const folder of folders) {
    const path = `${folder}/${command}`
    const there = await access(path).then(
      () => true,
      () => false
    )
    if (there) return path
  }
  return undefined
}

/** What the loader says of a program; nothing of one that is not linked dynamically, as glibc's and musl's ldd call it. */
const linkage = (program: string): Promise<string> =>
  run("ldd", [program]).then(
    ({ stdout }) => stdout,
    (failure: unknown) => {
      const text = Predicate.hasProperty(failure, "stderr") ? String(failure.stderr) : String(failure)
      if (/not a (dynamic executable|valid dynamic program)/i.test(text)) return ""
      throw new Error(`cannot list the libraries of ${program} (a Linux machine with ldd is needed): ${text}`)
    }
  )

/**
 * The libraries that programs are linked with, as the loader names them; none for a static one. All are asked about at once,
 * because to start a process takes Node a while; each alone where that fails, or where `ldd` answers for one only.
 */
const librariesOf = async (programs: ReadonlyArray<string>): Promise<ReadonlyArray<string>> => {
  const together = await run("ldd", [...programs]).then(
    ({ stdout }) => stdout,
    () => ""
  )
  const isWhole = programs.every((program) => together.includes(`${program}:\n`))
  const listed = isWhole ? [together] : await Promise.all(programs.map(linkage))
  const paths = listed.join("\n").matchAll(/(?:=>\s*|^\s*)(\/[^\s]+)\s+\(0x/gm)
  return [...new Set([...paths].map(([, path]) => path!))]
}

/** The commands as links in `/bin` to one copy of each program, which many of them may share. */
const commandEntries = async (
  commands: ReadonlyArray<string>,
  more: Readonly<Record<string, string>>
): Promise<ReadonlyMap<string, Entry>> => {
  const entries = new Map<string, Entry>()
  const linked = new Set(Object.values(more))
  for (const [path, program] of Object.entries(more)) entries.set(path, { type: "copy", of: program, mode: 0o755 })
  for (const command of commands) {
    const path = await located(command)
    if (path === undefined) continue
    const program = await realpath(path)
    linked.add(program)
    entries.set(program, { type: "copy", of: program, mode: 0o755 })
    if (program !== `/bin/${command}`) entries.set(`/bin/${command}`, { type: "symlink", target: program })
  }
  if (linked.size === 0) throw new Error("this machine has no program to take along")
  for (const library of await librariesOf([...linked])) {
    entries.set(library, { type: "copy", of: library, mode: 0o755 })
  }
  return entries
}

/** Adds the folders that the entries lie in; `/tmp` and `/proc` are there to be mounted on. */
const withFolders = (entries: ReadonlyMap<string, Entry>): ReadonlyMap<string, Entry> => {
  const all = new Map<string, Entry>([
    ["/tmp", { type: "directory", mode: 0o1777 }],
    ["/proc", { type: "directory", mode: 0o555 }],
    ...entries
  ])
  for (const path of entries.keys()) {
    for (let folder = posix.dirname(path); folder !== "/"; folder = posix.dirname(folder)) {
      if (!all.has(folder)) all.set(folder, { type: "directory", mode: 0o755 })
    }
  }
  return all
}

/** What an entry is called and whose it is; the same everywhere, for one content makes one archive. */
interface Head {
  readonly name: string
  readonly mode: number
  readonly mtime: Date
  readonly uid: number
  readonly gid: number
}

/** Fails with a sentence of its own: the code of a missing file would pass for that of a missing engine. */
const copy = async (tar: Pack, head: Head, of: string): Promise<void> => {
  try {
    const { size } = await stat(of)
    await pipeline(createReadStream(of), tar.entry({ ...head, size }))
  } catch (cause) {
    throw new Error(`cannot take ${of} along: ${cause instanceof Error ? cause.message : String(cause)}`)
  }
}

/** Writes the entries into an archive, as fast as it is read. */
const fill = async (tar: Pack, entries: ReadonlyMap<string, Entry>): Promise<void> => {
  for (const [path, entry] of [...entries].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const head = { mtime: new Date(0), uid: 0, gid: 0, name: path.slice(1) }
    if (entry.type === "copy") await copy(tar, { ...head, mode: entry.mode }, entry.of)
    else {
      const sink =
        entry.type === "file"
          ? tar.entry({ ...head, mode: entry.mode }, Buffer.from(entry.bytes))
          : entry.type === "symlink"
            ? tar.entry({ ...head, type: "symlink", linkname: entry.target, mode: 0o777 })
            : tar.entry({ ...head, name: `${head.name}/`, type: "directory", mode: entry.mode })
      // An archive that is given up tells every entry that waits; one that nobody hears would end the process.
      sink.on("error", () => undefined)
    }
  }
  tar.finalize()
}

/** One archive for one content: sorted, owned by root, dated at the epoch. What it is made of is read while it is. */
const archive = (entries: ReadonlyMap<string, Entry>): Readable => {
  const tar = pack()
  // Whoever reads learns of a failure by `filled`; the archive itself only has to stop.
  tar.on("error", () => undefined)
  const filled = fill(tar, entries)
  filled.catch(() => tar.destroy())
  const pieces = async function* () {
    try {
      yield* tar
    } catch (cause) {
      await filled
      throw cause
    }
    await filled
  }
  return Readable.from(pieces())
}

/**
 * The archive again, on its way to the engine: it ends in a failure if anything in it has changed meanwhile, before the
 * engine has the whole of it.
 */
const checked = (tar: Readable, content: string): Readable => {
  const hash = createHash("sha256")
  const same = async function* (pieces: AsyncIterable<Uint8Array>) {
    let last: Uint8Array | undefined
    for await (const piece of pieces) {
      hash.update(piece)
      if (last !== undefined) yield last
      last = piece
    }
    if (hash.digest("hex") !== content) throw new Error("a program of this machine has changed meanwhile; try again")
    if (last !== undefined) yield last
  }
  return Readable.from(same(tar))
}

const hashOf = async (tar: Readable): Promise<string> => {
  const hash = createHash("sha256")
  for await (const piece of tar) hash.update(piece)
  return hash.digest("hex")
}

/** The id of the image the engine holds under `tag`, if its content is `content`; any content of ours unless told. */
const heldId = async (docker: Docker, tag: string, content?: string): Promise<string | undefined> => {
  try {
    const image = await docker.getImage(tag).inspect()
    const held: string | undefined = image.Config.Labels?.[contentLabel]
    return held !== undefined && (content === undefined || held === content) ? image.Id : undefined
  } catch (cause) {
    if (faultOf(cause).status === 404) return undefined
    throw cause
  }
}

/** The engine answers an import with a stream of JSON lines, in which a failure is one more line. */
const imported = async (
  docker: Docker,
  { labels = {}, tag }: Recipe,
  content: string,
  tar: Readable
): Promise<void> => {
  const at = tag.lastIndexOf(":")
  const named = at > 0 ? { repo: tag.slice(0, at), tag: tag.slice(at + 1) } : { repo: tag, tag: "latest" }
  const marked = Object.entries({ ...labels, [contentLabel]: content }).map(([name, value]) => `LABEL ${name}=${value}`)
  const changes = [...marked, `USER ${user}`, `ENTRYPOINT ["/bin/sh"]`]
  const taken = async () => {
    const progress = await docker.importImage(tar, { ...named, changes })
    await new Promise<void>((resolve, reject) => {
      docker.modem.followProgress(progress, (failure) => (failure ? reject(failure) : resolve()))
    })
  }
  const broken = new Promise<never>((_, reject) => tar.once("error", reject))
  try {
    await Promise.race([taken(), broken])
  } finally {
    // An engine that refuses in the middle leaves a program of ours open.
    tar.destroy()
  }
}

/** Removes an image that lost its tag to a newer one, unless something else still needs it. */
const forgotten = (docker: Docker, imageId: string): Promise<void> =>
  docker
    .getImage(imageId)
    .remove()
    .then(
      () => undefined,
      () => undefined
    )

const assembled = async (recipe: Recipe, docker: Docker): Promise<Assembled> => {
  // Without an engine a hundred megabytes need not be read.
  await docker.ping()
  const commands = [...(recipe.shell === false ? [] : ["sh"]), ...(recipe.commands ?? defaultCommands)]
  const entries = new Map(await commandEntries(commands, recipe.programs ?? {}))
  for (const { path, text, executable } of recipe.files ?? []) {
    entries.set(posix.resolve("/", path), {
      type: "file",
      bytes: Buffer.from(text),
      mode: executable === true ? 0o755 : 0o644
    })
  }
  const all = withFolders(entries)
  const content = await hashOf(archive(all))
  const held = await heldId(docker, recipe.tag, content)
  if (held !== undefined) return { imageId: held, imported: false }
  const former = await heldId(docker, recipe.tag)
  await imported(docker, recipe, content, checked(archive(all), content))
  if (former !== undefined) await forgotten(docker, former)
  const imageId = await heldId(docker, recipe.tag, content)
  if (imageId === undefined) throw new Error(`the engine took the image ${recipe.tag} but does not show it`)
  return { imageId, imported: true }
}

const unmade = ({ socketPath = defaultSocketPath, tag }: Recipe, cause: unknown): ImageError => {
  const { code, message } = refusedBy(socketPath, "no-image")(faultOf(cause))
  return new ImageError({ code, message: code === "no-engine" ? message : `cannot assemble ${tag}: ${message}` })
}

/**
 * Sees to it that the engine holds the image of `recipe`: a shell, some commands and the given texts.
 * Reads everything to know whether anything has changed, and once more where it has. Fails with the engine's or this machine's reason.
 */
export const assemble = (recipe: Recipe): Effect.Effect<Assembled, ImageError> =>
  Effect.flatMap(connect(recipe.socketPath ?? defaultSocketPath), (docker) =>
    Effect.tryPromise({
      try: () => assembled(recipe, docker),
      catch: (cause) => unmade(recipe, cause)
    })
  )

/**
 * Removes an image that carries a label, unless a container or another name still needs it. Gives whether it is gone; one
 * without the label is left alone and counts as gone, for it is not what it was taken for.
 */
export const dropped = (imageId: string, label: string, socketPath = defaultSocketPath): Effect.Effect<boolean> =>
  Effect.flatMap(connect(socketPath), (docker) =>
    Effect.promise(async () => {
      const image = docker.getImage(imageId)
      try {
        const { Config } = await image.inspect()
        if (Config.Labels?.[label] !== undefined) await image.remove()
        return true
      } catch (cause) {
        return faultOf(cause).status === 404
      }
    })
  ).pipe(Effect.timeoutOrElse({ duration: dropLimitMs, orElse: () => Effect.succeed(false) }))
