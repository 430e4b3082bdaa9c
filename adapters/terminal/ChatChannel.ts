/**
 * Chat rooms that are text files: every process that may write the file is in the room.
 * It never says who wrote a line, because a file cannot tell, and never waits for a reader.
 * It starts a little before the end of the file, so that what was said while we were away is heard; hearing a line twice
 * is harmless, because the core knows lines by their signature and drops the stale by their time.
 */
import { constants, watch } from "node:fs"
import { mkdir, open, stat } from "node:fs/promises"
import { basename, dirname } from "node:path"
import { Effect, Layer, Queue, type Scope, Stream } from "effect"
import { ChannelError, type ChannelLine, ChatChannel, type ChatChannelShape } from "../../ports/ChatChannel.ts"
import { LineCutter } from "./LineCutter.ts"

export interface Settings {
  /** A room `lobby` is the channel `room:lobby`. Its file is made when it is missing. */
  readonly rooms: ReadonlyArray<{ readonly name: string; readonly file: string }>
  /** How much of what was said before the start is heard, in bytes. Default 64 KiB; 0 begins at the end. */
  readonly backlogBytes?: number
}

interface Room {
  readonly channel: string
  readonly file: string
}

/** One write of fewer bytes than a page does not mix with another process's on any local file system. */
const lineBytesMax = 2_000
/** Longer lines of others are skipped: a room must not fill our memory. */
const heardBytesMax = 8_192
const backlogBytesDefault = 65_536
const pieceBytes = 65_536
/** The file system tells us of changes; this is for those it does not tell of (network shares, inotify used up). */
const lookAgainMs = 250
const linesWaitingMax = 256
/** A room is for everyone its owner lets in: the group too, unless the umask says otherwise. Lines are public anyway. */
const roomMode = 0o660

const inWords = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const errnoOf = (error: unknown): unknown => (error instanceof Error && "code" in error ? error.code : undefined)

const unwritable = (file: string, error: unknown): ChannelError =>
  new ChannelError({ code: "unwritable", message: `the room file ${file} cannot be used: ${inWords(error)}` })

/** Opens for appending, creating if need be. A pipe or device in a room's place must not block us. */
const openToAppend = async (file: string) => {
  const flags = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | (constants.O_NONBLOCK ?? 0)
  const handle = await open(file, flags, roomMode)
  if ((await handle.stat()).isFile()) return handle
  await handle.close()
  throw new Error("it is not a regular file")
}

/**
 * Makes a folder and the parents it lacks. Not left to the `recursive` option: with it Node tries for ever where a
 * folder that exists says that it cannot hold another (`ENOENT` below /proc).
 */
const makeFolders = async (folder: string): Promise<void> => {
  const make = (): Promise<void> =>
    mkdir(folder).catch(async (error: unknown) => {
      if (errnoOf(error) !== "EEXIST" || !(await stat(folder)).isDirectory()) throw error
    })
  try {
    await make()
  } catch (error) {
    if (errnoOf(error) !== "ENOENT" || dirname(folder) === folder) throw error
    await makeFolders(dirname(folder))
    await make()
  }
}

const createRoom = async (file: string): Promise<void> => {
  await makeFolders(dirname(file))
  await (await openToAppend(file)).close()
}

/** Appends one line in one write. If somebody died in the middle of a line, ours starts on a fresh one. */
const appendLine = async (file: string, line: string): Promise<void> => {
  const handle = await openToAppend(file)
  try {
    const { size } = await handle.stat()
    const last = Buffer.alloc(1, "\n")
    if (size > 0) await handle.read(last, 0, 1, size - 1)
    const bytes = Buffer.from(`${last.toString("latin1") === "\n" ? "" : "\n"}${line}\n`, "utf8")
    const { bytesWritten } = await handle.write(bytes)
    if (bytesWritten !== bytes.length) throw new Error("the disk took only a part of the line")
  } finally {
    await handle.close()
  }
}

/** Where we are in a file. Another inode or a shorter file is another file: it is read from its start. */
interface Place {
  file: string
  position: number
  readonly cutter: LineCutter
}

const openPlace = async (file: string, backlogBytes: number): Promise<Place> => {
  const about = await stat(file)
  // One byte earlier than asked, so that a line that starts exactly there is not taken for the end of another.
  const position = Math.max(0, about.size - backlogBytes - 1)
  const cutter = new LineCutter(heardBytesMax)
  if (backlogBytes < about.size) cutter.skipToNewline()
  return { file: `${about.dev}:${about.ino}`, position, cutter }
}

