/**
 * The files that the former plugin left, recognised and read: keys, friends, peers, grants.
 * It never writes, never prints a secret, and believes nothing: every field is checked before it is used.
 * A start in a folder that holds them is refused before anything is opened: our readable snapshots have the same names.
 */
import { existsSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { Effect, Redacted, Result, Schema } from "effect"
import { shellWord } from "../../adapters/filesystem/Files.ts"
import { StoreError } from "../../ports/RecordStore.ts"

/** The files, by the names they had; after its move to SQL each was renamed `*.backup`. */
export const fileNames = ["identity.json", "friends.json", "peers.json", "access.json"] as const
export type FileName = (typeof fileNames)[number]

const bytesMax = 16 * 1_048_576
const optional = Schema.optionalKey(Schema.NullOr(Schema.String))
const key = Schema.String.check(Schema.isMaxLength(128))

/** Keys as base64 of DER; times in milliseconds. */
export const Identity = Schema.Struct({
  publicKey: key,
  privateKey: key,
  encryptPub: key,
  encryptPriv: key,
  created: Schema.Finite,
  rotatedFrom: optional
})
export type Identity = typeof Identity.Type

const Caps = Schema.optionalKey(Schema.Array(Schema.String))
const Friend = Schema.Struct({
  name: Schema.String,
  publicKey: key,
  encryptPub: key,
  addedAt: Schema.optionalKey(Schema.Finite),
  caps: Caps,
  channel: optional
})
const Peer = Schema.Struct({
  publicKey: key,
  encryptPub: optional,
  name: optional,
  added: Schema.optionalKey(Schema.Finite),
  caps: Caps,
  keyHistory: Schema.optionalKey(Schema.Unknown)
})
const Grant = Schema.Struct({
  peerKey: key,
  peerName: optional,
  peerEncryptPub: optional,
  sessions: Caps,
  caps: Caps,
  created: Schema.optionalKey(Schema.Finite),
  revoked: Schema.optionalKey(Schema.Unknown)
})

const FriendsFile = Schema.Struct({
  friends: Schema.Array(Schema.Unknown),
  pendingIn: Schema.optionalKey(Schema.Array(Schema.Unknown)),
  pendingOut: Schema.optionalKey(Schema.Array(Schema.Unknown)),
  autoAccept: Schema.optionalKey(Schema.Array(Schema.Unknown))
})

const decoders = {
  identity: Schema.decodeUnknownResult(Identity),
  friends: Schema.decodeUnknownResult(FriendsFile),
  friend: Schema.decodeUnknownResult(Friend),
  peer: Schema.decodeUnknownResult(Peer),
  grant: Schema.decodeUnknownResult(Grant)
}

/** What was found. `unread` counts what did not parse, by file. */
export interface Former {
  readonly identity: Redacted.Redacted<Identity> | undefined
  readonly friends: ReadonlyArray<typeof Friend.Type>
  readonly peers: ReadonlyArray<typeof Peer.Type>
  readonly grants: ReadonlyArray<typeof Grant.Type>
  readonly pending: number
  readonly autoAccept: number
  readonly unread: ReadonlyArray<string>
}

const jsonIn = (path: string): unknown => {
  try {
    return statSync(path).size > bytesMax ? undefined : JSON.parse(readFileSync(path, "utf8"))
  } catch {
    return undefined
  }
}

/** Where a file of the former plugin lies in a folder: under its name, or as it was renamed. */
export const pathOf = (folder: string, name: FileName): string | undefined =>
  [join(folder, name), join(folder, `${name}.backup`)].find((path) => existsSync(path) && isOurs(name, path) === false)

/** Whether a file is one of this program's of the same name. */
const isOurs = (name: FileName, path: string): boolean => {
  const value = jsonIn(path)
  if (typeof value !== "object" || value === null) return false
  return name === "identity.json" ? "version" in value : "journalSequence" in value
}

/** An identity in the form of the former plugin, or undefined: also a row of the host's table, exported as JSON. */
export const identityIn = (value: unknown): Redacted.Redacted<Identity> | undefined => {
  const row = Array.isArray(value) && value.length === 1 ? value[0] : value
  const read = decoders.identity(row)
  return Result.isSuccess(read) && read.success.publicKey.startsWith("MCowBQYDK2V")
    ? Redacted.make(read.success, { label: "former identity" })
    : undefined
}

const readAll = <A>(
  values: unknown,
  read: (value: unknown) => Result.Result<A, unknown>,
  name: string,
  unread: Array<string>
): ReadonlyArray<A> => {
  if (!Array.isArray(values)) return []
  return values.flatMap((value) => {
    const one = read(value)
    if (Result.isSuccess(one)) return [one.success]
    unread.push(name)
    return []
  })
}

/** What the former plugin kept, as it was found: nothing of it is checked yet. */
export interface Found {
  readonly identity: unknown
  /** `{friends, pendingIn, pendingOut, autoAccept}` */
  readonly friends: unknown
  readonly peers: unknown
  readonly grants: unknown
}

/** Everything that was found, each entry checked; what does not parse is counted and left. */
export const checked = (found: Found): Former => {
  const unread: Array<string> = []
  const file = decoders.friends(found.friends)
  const {
    autoAccept = [],
    friends,
    pendingIn = [],
    pendingOut = []
  } = Result.isSuccess(file) ? file.success : { friends: [] }
  return {
    identity: identityIn(found.identity),
    friends: readAll(friends, decoders.friend, "friends.json", unread),
    peers: readAll(found.peers, decoders.peer, "peers.json", unread),
    grants: readAll(found.grants, decoders.grant, "access.json", unread),
    pending: pendingIn.length + pendingOut.length,
    autoAccept: autoAccept.length,
    unread
  }
}

/** Everything of the former plugin in a folder. */
export const read = (folder: string): Former => {
  const at = (name: FileName): unknown => {
    const path = pathOf(folder, name)
    return path === undefined ? undefined : jsonIn(path)
  }
  return checked({
    identity: at("identity.json"),
    friends: at("friends.json"),
    peers: at("peers.json"),
    grants: at("access.json")
  })
}

/** Whether a start in this folder would find, and spoil, files of the former plugin. */
export const isFormer = (folder: string): boolean => {
  if (identityIn(jsonIn(join(folder, "identity.json"))) !== undefined) return true
  if (existsSync(join(folder, "identity.json")) || existsSync(join(folder, "journal.log"))) return false
  return Result.isSuccess(decoders.friends(jsonIn(join(folder, "friends.json"))))
}

/** Whether a folder holds anything of the former plugin, renamed files included. */
export const holdsAny = (folder: string): boolean => fileNames.some((name) => pathOf(folder, name) !== undefined)

/** Fails with the command that takes them over, if a folder holds the former plugin's files. */
export const guard = (folder: string): Effect.Effect<void, StoreError> =>
  Effect.suspend(() =>
    isFormer(folder)
      ? Effect.fail(
          new StoreError({
            code: "unwritable",
            message:
              `${folder} holds the files of the former plugin; nothing was changed. Take over its keys and friends with: ` +
              `wopr-p2p migrate --data ${shellWord(folder)} (and --dry-run to see what that does), or name another folder`
          })
        )
      : Effect.void
  )
