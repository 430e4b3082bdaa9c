/**
 * What happens to a node as events named `p2p:…`: for other plugins, on the host's bus and by the extension's own emitter.
 * It never passes a text of a friend or a secret on: the host's bus is heard by everybody, and some write what they hear down.
 * A listener that throws, or a bus that refuses, costs the others nothing.
 */
import type { Event } from "../../core/index.ts"
import * as Present from "../Present.ts"
import { attempt, type HostContext } from "./Context.ts"

type Told<Tag extends Event.Event["_tag"]> = Extract<Event.Event, { _tag: Tag }>

interface Friend {
  readonly name: string
  /** Local and unchanging, whatever keys the friend has. */
  readonly peerId: string
}

interface Subject extends Friend {
  readonly id: string
}

/** Every event with what it carries. A new one is a row here, one of `says`, and one of `made`. */
export interface Events {
  readonly "p2p:friendRequest:pending": Friend & {
    readonly identityKey: string
    readonly where: string
    readonly evidence: string
  }
  /** A friend introduces somebody, by its word alone; `rivals` counts friends of that name with another key. */
  readonly "p2p:introduction:pending": {
    readonly name: string
    readonly identityKey: string
    readonly by: Friend
    readonly rivals: number
  }
  readonly "p2p:friend:added": Friend & { readonly identityKey: string; readonly by: string }
  readonly "p2p:friend:removed": Friend & { readonly by: string }
  readonly "p2p:grant:changed": Friend & { readonly youMay: ReadonlyArray<string> }
  readonly "p2p:trust:changed": Friend & { readonly from: string; readonly to: string }
  readonly "p2p:alarm": Friend & { readonly code: string }
  readonly "p2p:key:rotated": {
    readonly whose: "ours" | "theirs"
    readonly name: string
    readonly from: string
    readonly to: string
  }
  readonly "p2p:peer:connected": Friend
  readonly "p2p:peer:disconnected": Friend
  readonly "p2p:message:received": Subject & { readonly conversation: string; readonly bytes: number }
  readonly "p2p:message:delivered": Subject & { readonly kind: string }
  readonly "p2p:message:refused": Subject & { readonly kind: string; readonly code: string }
  readonly "p2p:inject:answered": Subject & { readonly bytes: number }
  readonly "p2p:inject:held": Subject & { readonly reason: string; readonly expiresAtMs: number }
  readonly "p2p:invite:redeemed": Subject & { readonly usesLeft: number }
  /** A claim or a request to connect of ours has its outcome: `code` is null where it made a friend. */
  readonly "p2p:errand:ended": { readonly id: string; readonly kind: string; readonly code: string | null }
  readonly "p2p:topic:discovered": Friend & { readonly topic: string; readonly identityKey: string }
  readonly "p2p:topic:left": Friend & { readonly topic: string }
}

export type Name = keyof Events

/** What each says, for the host's list of events. */
export const says: { readonly [One in Name]: string } = {
  "p2p:friendRequest:pending": "somebody asks to be friends and waits for the owner",
  "p2p:introduction:pending": "a friend introduces somebody, and the owner decides",
  "p2p:friend:added": "a friendship was made",
  "p2p:friend:removed": "a friendship has ended",
  "p2p:grant:changed": "a friend lets us do something else than before",
  "p2p:trust:changed": "what the owner made sure of about a friend's key has changed",
  "p2p:alarm": "something about a friend's key is wrong; the owner has to look",
  "p2p:key:rotated": "a node has a new key",
  "p2p:peer:connected": "a friend is connected",
  "p2p:peer:disconnected": "a friend is not connected any more",
  "p2p:message:received": "a friend has written; its text is in the extension's inbox",
  "p2p:message:delivered": "a message or question of ours has arrived",
  "p2p:message:refused": "a message or question of ours came to nothing",
  "p2p:inject:answered": "a friend's agent has answered; see wait of the extension",
  "p2p:inject:held": "a friend's question waits for the owner",
  "p2p:invite:redeemed": "an invite of ours was used",
  "p2p:errand:ended": "a claim or a request to connect of ours has its outcome",
  "p2p:topic:discovered": "somebody is known in a topic that was not",
  "p2p:topic:left": "a member has left a topic"
}

export type Announced = { readonly [One in Name]: { readonly name: One; readonly payload: Events[One] } }[Name]

const announced = <One extends Name>(name: One, payload: Events[One]): Announced => ({ name, payload }) as Announced

const friend = ({ name, peerId }: Friend): Friend => ({ name, peerId })
const subject = (event: Subject): Subject => ({ ...friend(event), id: event.id })

