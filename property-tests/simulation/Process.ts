/**
 * One run of a node in virtual time: turns that take a while to store, outputs that are performed, and how it ends.
 * It never decides what a node does and outlives nothing: what stays is the house's, and a dead process hears nothing.
 * A turn is the turn loop's: all that waits, one commit, then the outputs; a death falls before, between or after them.
 */

import * as Errand from "../../core/friend/Errand.ts"
import * as Roster from "../../core/friend/Roster.ts"
import type { Input, Keys, Output } from "../../core/index.ts"
import { Base64url, FriendLine, Limits, PeerId, State, Step } from "../../core/index.ts"
import * as Finding from "../../core/node/Finding.ts"
import * as Guests from "../../core/node/Guests.ts"
import * as Records from "../../core/node/Records.ts"
import * as StorageFailure from "../../core/node/StorageFailure.ts"
import * as Table from "../../core/Table.ts"
import type { Entry } from "../../ports/ConversationLog.ts"
import type { CryptoShape } from "../../ports/Crypto.ts"
import { StoreError } from "../../ports/RecordStore.ts"
import type { Chance } from "./Chance.ts"
import type { Clock } from "./Clock.ts"
import type { Ear, End, Guest, Network, Target } from "./Network.ts"
import { Talk } from "./Talk.ts"

/** A turn that was taken. `later`: it only forgot something, which is stored with the next; a crash before it undoes it. */
export interface Taken {
  readonly before: State.State
  readonly after: State.State
  readonly inputs: ReadonlyArray<Input.Input>
  readonly outputs: ReadonlyArray<Output.Output>
  readonly stored: "now" | "later" | "never"
  /** How many of the outputs were performed before the process died, or all. */
  readonly performed: number
}

/** Inputs that come of time alone. */
const isIdle: ReadonlySet<Input.Input["_tag"]> = new Set<Input.Input["_tag"]>(["Tick", "DialEnded"])

/** How a process dies in its next turn that something came in for. */
export type Death =
  | { readonly kind: "before the commit" }
  | { readonly kind: "after the commit"; readonly performs: number }

/** What a sandbox comes to, and after how long. */
export interface Scripted {
  readonly afterMs: number
  readonly result: Input.JobResult
}

/** What a process has around it. */
export interface Around {
  readonly clock: Clock
  readonly network: Network
  readonly chance: Chance
  readonly crypto: CryptoShape
  readonly keys: Keys.LocalKeys
  /** The shipped step, or one with a bug planted in it. */
  readonly step: typeof Step.step
  /** What the node's own clock says. */
  nowMs(): number
  /** How long storing a turn takes now, milliseconds. */
  readonly commitMs: () => readonly [number, number]
  /** Stores changes: all of them are on the disk when it returns true, and none of them otherwise. */
  commit(changes: ReturnType<typeof Records.diff>): boolean
  /** Appends to the conversation log. */
  append(entry: Entry): void
  post(channel: string, text: string): void
  run(input: string, timeLimitMs: number): Scripted
  watch(turn: Taken): void
  ended(inOrder: boolean): void
}

type Of<Tag extends Output.Output["_tag"]> = Extract<Output.Output, { readonly _tag: Tag }>

/** How long appending to a log and announcing take, milliseconds. */
const appendMs = [1, 10] as const
const announceMs = [500, 3_000] as const

export class Process implements Guest {
  readonly swarmKey: string
  state: State.State
  alive = true
  readonly #around: Around
  readonly #queue: Array<Input.Input> = []
  readonly #talks = new Map<string, Talk>()
  readonly #openings = new Set<string>()
  readonly #jobs = new Set<string>()
  readonly #shows: Array<Entry> = []
  #turning = false
  #showing = false
  #frozenUntilMs = 0
  #doom: Death | undefined
  #alarm: () => void = () => undefined

  constructor(around: Around, start: State.State, swarmKey: string) {
    this.#around = around
    this.state = start
    this.swarmKey = swarmKey
    around.network.join(this)
    this.offer({ _tag: "SandboxStatus", ready: true, reason: "" })
    this.offer({ _tag: "Started" })
  }

