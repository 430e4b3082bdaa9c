/**
 * Which folder holds a node's identity and records: the order that README.md gives, decided in one place.
 * It never creates or changes anything; it looks, decides, and says why.
 * Two folders with an identity are refused, because picking one silently would be picking who we are.
 */
import { accessSync, constants, existsSync } from "node:fs"
import { homedir } from "node:os"
import { join, resolve } from "node:path"

export interface Places {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly home: string
  readonly exists: (path: string) => boolean
  readonly writable: (path: string) => boolean
}

/** The real machine. */
export const machine = (): Places => ({
  env: process.env,
  home: homedir(),
  exists: existsSync,
  writable: (path) => {
    try {
      accessSync(path, constants.W_OK)
      return true
    } catch {
      return false
    }
  }
})

export type Choice =
  | { readonly ok: true; readonly folder: string; readonly because: string }
  | { readonly ok: false; readonly message: string }

const holdsIdentity = (places: Places, folder: string): boolean => places.exists(join(folder, "identity.json"))

/**
 * `--data`, else WOPR_P2P_HOME, else /data/p2p (if it holds an identity, or in a container with a writable /data),
 * else $WOPR_HOME/p2p, else ~/.wopr/p2p.
 */
export const choose = (places: Places, explicit: string | undefined): Choice => {
  if (explicit !== undefined) return { ok: true, folder: resolve(explicit), because: "--data" }
  const named = places.env["WOPR_P2P_HOME"]
  if (named !== undefined && named !== "") return { ok: true, folder: resolve(named), because: "WOPR_P2P_HOME" }
  const inContainer = places.exists("/.dockerenv") || places.exists("/run/.containerenv")
  const woprHome = places.env["WOPR_HOME"]
  const own =
    woprHome !== undefined && woprHome !== "" ? join(resolve(woprHome), "p2p") : join(places.home, ".wopr", "p2p")
  const shared = "/data/p2p"
  if (holdsIdentity(places, shared) && holdsIdentity(places, own)) {
    return {
      ok: false,
      message: `both ${shared} and ${own} hold an identity; say which one to use with --data, or move one away`
    }
  }
  if (holdsIdentity(places, shared)) return { ok: true, folder: shared, because: "it holds an identity" }
  if (!holdsIdentity(places, own) && inContainer && places.exists("/data") && places.writable("/data")) {
    return { ok: true, folder: shared, because: "we run in a container with a writable /data" }
  }
  return { ok: true, folder: own, because: woprHome === undefined ? "the default" : "WOPR_HOME" }
}
