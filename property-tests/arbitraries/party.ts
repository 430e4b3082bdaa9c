/**
 * Whole nodes that meet by hand: each a state and its records, joined by links that a test opens, delivers on and cuts.
 * Nothing is proven here that the code has not proven: proofs are real, bodies are sealed and opened, states go to disk.
 * A node that dies loses everything but its records, and what it had not sent yet; that is all that a crash is.
 */
import { Redacted, Result } from "effect"
import {
  Base64url,
  Codec,
  type Event,
  type Input,
  type Keys,
  type Link,
  type Message,
  type Output,
  Rotation,
  State,
  Step
} from "../../core/index.ts"
import * as Finding from "../../core/node/Finding.ts"
import * as Records from "../../core/node/Records.ts"
import type { Change, StoredRecord } from "../../ports/RecordStore.ts"
import { crypto, noonMs, type Person, person, received } from "./state.ts"

/** The same person under the next keys. */
export const rotated = (before: Person, reason: Link.Reason, nowMs = noonMs + 1_000): Person => {
  const { keys } = Result.getOrThrow(Rotation.rotate(crypto, before.keys, reason, nowMs))
  const fresh = person(before.name, keys)
  const earlier = keys.history.map((link) => ({
    key: link.from as Keys.RemoteIdentityKey,
    leftAtMs: link.tsMs,
    reason: link.reason,
    byRecoveryKey: false
  }))
  return { ...fresh, self: { ...fresh.self, earlier } }
}

interface Posted {
  readonly from: Member
  readonly connection: string
  readonly body: Uint8Array
}

interface Overheard {
  readonly from: Member
  readonly message: Message.Message
}

/** One node: its state, what it has told, and the disk that outlives it. */
export class Member {
  person: Person
  state: State.State
  readonly told: Array<Event.Event> = []
  readonly replies: Array<Output.Reply> = []
  /** What each write changed, in order: all that is left of a process that dies. */
  readonly commits: Array<ReadonlyArray<Change>> = []
  /** Somebody with keys and no node: says only what a test has it say. */
  readonly isPuppet: boolean
  constructor(person: Person, isPuppet = false) {
    this.person = person
    this.isPuppet = isPuppet
    this.state = State.start(person.self, State.emptyDurable)
  }
  commit(next: State.State): void {
    const changes = Records.diff(next.durable)
    if (changes.length > 0) this.commits.push(changes)
    this.state = { ...next, durable: Records.settled(next.durable) }
  }
  /** What its records are after all it has written, as a store gives them back. */
  get stored(): ReadonlyArray<StoredRecord> {
    const disk = new Map<string, StoredRecord>()
    for (const { collection, key, value } of this.commits.flat()) {
      if (value === null) disk.delete(`${collection}/${key}`)
      else disk.set(`${collection}/${key}`, { collection, key, value })
    }
    return [...disk.values()]
  }
  /** Everything on the disk, as text. */
  get records(): string {
    return JSON.stringify(this.stored)
  }
}

/** Where a process is to die: at which of its writes, counted from 1. The write may still be found on its disk. */
export interface Doom {
  readonly member: Member
  readonly write: number
}

/** A process has died at its doom; nothing that its last turn wanted has happened. */
export class Died extends Error {}

export class Party {
  nowMs = noonMs
  readonly #step: typeof Step.step
  /** With another step than the true one, to show that a mistake in it is found. */
  constructor(step: typeof Step.step = Step.step) {
    this.#step = step
  }
  #turns = 0
  #links = 0
  readonly #ends = new Map<string, { readonly dialler: Member; readonly other: Member }>()
  #post: Array<Posted> = []
  doom: Doom | undefined
  /** Called with everything that is said on a link, before it arrives. */
  overhear: (heard: Overheard) => void = () => {}