/** Reads the next piece of the room; empty when there is nothing new. */
const readPiece = async (room: Room, place: Place): Promise<{ lines: ReadonlyArray<string>; bytes: number }> => {
  const handle = await open(room.file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  try {
    const about = await handle.stat()
    const file = `${about.dev}:${about.ino}`
    if (file !== place.file || about.size < place.position) {
      place.file = file
      place.position = 0
      place.cutter.restart()
    }
    const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(pieceBytes), 0, pieceBytes, place.position)
    place.position += bytesRead
    return { lines: place.cutter.feed(buffer.subarray(0, bytesRead)), bytes: bytesRead }
  } finally {
    await handle.close()
  }
}

/** Rings whenever the folder reports a change of the file. The folder is watched, because a rotated file is a new one. */
const watchFile = (file: string): Effect.Effect<Queue.Queue<void>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const bell = yield* Queue.sliding<void>(1)
    const ring = (_event: string, name: string | null): void => {
      if (name === null || name === basename(file)) Queue.offerUnsafe(bell, undefined)
    }
    const start = Effect.sync(() => {
      try {
        const watcher = watch(dirname(file), { persistent: false }, ring)
        return watcher.on("error", () => watcher.close())
      } catch {
        return undefined
      }
    })
    yield* Effect.acquireRelease(start, (watcher) => Effect.sync(() => watcher?.close()))
    return bell
  })

const follow = (
  room: Room,
  place: Place,
  bell: Queue.Queue<void>,
  heard: Queue.Queue<ChannelLine>
): Effect.Effect<never> => {
  // A file that is gone for the moment is a silent room: someone will make it again, perhaps we.
  const next = Effect.tryPromise(() => readPiece(room, place)).pipe(
    Effect.orElseSucceed(() => ({ lines: [], bytes: 0 }))
  )
  const listen = Effect.gen(function* () {
    const { lines, bytes } = yield* next
    for (const text of lines) yield* Queue.offer(heard, { channel: room.channel, author: null, text })
    if (bytes < pieceBytes) yield* Effect.raceFirst(Queue.take(bell), Effect.sleep(lookAgainMs))
  })
  return Effect.forever(listen)
}

const post = (rooms: ReadonlyMap<string, Room>, channel: string, line: string): Effect.Effect<void, ChannelError> => {
  const room = rooms.get(channel)
  if (room === undefined) {
    const known = [...rooms.keys()].join(", ")
    return Effect.fail(
      new ChannelError({ code: "no-channel", message: `there is no room ${channel}; the rooms are: ${known}` })
    )
  }
  if (/[\r\n]/.test(line)) {
    return Effect.fail(new ChannelError({ code: "unwritable", message: "a line cannot hold a line break" }))
  }
  const bytes = Buffer.byteLength(line, "utf8")
  if (bytes > lineBytesMax) {
    const message = `the line has ${bytes} bytes; ${lineBytesMax} fit in ${channel}`
    return Effect.fail(new ChannelError({ code: "line-too-long", message }))
  }
  return Effect.uninterruptible(
    Effect.tryPromise({ try: () => appendLine(room.file, line), catch: (error) => unwritable(room.file, error) })
  )
}

const join = (settings: Settings): Effect.Effect<ChatChannelShape, ChannelError, Scope.Scope> =>
  Effect.gen(function* () {
    const rooms = new Map(settings.rooms.map(({ name, file }) => [`room:${name}`, { channel: `room:${name}`, file }]))
    const heard = yield* Queue.bounded<ChannelLine>(linesWaitingMax)
    for (const room of rooms.values()) {
      const settle = async (): Promise<Place> => {
        await createRoom(room.file)
        return openPlace(room.file, settings.backlogBytes ?? backlogBytesDefault)
      }
      const place = yield* Effect.tryPromise({ try: settle, catch: (error) => unwritable(room.file, error) })
      const bell = yield* watchFile(room.file)
      yield* Effect.forkScoped(follow(room, place, bell, heard))
    }
    return {
      lines: Stream.fromQueue(heard),
      channels: Effect.succeed([...rooms.keys()]),
      post: (channel, line) => post(rooms, channel, line)
    }
  })

/** Rooms in files, followed for the layer's scope. Fails `unwritable` when a room's file cannot be made or opened. */
export const layer = (settings: Settings): Layer.Layer<ChatChannel, ChannelError> =>
  Layer.effect(ChatChannel, join(settings))
