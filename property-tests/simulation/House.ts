/**
 * What of a node stays when its process ends: keys, disk, conversation log; and the process, while there is one.
 * It never looks into a process's mind: a new one knows what the disk says, parsed like at any start.
 * Keys change at rest only, as in the shipped node: the next process finds them, with the history that leads to them.
 */
import { Effect, Layer, Redacted, Result } from "effect"
import { layerSeeded } from "../../adapters/memory/Crypto.ts"
import * as Sodium from "../../adapters/sodium/Crypto.ts"
import { Base64url, type Input, Keys, type Link, Rotation, State, Step } from "../../core/index.ts"
import * as Ingress from "../../core/node/Ingress.ts"
import * as Table from "../../core/Table.ts"
import type { Entry } from "../../ports/ConversationLog.ts"
import { Crypto, type CryptoShape } from "../../ports/Crypto.ts"
import { commit, loadDisk } from "../models/Disk.ts"
import type { Chance } from "./Chance.ts"
import type { Clock } from "./Clock.ts"
import type { Network } from "./Network.ts"
import { type Death, Process, type Scripted, type Taken } from "./Process.ts"

/** What may stand between a house and what it is made of: bugs that are planted to see that they are found. */
export interface Plant {
  step?(step: typeof Step.step): typeof Step.step
  crypto?(crypto: CryptoShape): CryptoShape
  commit?(disk: Map<string, string>, changes: Parameters<typeof commit>[1], store: typeof commit): void
  append?(log: Map<string, ShownEntry>, entry: ShownEntry, house: House): void
}

/** The world a house stands in. */
export interface World {
  readonly plant?: Plant
  readonly clock: Clock
  readonly network: Network
  post(from: House, channel: string, text: string): void
  run(house: House, input: string): Scripted
  watch(house: House, turn: Taken): void
  /** A process of the house has ended, in order or by dying. */
  ended(house: House, inOrder: boolean): void
}

/** An entry of the conversation log, and when it came there. */
export interface ShownEntry extends Entry {
  readonly shownAtMs: number
}

/** Libsodium, with the randomness of a seed. */
const engineOf = (seed: string): CryptoShape =>
  Effect.runSync(Crypto.pipe(Effect.provide(layerSeeded(seed).pipe(Layer.provide(Sodium.layer)))))

export class House {
  readonly name: string
  readonly disk = new Map<string, string>()
  readonly log = new Map<string, ShownEntry>()
  keys: Keys.LocalKeys
  process: Process | undefined
  /** How far the node's clock is from the true time, milliseconds. */
  skewMs = 0
  /** How the disk does: whether it takes anything, and how long a commit takes, milliseconds. */
  storage: { full: boolean; readonly commitMs: readonly [number, number] } = { full: false, commitMs: [1, 6] }
  /** Processes there have been, and since when there is this one. */
  lives = 0
  upSinceMs = 0
  readonly #world: World
  readonly #chance: Chance
  readonly #crypto: CryptoShape