  take(member: Member, input: Input.Input): ReadonlyArray<Output.Output> {
    if (member.isPuppet) return []
    const turn: Input.Turn = {
      nowMs: this.nowMs,
      entropy: crypto.sha256(new TextEncoder().encode(`party turn ${++this.#turns}`)),
      sha256: crypto.sha256,
      pure: crypto
    }
    const [next, outputs] = this.#step(member.state, input, turn)
    const { doom } = this
    if (doom?.member === member && Records.isDirty(next.durable) && member.commits.length + 1 === doom.write) {
      member.commit(next)
      this.doom = undefined
      throw new Died()
    }
    member.commit(next)
    for (const output of outputs) this.#perform(member, output)
    return outputs
  }

  /** A process that has died, or ended, starts again on these records; its links are gone. */
  revive(member: Member, records: ReadonlyArray<StoredRecord> = member.stored): void {
    member.state = State.start(member.person.self, Result.getOrThrow(Records.load(records)))
    for (const announced of this.#announced.values()) announced.delete(member)
    const lost = [...this.#ends].filter(([, { dialler, other }]) => dialler === member || other === member)
    this.#post = this.#post.filter((one) => !lost.some(([connection]) => connection === one.connection))
    this.#sought = this.#sought.filter(([of]) => of !== member)
    for (const [connection, { dialler, other }] of lost) {
      this.#ends.delete(connection)
      this.take(dialler === member ? other : dialler, { _tag: "Closed", connection, rejection: null })
    }
    this.take(member, { _tag: "Started" })
    this.settle()
  }

  /** Starts a node again under its next keys, on the records that it has. */
  rotate(member: Member, reason: Link.Reason): void {
    member.person = rotated(member.person, reason, this.nowMs)
    this.revive(member)
  }

  /** Who announces a topic, and what is to come of outputs about topics once what was said has arrived. */
  readonly #announced = new Map<string, Set<Member>>()
  #sought: Array<readonly [Member, () => void]> = []

  /** A process of a node in a topic: its profile is signed at once, whom it finds it meets. */
  #seek(member: Member, output: Output.Output): void {
    if (output._tag === "AnnounceTopic") {
      this.#announced.set(output.topic, (this.#announced.get(output.topic) ?? new Set()).add(member))
    }
    if (output._tag === "WithdrawTopic") this.#announced.get(output.topic)?.delete(member)
    if (output._tag === "SignProfile") {
      const profile = Finding.signed({ crypto, keys: member.person.keys }, output)
      this.#sought.push([member, () => this.take(member, { _tag: "ProfileSigned", profile })])
    }
    if (output._tag === "LookUp") {
      const found = () => {
        const others = [...(this.#announced.get(output.topic) ?? [])].filter((one) => one !== member)
        this.take(member, { _tag: "TopicFound", topic: output.topic, keys: others.map((one) => one.person.swarmKey) })
      }
      this.#sought.push([member, found])
    }
    if (output._tag !== "DialMember") return
    const { swarmKey } = output
    const met = () => {
      const other = [...this.#announced.values()]
        .flatMap((announced) => [...announced])
        .find((one) => one.person.swarmKey === swarmKey)
      if (other !== undefined) this.#link(member, other)
      this.take(member, { _tag: "MemberDialed", swarmKey })
    }
    this.#sought.push([member, met])
  }

  /** Whether a member is found in a topic, by its hash. */
  isAnnounced(member: Member, topic: string): boolean {
    return this.#announced.get(topic)?.has(member) === true
  }

  #perform(member: Member, output: Output.Output): void {
    if (output._tag === "Tell") member.told.push(output.event)
    if (output._tag === "Reply") member.replies.push(output.reply)
    if (output._tag === "Transmit") {
      for (const one of output.messages) {
        const body = "message" in one ? Codec.encode(one.message) : one.stored
        this.#post.push({ from: member, connection: output.connection, body })
      }
    }
    if (output._tag === "HangUp") this.#hangUps.push(output.connection)
    this.#seek(member, output)
  }
  readonly #hangUps: Array<string> = []

  /** Delivers everything that is under way, and closes what was hung up on once its last words have arrived. */
  settle(): void {
    while (this.#post.length + this.#hangUps.length + this.#sought.length > 0) {
      const posted = this.#post.shift()
      if (posted === undefined) {
        if (this.#hangUps.length > 0) this.close(this.#hangUps.shift()!)
        else this.#sought.shift()![1]()
        continue
      }
      const ends = this.#ends.get(posted.connection)
      if (ends === undefined) continue
      const message = Result.getOrThrow(Codec.decode(posted.body)) as Message.Message
      this.overhear({ from: posted.from, message })
      const to = ends.dialler === posted.from ? ends.other : ends.dialler
      this.take(to, received(posted.from.person, posted.connection, posted.body))
    }
  }

  close(connection: string): void {
    const ends = this.#ends.get(connection)
    if (!this.#ends.delete(connection) || ends === undefined) return
    for (const member of [ends.dialler, ends.other]) this.take(member, { _tag: "Closed", connection, rejection: null })
  }

  /** A link between two, open on both sides; both may be told of it before anything arrives. */
  meet(dialler: Member, other: Member): string {
    const connection = this.#link(dialler, other)
    this.settle()
    return connection
  }

  #link(dialler: Member, other: Member): string {
    const connection = `link ${++this.#links}`
    const handshakeHash = Base64url.encode(crypto.sha256(new TextEncoder().encode(`handshake of ${connection}`)))
    this.#ends.set(connection, { dialler, other })
    const opened = (peer: Member, initiator: boolean): Input.Input => ({
      _tag: "Opened",
      connection,
      initiator,
      version: 3,
      peer: peer.person.proof,
      handshakeHash
    })
    this.take(dialler, opened(other, true))
    this.take(other, opened(dialler, false))
    return connection
  }

  /** Says something on a link as somebody whose node would not. */
  say(from: Member, connection: string, message: Message.Message): void {
    this.deliver(from, connection, Codec.encode(message))
  }

  /** The same with a body as it is, which has to be one that can be read. */
  deliver(from: Member, connection: string, body: Uint8Array): void {
    this.#post.push({ from, connection, body })
    this.settle()
  }

  /** Time passes, and every node notices. */
  wait(ms: number, ...members: ReadonlyArray<Member>): void {
    this.nowMs += ms
    for (const member of members) this.take(member, { _tag: "Tick" })
    this.settle()
  }

  command(member: Member, command: Input.Command): Output.Reply | undefined {
    const before = member.replies.length
    this.take(member, { _tag: "Operator", ref: "typed", command })
    this.settle()
    return member.replies[before]
  }

  /** Makes an invite; gives its id and link. */
  invite(
    member: Member,
    wishes: Omit<Extract<Input.Command, { _tag: "CreateInvite" }>, "_tag"> = {}
  ): { readonly id: string; readonly link: string } {
    const reply = this.command(member, { _tag: "CreateInvite", ...wishes })
    if (reply?.ok !== true || reply.link === undefined) throw new Error(`no invite: ${JSON.stringify(reply)}`)
    return { id: reply.id, link: Redacted.value(reply.link) }
  }

  /** Claims a link, and reaches its issuer as often as it takes. Gives the code it ended with, "" if it was redeemed. */
  claim(member: Member, issuer: Member, link: string, waitMs = 2_000): string | undefined {
    const before = member.told.length
    const reply = this.command(member, { _tag: "ClaimInvite", link: Redacted.make(link) })
    if (reply?.ok === false) return reply.rejection.code
    const connection = this.meet(member, issuer)
    this.wait(waitMs, issuer, member)
    this.close(connection)
    this.settle()
    for (const told of member.told.slice(before)) {
      if (told._tag === "ErrandAnswered") return ""
      if (told._tag === "ErrandRefused") return told.rejection.code
    }
    return undefined
  }
}

/** Whether a node counts another one as its friend, and what it grants it. */
export const holds = (member: Member, of: Member): ReadonlyArray<string> | undefined => {
  const { grants, roster } = member.state.durable
  const friend = [...roster.friends.entries]
    .map(([, one]) => one)
    .find((one) => one.identityKey === of.person.self.identityKey && one.standing === "Friend")
  if (friend === undefined) return undefined
  return [...grants.entries]
    .flatMap(([, grant]) => (grant.peerId === friend.peerId ? [...grant.capabilities] : []))
    .sort()
}