  /** Something has happened to the node; it is taken up with what else waits. */
  readonly offer = (input: Input.Input): void => {
    if (!this.alive) return
    this.#queue.push(input)
    this.#wake()
  }

  /** The process is to die in its next turn that something came in for. */
  doom(death: Death): void {
    this.#doom = death
  }

  /** Nothing happens in the process for a while; what came meanwhile is taken up then. */
  freeze(ms: number): void {
    this.#frozenUntilMs = Math.max(this.#frozenUntilMs, this.#around.clock.nowMs + ms)
  }

  /** The links that have become sessions, for whoever speaks on them without the node. */
  get talks(): ReadonlyArray<Talk> {
    return [...this.#talks.values()].filter((talk) => talk.isOpen)
  }

  /** Ends in order: what was only forgotten is stored, links are closed, runs are broken off. */
  stop(): void {
    if (!this.alive) return
    this.#around.commit(Records.diff(this.state.durable)) // On a full disk it comes back, and is harmless.
    this.#end(true)
  }

  /** Ends at once. */
  die(): void {
    if (this.alive) this.#end(false)
  }

  #end(inOrder: boolean): void {
    this.alive = false
    this.#alarm()
    this.#around.network.leave(this, inOrder)
    this.#around.ended(inOrder)
  }

  /** Something happens later, unless the process has ended by then. */
  #later(ms: number, act: () => void): () => void {
    const { clock } = this.#around
    let cancel: () => void = () => undefined
    const wake = (): void => {
      if (!this.alive) return
      if (clock.nowMs >= this.#frozenUntilMs) act()
      else cancel = clock.after(this.#frozenUntilMs - clock.nowMs, wake)
    }
    cancel = clock.after(ms, wake)
    return () => cancel()
  }

  #wake(): void {
    if (this.#turning || this.#queue.length === 0) return
    this.#turning = true
    this.#later(this.#around.chance.whole(...this.#around.commitMs()), () => this.#turn())
  }

  /** Steps through a batch. A step that breaks is the caller's to see. */
  #step(inputs: ReadonlyArray<Input.Input>): { readonly next: State.State; readonly outputs: Array<Output.Output> } {
    const { crypto, nowMs, step } = this.#around
    const outputs: Array<Output.Output> = []
    let next = this.state
    for (const input of inputs) {
      let entropy: Uint8Array | undefined
      // Drawn when a turn asks for it, as in the turn loop: most do not.
      const turn = {
        nowMs: nowMs(),
        get entropy() {
          entropy ??= crypto.randomBytes(32)
          return entropy
        },
        sha256: crypto.sha256,
        pure: crypto
      }
      const [stepped, wanted] = step(next, input, turn)
      next = stepped
      outputs.push(...wanted)
    }
    return { next, outputs }
  }