  constructor(world: World, name: string, seed: string, chance: Chance) {
    this.name = name
    this.#world = world
    this.#chance = chance
    const engine = engineOf(`${seed} ${name}`)
    this.#crypto = world.plant?.crypto?.(engine) ?? engine
    this.keys = Keys.generate(this.#crypto, world.clock.nowMs)
  }

  get identityKey(): Keys.RemoteIdentityKey {
    return Base64url.encode(this.keys.identityKey) as Keys.RemoteIdentityKey
  }

  get swarmKey(): string {
    return Base64url.encode(Keys.swarmKey(this.#crypto, this.keys))
  }

  /** The engine the house computes with. */
  get engine(): CryptoShape {
    return this.#crypto
  }

  /** What must never be shown: its secrets, as text could hold them. */
  secrets(): ReadonlyArray<string> {
    return [this.keys.identitySeed, this.keys.agreementScalar, this.keys.swarmSeed].flatMap((secret) => {
      const bytes = Redacted.value(secret)
      return [Base64url.encode(bytes), Buffer.from(bytes).toString("hex")]
    })
  }

  get isUp(): boolean {
    return this.process !== undefined
  }

  start(): void {
    if (this.process !== undefined) throw new Error(`${this.name} is up already`)
    this.lives++
    this.upSinceMs = this.#world.clock.nowMs
    const durable = loadDisk(this.disk)
    const self = this.#self()
    const owner = Table.get(durable.owner, "identity") as Keys.RemoteIdentityKey | undefined
    if (owner !== undefined && !State.isOwnKey(self, owner)) throw new Error(`the disk of ${this.name} is not its own`)
    const { clock, network, plant } = this.#world
    const around = {
      clock,
      network,
      chance: this.#chance,
      crypto: this.#crypto,
      keys: this.keys,
      step: plant?.step?.(Step.step) ?? Step.step,
      nowMs: () => clock.nowMs + this.skewMs,
      commitMs: () => this.storage.commitMs,
      commit: (changes: Parameters<typeof commit>[1]) => this.#commit(changes),
      append: (entry: Entry) => this.#append({ ...entry, shownAtMs: clock.nowMs }),
      post: (channel: string, text: string) => this.#world.post(this, channel, text),
      run: (input: string) => this.#world.run(this, input),
      watch: (turn: Taken) => this.#world.watch(this, turn),
      ended: (inOrder: boolean) => {
        this.process = undefined
        this.#world.ended(this, inOrder)
      }
    }
    this.process = new Process(around, State.start(self, durable), this.swarmKey)
  }

  stop(): void {
    this.process?.stop()
  }

  /** Dies in the next turn that something comes in for, or after `withinMs` of peace. */
  crash(death: Death, withinMs: number): void {
    const victim = this.process
    victim?.doom(death)
    this.#world.clock.after(withinMs, () => victim?.die())
  }

  /** New keys, at rest. */
  rotate(reason: Link.Reason): void {
    if (this.process !== undefined) throw new Error(`${this.name} is up: keys change at rest`)
    this.keys = Result.getOrThrow(Rotation.rotate(this.#crypto, this.keys, reason, this.#world.clock.nowMs)).keys
  }

  /** An operator's command; false if there is no process to take it. */
  command(ref: string, command: Input.Command): boolean {
    this.process?.offer({ _tag: "Operator", ref, command })
    return this.process !== undefined
  }

  /** A line of a channel, under an account that the channel vouches for, or none. The shipped reader reads it. */
  hear(channel: string, author: string | null, text: string): void {
    const { process } = this
    if (process === undefined) return
    const offer = (input: Input.Input) => Effect.sync(() => process.offer(input))
    const world = { crypto: this.#crypto, state: () => process.state, offer }
    Effect.runSync(Ingress.onLine(world, { channel, author, text }))
  }

  #commit(changes: Parameters<typeof commit>[1]): boolean {
    if (this.storage.full) return false
    const { plant } = this.#world
    if (plant?.commit === undefined) commit(this.disk, changes)
    else plant.commit(this.disk, changes, commit)
    return true
  }

  #append(entry: ShownEntry): void {
    const { plant } = this.#world
    if (plant?.append !== undefined) plant.append(this.log, entry, this)
    else if (!this.log.has(entry.id)) this.log.set(entry.id, entry)
  }

  #self(): State.Self {
    return {
      name: this.name,
      identityKey: this.identityKey,
      agreementKey: Base64url.encode(this.keys.agreementKey) as Keys.RemoteAgreementKey,
      earlier: this.keys.history.map(({ from, reason, recovery, tsMs }) => ({
        key: from as Keys.RemoteIdentityKey,
        leftAtMs: tsMs,
        reason,
        byRecoveryKey: recovery !== undefined
      }))
    }
  }
}