const ofMessages = (event: Event.Event): Announced | undefined => {
  switch (event._tag) {
    case "Received": {
      const { bytes, entry } = event
      const payload = { ...subject({ ...event, id: entry.id }), conversation: entry.label, bytes }
      return entry.ours === true ? undefined : announced("p2p:message:received", payload)
    }
    case "Delivered":
      return announced("p2p:message:delivered", { ...subject(event), kind: event.kind })
    case "Refused":
      return announced("p2p:message:refused", { ...subject(event), kind: event.kind, code: event.rejection.code })
    case "Answered":
      return announced("p2p:inject:answered", { ...subject(event), bytes: event.bytes })
    case "InjectHeld":
      return announced("p2p:inject:held", { ...subject(event), reason: event.reason, expiresAtMs: event.expiresAtMs })
    default:
      return undefined
  }
}

const pending = (event: Told<"RequestReceived" | "ConnectAsked">): Announced => {
  const isLine = event._tag === "RequestReceived"
  const [where, evidence] = isLine ? [event.channel, event.evidence] : [event.where, "unproven"]
  return announced("p2p:friendRequest:pending", { ...friend(event), identityKey: event.identityKey, where, evidence })
}

const introduced = (event: Told<"IntroductionReceived">): Announced | undefined => {
  const { identityKey, introduced: name, name: by, peerId, rivals } = event
  const payload = { name, identityKey, by: { name: by, peerId }, rivals }
  return Present.isAsked(event) ? announced("p2p:introduction:pending", payload) : undefined
}

const ofFriends = (event: Event.Event): Announced | undefined => {
  switch (event._tag) {
    case "RequestReceived":
    case "ConnectAsked":
      return pending(event)
    case "IntroductionReceived":
      return introduced(event)
    case "FriendshipMade":
      return announced("p2p:friend:added", { ...friend(event), identityKey: event.identityKey, by: event.by })
    case "FriendshipEnded":
      return announced("p2p:friend:removed", { ...friend(event), by: event.by })
    case "GrantChanged":
      return announced("p2p:grant:changed", { ...friend(event), youMay: event.capabilities })
    case "TrustChanged":
      return announced("p2p:trust:changed", { ...friend(event), from: event.from, to: event.to })
    case "Alarm":
      return announced("p2p:alarm", { ...friend(event), code: event.rejection.code })
    case "KeyRotated": {
      const { from, name, to, whose } = event
      return announced("p2p:key:rotated", { whose, name, from, to })
    }
    case "Connected":
      return announced("p2p:peer:connected", friend(event))
    case "Disconnected":
      return announced("p2p:peer:disconnected", friend(event))
    default:
      return undefined
  }
}

const ofMeeting = (event: Event.Event): Announced | undefined => {
  switch (event._tag) {
    case "InviteRedeemed":
      return announced("p2p:invite:redeemed", { ...subject(event), usesLeft: event.usesLeft })
    case "ErrandAnswered":
      return announced("p2p:errand:ended", { id: event.id, kind: event.kind, code: null })
    case "ErrandRefused":
      return announced("p2p:errand:ended", { id: event.id, kind: event.kind, code: event.rejection.code })
    case "Discovered":
      return announced("p2p:topic:discovered", {
        ...friend(event),
        topic: event.topic,
        identityKey: event.identityKey
      })
    case "MemberLeft":
      return announced("p2p:topic:left", { ...friend(event), topic: event.topic })
    default:
      return undefined
  }
}

/** What an event of the node is to other plugins; undefined where it is nothing to them. */
export const made = (event: Event.Event): Announced | undefined =>
  ofMessages(event) ?? ofFriends(event) ?? ofMeeting(event)

/** Events by name. `on` gives how to stop listening. */
export interface Emitter {
  readonly on: <One extends Name>(name: One, listener: (payload: Events[One]) => void) => () => void
}

export interface Announcer {
  readonly emitter: Emitter
  /** Tells everybody who listens of an event of the node. Never throws. */
  readonly tell: (event: Event.Event) => void
  /** Takes the names off the host's bus, and every listener with them. */
  readonly end: () => void
}

const names = Object.keys(says) as ReadonlyArray<Name>

/** Registers every name with the host's bus, where it has one. */
export const make = (context: HostContext): Announcer => {
  const listeners = new Map<Name, Set<(payload: never) => void>>()
  for (const name of names) {
    attempt(context, `event ${name}`, () => context.events?.registerEventType?.(name, { description: says[name] }))
  }
  return {
    emitter: {
      on: (name, listener) => {
        const all = listeners.get(name) ?? new Set()
        listeners.set(name, all.add(listener))
        return () => all.delete(listener)
      }
    },
    tell: (event) => {
      const one = made(event)
      if (one === undefined) return
      for (const listener of [...(listeners.get(one.name) ?? [])]) {
        attempt(context, `a listener of ${one.name}`, () => listener(one.payload as never))
      }
      const onBus = async () => context.events?.emitCustom?.(one.name, one.payload)
      onBus().catch(() => {})
    },
    end: () => {
      listeners.clear()
      for (const name of names) attempt(context, `event ${name}`, () => context.events?.unregisterEventType?.(name))
    }
  }
}
