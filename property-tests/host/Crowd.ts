/**
 * A node that stands still: it describes a crowd of friends, two of one name, and notes what it is told to do.
 * Nothing becomes of a command here; that is tried with real nodes beside.
 * What it describes was a real node's once, so that no part of a description can be missing.
 */
import { Effect, PubSub } from "effect"
import type { Describe, Input, Node } from "../../core/index.ts"
import * as Follow from "../../plugin/host/Follow.ts"
import type { Entry } from "../../ports/ConversationLog.ts"
import { befriend, makeWorld } from "../world/World.ts"
import { serve } from "./Model.ts"

/** A node that only describes itself and notes what it is told to do. */
export const stub = (
  view: Describe.Description,
  entries: ReadonlyArray<Entry> = [],
  mayGrant = false,
  /** Whether what is sent has an outcome at once. */
  ends = false
) => {
  const follow = Follow.make()
  const commands: Array<Input.Command | { readonly _tag: "Rotate"; readonly reason: string }> = []
  const node: Node.Node = {
    command: (command) =>
      Effect.sync(() => {
        commands.push(command)
        const id = `${commands.length}`.padStart(32, "0")
        const peer = { peerId: view.friends[0]!.peerId, name: "carl", id, bytes: 2 }
        if (ends && command._tag === "Message") follow.note({ _tag: "Delivered", ...peer, kind: "Log" })
        if (ends && command._tag === "Inject") {
          follow.note({ _tag: "Answered", ...peer, text: "yes\n", confinement: undefined })
        }
        return { ok: true, id } as const
      }),
    describe: Effect.succeed(view),
    acquaintances: Effect.succeed(view),
    events: Effect.flatMap(PubSub.unbounded<never>(), PubSub.subscribe),
    decisions: Effect.flatMap(PubSub.unbounded<never>(), PubSub.subscribe),
    fingerprint: () => ({ words: "", number: "", qr: "" }),
    ended: Effect.never
  }
  const log = {
    append: () => Effect.void,
    remove: () => Effect.void,
    read: (conversation: string, limit: number) =>
      Effect.succeed(entries.filter((entry) => entry.conversation === conversation).slice(-limit))
  }
  const rotate = (reason: string) =>
    Effect.sync(() => {
      commands.push({ _tag: "Rotate", reason })
      return { from: "o".repeat(43), to: "n".repeat(43) }
    })
  return { daemon: serve({ node, follow, log, mayGrant, mayReply: false, rotate }), commands, follow, node }
}

/** A description with several friends, made of a real one, once. */
export const crowd = (): Promise<Describe.Description> => {
  crowded ??= makeCrowd()
  return crowded
}
let crowded: Promise<Describe.Description> | undefined
const makeCrowd = async (): Promise<Describe.Description> => {
  const world = makeWorld()
  const [ada, bob] = [await world.start("ada"), await world.start("bob")]
  await befriend(ada, bob)
  const view = await ada.describe()
  await world.end()
  const one = view.friends[0]!
  const friend = (name: string, letter: string): Describe.FriendView => ({
    ...one,
    name,
    shortId: letter.repeat(8),
    connected: false,
    sinceMs: 1_700_000_000_000,
    fingerprint: { words: `words of ${letter}`, number: `number of ${letter}`, qr: `qr of ${letter}` },
    conversation: `friend:p2p:${name}(${letter.repeat(6)})`,
    peerId: letter.repeat(64) as Describe.FriendView["peerId"],
    identityKey: letter.repeat(43) as Describe.FriendView["identityKey"]
  })
  const member = (name: string, letter: string): Describe.MemberView => ({
    topic: "chess",
    name,
    description: "plays at night",
    tags: ["chess"],
    identityKey: letter.repeat(43) as Describe.MemberView["identityKey"],
    met: true,
    trust: "unverified",
    friend: false,
    version: 1,
    expiresMs: 1_800_000_000_000
  })
  const request = (name: string, letter: string): Describe.RequestView => ({
    name,
    identityKey: letter.repeat(43) as Describe.RequestView["identityKey"],
    fingerprint: { words: `words of ${letter}`, number: `number of ${letter}`, qr: `qr of ${letter}` },
    channel: "room:lobby",
    author: name,
    evidence: "same",
    introducedBy: null,
    note: null,
    receivedAtMs: 1_700_000_000_000,
    trust: "unverified"
  })
  return {
    ...view,
    keysAnnounced: [],
    identityKey: "a".repeat(43) as Describe.Description["identityKey"],
    requests: [request("zoe", "i"), request("zoe", "j"), request("yan", "k")],
    friends: [friend("bob", "b"), friend("bob", "c"), friend("carl", "d"), friend("bbbbbbbb", "e")],
    topics: [{ name: "chess", secret: false, hash: "h".repeat(43), members: 3, sinceMs: 1_700_000_000_000 }],
    discovered: [member("dora", "f"), member("eve", "g"), member("eve", "h")]
  }
}

/** Times of today, as a snapshot can have them. */
export const settled = (text: string): string => text.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "(time)")