  /** One commit and its outputs; `"full"` if the disk took nothing, `"dead"` if the process died in it. */
  #commit(inputs: ReadonlyArray<Input.Input>): "done" | "full" | "dead" {
    const { commit, watch } = this.#around
    const before = this.state
    const { next, outputs } = this.#step(inputs)
    const ticked = inputs.some(({ _tag }) => _tag === "Tick")
    const doom = inputs.every(({ _tag }) => isIdle.has(_tag)) ? undefined : this.#doom
    if (doom?.kind === "before the commit") {
      watch({ before, after: next, inputs, outputs, stored: "never", performed: 0 })
      this.die()
      return "dead"
    }
    const changes = Records.diff(next.durable)
    const later = Records.onlyForget(changes) && !ticked
    if (!later && !commit(changes)) return "full"
    this.state = later ? next : { ...next, durable: Records.settled(next.durable) }
    const performed = Math.min(doom?.performs ?? outputs.length, outputs.length)
    const stored = later && changes.length > 0 ? "later" : "now"
    watch({ before, after: this.state, inputs, outputs, stored, performed })
    for (const output of outputs.slice(0, performed)) this.#perform(output)
    if (doom === undefined) return "done"
    this.die()
    return "dead"
  }

  /** What the turn loop does with a batch that could not be stored: each input alone, and the rest without a turn. */
  #oneByOne(inputs: ReadonlyArray<Input.Input>): "done" | "dead" {
    for (const input of inputs) {
      const alone = this.#commit([input])
      if (alone === "dead") return "dead"
      if (alone === "done") continue
      const error = new StoreError({ code: "disk-full", message: "no room is left" })
      const { again, next, outputs } = StorageFailure.instead(input, error)
      for (const output of outputs) this.#perform(output)
      if (again) this.#later(Limits.retryPauseMs, () => this.offer(input))
      if (next !== undefined && this.#commit([next]) === "dead") return "dead"
    }
    return "done"
  }

  #turn(): void {
    const inputs = this.#queue.splice(0, Limits.batchMax)
    const together = this.#commit(inputs)
    if ((together === "full" ? this.#oneByOne(inputs) : together) === "dead") return
    this.#turning = false
    this.#setAlarm(together === "full" ? Limits.retryPauseMs : 0)
    this.#wake()
  }

  #setAlarm(pauseMs: number): void {
    const nowMs = this.#around.nowMs()
    const untidy = Records.isDirty(this.state.durable)
    const wakeMs = Math.min(
      Step.nextWakeMs(this.state, nowMs),
      untidy ? nowMs + Limits.tidyUpMs : Number.POSITIVE_INFINITY
    )
    this.#alarm()
    this.#alarm = this.#later(Math.max(1, pauseMs, wakeMs - nowMs), () => this.offer({ _tag: "Tick" }))
  }

  #perform(output: Output.Output): void {
    const { network } = this.#around
    switch (output._tag) {
      case "Announce":
        this.#announce(output)
        return
      case "Withdraw":
        network.withdraw(this, this.#topicOf(output.key))
        return
      case "AnnounceTopic":
        this.#announceTopic(output.topic)
        return
      case "WithdrawTopic":
        network.withdraw(this, output.topic)
        return
      case "LookUp":
        network.lookUp(this, output.topic, (keys) => this.offer({ _tag: "TopicFound", topic: output.topic, keys }))
        return
      case "DialMember":
        network.dial(this, { kind: "key", name: output.swarmKey }, () =>
          this.offer({ _tag: "MemberDialed", swarmKey: output.swarmKey })
        )
        return
      case "SignProfile":
        this.offer({ _tag: "ProfileSigned", profile: Finding.signed(this.#around, output) })
        return
      case "PostLine":
        this.#post(output)
        return
      case "Transmit":
        this.#talks.get(output.connection)?.say(output.messages)
        return
      case "HangUp":
        this.#talks.get(output.connection)?.hangUp()
        return
      case "Dial":
        this.#dial(output)
        return
      case "Block":
        network.block(this, output.swarmKey)
        return
      case "Unblock":
        network.unblock(this, output.swarmKey)
        return
      case "Show":
        this.#shows.push(output.entry)
        this.#show()
        return
      case "Run":
        this.#run(output)
        return
      case "Stop":
        this.#jobs.delete(output.job)
        return
      case "Reply":
      case "Tell":
        return
    }
  }

  #topicOf(key: Keys.RemoteIdentityKey): string {
    return Base64url.encode(PeerId.topicOf(this.#around.crypto, Base64url.decode(key) ?? new Uint8Array(0)))
  }

  #announce({ key }: Of<"Announce" | "Withdraw">): void {
    this.#later(this.#around.chance.whole(...announceMs), () => {
      if (this.state.passing.announced.has(key)) this.#around.network.announce(this, this.#topicOf(key))
    })
  }

  #announceTopic(topic: string): void {
    this.#later(this.#around.chance.whole(...announceMs), () => {
      if (Table.has(this.state.durable.topics, topic)) this.#around.network.announce(this, topic)
    })
  }

  /** The line is signed after the turn that wanted it is stored, like egress does it. */
  #post({ channel, key, kind, requestSignature, to, tsMs }: Of<"PostLine">): void {
    const { crypto, keys, post } = this.#around
    const { agreementKey, identityKey, name } = this.state.self
    const common = { to, from: name, pubkey: identityKey, encryptPub: agreementKey, tsMs }
    const unsigned: FriendLine.Unsigned =
      kind === "request" ? { kind, ...common } : { kind, ...common, requestSignature }
    const signature = FriendLine.sign(crypto, keys, unsigned)
    this.offer({ _tag: "LineSigned", kind, key, signature })
    post(channel, FriendLine.print({ ...unsigned, signature } as FriendLine.FriendLine))
    this.offer({ _tag: "LinePosted", kind, key, rejection: null })
  }

  /** By the transport key the peer had last, then by its topic, then a second for what was found to open. */
  #dial({ addresses: hints, identityKey, peerId, swarmKey }: Of<"Dial">): void {
    const isConnected = () => State.session(this.state, peerId) !== undefined || Guests.isReached(this.state, peerId)
    const ended = () => this.offer({ _tag: "DialEnded", peerId })
    const opens = (waits: number): void => {
      if (waits === 0 || isConnected() || this.#openings.size === 0) ended()
      else this.#later(50, () => opens(waits - 1))
    }
    const attempt = (target: Target, then: () => void): void => {
      if (isConnected()) then()
      else
        this.#around.network.dial(this, target, () => {
          if (this.alive) then()
        })
    }
    const byTopic = () => attempt({ kind: "topic", name: this.#topicOf(identityKey) }, () => opens(20))
    if (swarmKey === undefined) byTopic()
    else attempt({ kind: "key", name: swarmKey, ...(hints && { hints }) }, byTopic)
  }

  onLink(end: End): Ear {
    const { crypto, keys, nowMs } = this.#around
    const { errands, roster } = this.state.durable
    const friends = Roster.expectedAt(roster, end.topics, end.remoteKey, end.initiator)
    const expected = end.initiator ? [...friends, ...Errand.expectedAt(errands, end.topics)] : friends
    const sought = end.initiator && expected.length === 0 && Guests.isSought(this.state, end.remoteKey)
    const settled = () => {
      this.#openings.delete(end.id)
    }
    if (end.initiator && expected.length === 0 && !sought) {
      end.close()
      return { hear: () => undefined, over: () => undefined }
    }
    this.#openings.add(end.id)
    const around = {
      crypto,
      keys,
      expected: end.initiator ? expected : [],
      nowMs,
      later: (ms: number, act: () => void) => this.#later(ms, act),
      offer: this.offer,
      settled
    }
    const talk = new Talk(around, end)
    this.#talks.set(end.id, talk)
    return {
      hear: (bytes) => talk.hear(bytes),
      over: () => {
        this.#talks.delete(end.id)
        talk.over()
      }
    }
  }

  /** Appends what waits, together and in order, and says so; a death before that leaves it to the next start. */
  #show(): void {
    if (this.#showing) return
    this.#showing = true
    this.#later(this.#around.chance.whole(...appendMs), () => {
      const entries = this.#shows.splice(0)
      for (const entry of entries) this.#around.append(entry)
      this.#showing = false
      this.offer({ _tag: "Shown", shown: entries.map(({ id }) => ({ id, failed: false })) })
    })
  }

  #run({ job, text, timeLimitMs }: Of<"Run">): void {
    const { afterMs, result } = this.#around.run(text, timeLimitMs)
    this.#jobs.add(job)
    this.#later(Math.min(afterMs, timeLimitMs), () => {
      if (!this.#jobs.delete(job)) return
      const late = afterMs > timeLimitMs
      this.offer({ _tag: "Ran", job, result: late ? { ok: false, code: "sandbox-timeout", detail: "" } : result })
    })
  }
}
