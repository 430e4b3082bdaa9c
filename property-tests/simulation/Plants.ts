/**
 * Bugs, planted on purpose: each is a small change to what a node is made of, and says which checker must find it.
 * None of them is anywhere near the shipped core; a run without a plant is the shipped core, unchanged.
 * A checker that finds nothing in a planted run is a checker that cannot fail, which is a defect of its own.
 */
import { HashMap } from "effect"
import * as Jobs from "../../core/delivery/Jobs.ts"
import * as Outbox from "../../core/delivery/Outbox.ts"
import { type Event, type Input, Limits, type Output, type PeerId, type State } from "../../core/index.ts"
import * as Connecting from "../../core/node/Connecting.ts"
import * as Holding from "../../core/node/Holding.ts"
import * as Table from "../../core/Table.ts"
import type { Plant } from "./House.ts"
import * as Options from "./Options.ts"

type Stepped = readonly [State.State, ReadonlyArray<Output.Output>]
export type Step = NonNullable<ReturnType<NonNullable<Plant["step"]>>>

export interface Planted {
  readonly name: string
  /** What is wrong, in words. */
  readonly says: string
  /** The checker that must find it, whatever else does. */
  readonly foundBy: string
  /** What a run needs for it to show, if any run that a seed tells is not enough. */
  readonly options?: (seed: number) => Options.Options
  make(): Plant
}

/** A bug in what a turn comes to. */
export const after = (
  change: (stepped: Stepped, input: Input.Input, before: State.State, turn: Input.Turn) => Stepped
): Plant => ({
  step: (step) => ((state, input, turn) => change(step(state, input, turn), input, state, turn)) as Step
})

/** A bug in what a turn is given. */
const before = (change: (state: State.State, input: Input.Input) => State.State): Plant => ({
  step: (step) => ((state, input, turn) => step(change(state, input), input, turn)) as Step
})

type Opened = Extract<Input.Input, { _tag: "Opened" }>

/** A bug in what is learnt when a link has opened. */
const meeting = (change: (input: Opened, state: State.State) => Opened): Plant => ({
  step: (step) =>
    ((state, input, turn) => step(state, input._tag === "Opened" ? change(input, state) : input, turn)) as Step
})

/** A state with other durable tables. */
export const durably = (state: State.State, change: Partial<State.Durable>): State.State => ({
  ...state,
  durable: { ...state.durable, ...change }
})

const without = (outputs: ReadonlyArray<Output.Output>, wrong: (output: Output.Output) => boolean) =>
  outputs.filter((output) => !wrong(output))

/** Whether an output is an event of one of these kinds. */
export const tells = (output: Output.Output, ...tags: ReadonlyArray<Event.Event["_tag"]>): boolean =>
  output._tag === "Tell" && tags.includes(output.event._tag)

/** Whether an input is a message of a kind. */
export const received = (input: Input.Input, kind: string): boolean =>
  input._tag === "Received" && input.message.value.kind === kind

const senderOf = (state: State.State, input: Input.Input): PeerId.PeerId | undefined => {
  if (input._tag !== "Received") return undefined
  const found = HashMap.get(state.passing.connections, input.connection)
  return found._tag === "Some" ? found.value : undefined
}

const granting = (state: State.State, peerId: string): State.State =>
  durably(state, {
    grants: Table.set(state.durable.grants, `${peerId}/own`, { peerId, conversation: "own", capabilities: ["inject"] })
  })

/** Every n-th time, counted by whoever plants it. */
const everyNth = (n: number) => {
  let count = 0
  return () => ++count % n === 0
}

/** Mistakes of the former design, by what they made possible. */
export const mistakes: ReadonlyArray<Planted> = [
  {
    name: "unverified-peers",
    says: "a hello is believed: whoever opens a link under a friend's topic is that friend",
    foundBy: "truly",
    make: () => ({
      step: (step) =>
        ((state, input, turn) => {
          if (input._tag !== "Opened") return step(state, input, turn)
          const victim = Table.values(state.durable.roster.friends).find((one) => one.standing === "Friend")
          if (victim === undefined || turn.entropy[0]! % 4 !== 0) return step(state, input, turn)
          const { identityKey } = input.peer.value
          const believed = { ...victim, identityKey }
          const friends = Table.set(state.durable.roster.friends, victim.peerId, believed)
          return step(durably(state, { roster: { ...state.durable.roster, friends } }), input, turn)
        }) as Step
    })
  },
  {
    name: "message-is-inject",
    says: "one check for both: who may write may have a responder called",
    foundBy: "granted",
    make: () =>
      before((state, input) => {
        const peerId = received(input, "Inject") ? senderOf(state, input) : undefined
        return peerId === undefined ? state : granting(state, peerId)
      })
  },
  {
    name: "grants-only-grow",
    says: "a revocation is answered with yes and changes nothing",
    foundBy: "granted",
    make: () =>
      after(([state, outputs], input, old) =>
        input._tag === "Operator" && input.command._tag === "Revoke"
          ? [durably(state, { grants: old.durable.grants }), outputs]
          : [state, outputs]
      )
  },
  {
    name: "forgetful-replay-memory",
    says: "the memory of numbers is emptied whenever it is asked: what comes twice takes effect twice",
    foundBy: "once",
    make: () =>
      before((state, input) =>
        received(input, "Inject") || received(input, "Log")
          ? durably(state, {
              inbox: {
                streams: Table.removeWhere(state.durable.inbox.streams, () => true),
                outcomes: Table.removeWhere(state.durable.inbox.outcomes, () => true)
              },
              jobs: Table.removeWhere(state.durable.jobs, () => true)
            })
          : state
      )
  },
  {
    name: "rotation-onto-anybody",
    says: "a history is believed unread: friends keep the old key, or take any other",
    foundBy: "converged",
    make: () =>
      after(([state, outputs], input, old) =>
        input._tag === "Opened" && outputs.some((output) => tells(output, "KeyRotated"))
          ? [old, without(outputs, (output) => output._tag === "Transmit")]
          : [state, outputs]
      )
  }
]

/** One bug a checker, and then some. */
export const plants: ReadonlyArray<Planted> = [
  ...mistakes,
  {
    name: "admits-former-friends",
    says: "an ended friendship goes on for whoever is still connected, and the friend is not told",
    foundBy: "admitted",
    make: () =>
      after(([state, outputs], input, old) => {
        if (input._tag !== "Operator" || input.command._tag !== "Unfriend") return [state, outputs]
        const { friends } = old.durable.roster
        const { name } = input.command
        const friend = Table.values(friends).find((one) => one.name === name)
        if (friend === undefined) return [state, outputs]
        const peerId = friend.peerId as PeerId.PeerId
        const outbox = Outbox.takeOut(state.durable.outbox, peerId, Outbox.entriesFor(state.durable.outbox, peerId))
        const goesOn = durably(state, { outbox, roster: { ...state.durable.roster, friends } })
        return [goesOn, without(outputs, (one) => one._tag === "HangUp" || one._tag === "Transmit")]
      })
  },
  {
    name: "approves-by-time",
    says: "a question that nobody has decided about for two minutes is taken for approved",
    foundBy: "waits",
    make: () =>
      after(([state, outputs], input, _old, turn) => {
        if (input._tag !== "Tick") return [state, outputs]
        const late = Jobs.held(state.durable.jobs).find(({ startedAtMs }) => turn.nowMs - startedAtMs > 120_000)
        const run = late === undefined ? undefined : Holding.approve(state, late.id, turn)
        return run?._tag === "Success" ? [run.success[0], [...outputs, ...run.success[1]]] : [state, outputs]
      })
  },
  {
    name: "holds-nothing",
    says: "the owner's rule about questions that wait is not looked at",
    foundBy: "waits",
    make: () => ({
      step: (step) =>
        ((state, input, turn) => {
          if (!received(input, "Inject")) return step(state, input, turn)
          const { holdRules } = state.durable
          const [next, outputs] = step(durably(state, { holdRules: Table.empty() }), input, turn)
          return [durably(next, { holdRules }), outputs]
        }) as Step
    })
  },
  {
    name: "forgets-a-refusal",
    says: "the owner's refusal of a question is answered, and nothing comes of it",
    foundBy: "waits",
    make: () =>
      after(([state, outputs], input, old) =>
        input._tag === "Operator" && input.command._tag === "Refuse"
          ? [old, outputs.filter((one) => one._tag === "Reply")]
          : [state, outputs]
      )
  },
  {
    name: "runs-twice",
    says: "a responder is called twice",
    foundBy: "once",
    make: () =>
      after(([state, outputs]) => [
        state,
        outputs.flatMap((one): ReadonlyArray<Output.Output> => (one._tag === "Run" ? [one, one] : [one]))
      ])
  },
  {
    name: "loses-a-record",
    says: "a commit leaves its last change out",
    foundBy: "stored",
    make: () => {
      const now = everyNth(10)
      return { commit: (disk, changes, store) => store(disk, now() ? changes.slice(0, -1) : changes) }
    }
  },
  {
    name: "grows-without-bound",
    says: "refusals are remembered for ever",
    foundBy: "bounded",
    make: () =>
      after(([state, outputs], input, _, turn) => {
        if (input._tag !== "Operator") return [state, outputs]
        let { refusals } = state.durable
        for (let index = 0; index < 20; index++) {
          const id = `${turn.nowMs} ${index} ${Table.size(refusals)}`
          refusals = Table.set(refusals, id, {
            id,
            peerId: "",
            name: "",
            kind: "Log",
            code: "expired",
            atMs: turn.nowMs
          } as never)
        }
        return [durably(state, { refusals }), outputs]
      })
  },
  {
    name: "tells-texts",
    says: "an event that has no business with it carries the text",
    foundBy: "discreet",
    make: () =>
      after(([state, outputs], input) => {
        if (input._tag !== "Received" || input.message.value.kind !== "Log") return [state, outputs]
        const { text } = input.message.value
        const leak = { _tag: "Tell", event: { _tag: "PeerRefused", kind: text } } as unknown as Output.Output
        return [state, [...outputs, leak]]
      })
  },
  {
    name: "bans-repetition",
    says: "a number that comes again counts as a violation",
    foundBy: "just bans",
    make: () => ({
      step: (step) =>
        ((state, input, turn) => {
          const [next, outputs] = step(state, input, turn)
          if (!received(input, "Greeting") || input._tag !== "Received") return [next, outputs]
          let [current, said] = [next, outputs]
          for (let left = Limits.violationsMax; left > 0; left--) {
            const [bad, more] = Connecting.violated(
              current,
              input.connection,
              { code: "flooding", detail: "", retryAfterMs: 0 } as never,
              turn
            )
            current = bad
            said = [...said, ...more]
          }
          return [current, said]
        }) as Step
    })
  },
  {
    name: "waits-for-ever",
    says: "nobody is told how a question ended",
    foundBy: "deadlines",
    make: () =>
      after(([state, outputs]) => [
        state,
        without(
          outputs,
          (one) => tells(one, "Answered") || (tells(one, "Refused") && JSON.stringify(one).includes('"Inject"'))
        )
      ])
  },
  {
    name: "breaks-on-a-word",
    says: "a step throws on a message that anybody may send",
    foundBy: "total",
    make: () =>
      after((stepped, input) => {
        if (received(input, "GrantChanged")) throw new Error("nobody thought of this")
        return stepped
      })
  },
  {
    name: "dials-like-the-first-time",
    says: "pauses between dials do not grow",
    foundBy: "sparing",
    make: () =>
      before((state) => ({
        ...state,
        passing: {
          ...state.passing,
          contacts: HashMap.map(state.passing.contacts, (contact) => ({ ...contact, attempt: 0 }))
        }
      }))
  },
  {
    name: "never-rests",
    says: "a dial that failed is tried again at once",
    foundBy: "total",
    make: () =>
      after(([state, outputs], input) => [
        state,
        input._tag === "DialEnded" || input._tag === "Tick"
          ? [
              ...outputs,
              ...Table.values(state.durable.roster.friends)
                .slice(0, 1)
                .map(({ identityKey, peerId }) => ({ _tag: "Dial" as const, peerId, identityKey, swarmKey: undefined }))
            ]
          : outputs
      ])
  },
  {
    name: "same-nonce",
    says: "the counter of a key stands still",
    foundBy: "nonces",
    make: () => ({
      crypto: (engine) => ({
        ...engine,
        aes256GcmSeal: (key, nonce, associated, plaintext) =>
          engine.aes256GcmSeal(key, nonce.fill(0), associated, plaintext),
        aes256GcmOpen: (key, nonce, associated, sealed) => engine.aes256GcmOpen(key, nonce.fill(0), associated, sealed)
      })
    })
  },
  {
    name: "constant-ephemerals",
    says: "the secret that should be new for each link is always the same",
    foundBy: "secrecy",
    make: () => ({
      crypto: (engine) => ({
        ...engine,
        randomBytes: (length) => (length === 32 ? new Uint8Array(32).fill(1) : engine.randomBytes(length))
      })
    })
  },
  {
    name: "seals-nothing",
    says: "a cipher that leaves everything as it is",
    foundBy: "secrecy",
    make: () => ({
      crypto: (engine) => ({
        ...engine,
        aes256GcmSeal: (_key, _nonce, _associated, plaintext) => {
          const sealed = new Uint8Array(plaintext.length + 16)
          sealed.set(plaintext)
          return sealed
        },
        aes256GcmOpen: (_key, _nonce, _associated, sealed) => sealed.slice(0, -16)
      })
    })
  },
  {
    name: "wrong-conversation",
    says: "a text is filed under another friend",
    foundBy: "own",
    make: () => {
      const now = everyNth(4)
      let last = ""
      return {
        append: (log, entry) => {
          const conversation = now() && last !== "" ? last : entry.conversation
          last = entry.conversation
          if (!log.has(entry.id)) log.set(entry.id, { ...entry, conversation })
        }
      }
    }
  },
  {
    name: "swaps-texts",
    says: "two texts that wait together are written in the wrong order",
    foundBy: "in order",
    make: () => {
      const held = new Map<object, Parameters<NonNullable<Plant["append"]>>[1]>()
      const now = everyNth(5)
      return {
        append: (log, entry) => {
          if (log.has(entry.id)) return
          const before = held.get(log)
          if (before === undefined && now()) {
            held.set(log, entry)
            return
          }
          log.set(entry.id, entry)
          if (before !== undefined) log.set(before.id, before)
          held.delete(log)
        }
      }
    }
  },
  {
    name: "writes-twice",
    says: "a text that comes again is written again",
    foundBy: "in order",
    make: () => {
      const now = everyNth(7)
      return {
        append: (log, entry) => {
          log.set(entry.id, entry)
          if (now()) log.set(`${entry.id} again`, entry)
        }
      }
    }
  },
  {
    name: "drops-what-it-showed",
    says: "the log says that it has a text, and has not",
    foundBy: "delivered",
    make: () => {
      const now = everyNth(6)
      return { append: (log, entry) => void (now() || log.has(entry.id) || log.set(entry.id, entry)) }
    }
  },
  {
    name: "keeps-outcomes-to-itself",
    says: "nobody is told what became of a text",
    foundBy: "answered for",
    make: () => after(([state, outputs]) => [state, without(outputs, (one) => tells(one, "Delivered"))])
  },
  {
    name: "tells-two-outcomes",
    says: "what was delivered is told as refused too",
    foundBy: "one outcome",
    make: () =>
      after(([state, outputs]) => [
        state,
        outputs.flatMap((one): ReadonlyArray<Output.Output> => {
          if (one._tag !== "Tell" || one.event._tag !== "Delivered") return [one]
          const { id, kind, name, peerId } = one.event
          const rejection = { code: "expired" as const, detail: "", retryAfterMs: 0 } as never
          return [one, { _tag: "Tell", event: { _tag: "Refused", peerId, name, id, kind, rejection } }]
        })
      ])
  },
  {
    name: "sends-nothing",
    says: "what waits for a friend is never sent",
    foundBy: "drained",
    make: () =>
      after(([state, outputs]) => [
        state,
        without(outputs, (one) => one._tag === "Transmit" && one.messages.some((message) => "stored" in message))
      ])
  },
  {
    name: "forgets-a-friend",
    says: "one side drops a friend without a word",
    foundBy: "agreed",
    make: () =>
      after(([state, outputs], input, _, turn) => {
        if (input._tag !== "Operator" || turn.nowMs % 3 !== 0) return [state, outputs]
        const [friend] = Table.values(state.durable.roster.friends)
        if (friend === undefined) return [state, outputs]
        const friends = Table.remove(state.durable.roster.friends, friend.peerId)
        const outbox = Outbox.takeOut(
          state.durable.outbox,
          friend.peerId as PeerId.PeerId,
          Outbox.entriesFor(state.durable.outbox, friend.peerId as PeerId.PeerId)
        )
        return [durably(state, { outbox, roster: { ...state.durable.roster, friends } }), outputs]
      })
  },
  {
    name: "says-nothing-of-old-disks",
    says: "a disk that went back is not mentioned",
    foundBy: "noticed",
    make: () => after(([state, outputs]) => [state, without(outputs, (one) => tells(one, "DiskOlder"))])
  },
  {
    name: "doubts-for-ever",
    says: "a doubt about a key is never settled",
    foundBy: "peace",
    make: () =>
      after(([state, outputs], input) => {
        if (!received(input, "Greeting")) return [state, outputs]
        const [friend] = Table.values(state.durable.roster.friends)
        if (friend === undefined || friend.standing !== "Friend") return [state, outputs]
        const doubted = { ...friend, doubt: { state: "Changed" as const, key: friend.identityKey } }
        const friends = Table.set(state.durable.roster.friends, friend.peerId, doubted)
        return [durably(state, { roster: { ...state.durable.roster, friends } }), outputs]
      })
  },
  {
    name: "forgets-addresses",
    says: "where a friend was met is not remembered",
    foundBy: "reached",
    options: Options.outage,
    make: () => meeting(({ address: _, ...input }) => input)
  },
  {
    name: "remembers-the-first-address",
    says: "once it is known where a friend was, nothing newer is learnt",
    foundBy: "reached",
    options: Options.outage,
    make: () =>
      meeting((input, state) => {
        const friend = Table.values(state.durable.roster.friends).find(
          ({ identityKey }) => identityKey === input.peer.value.identityKey
        )
        const { address: _, ...silent } = input
        return friend?.addresses === undefined ? input : silent
      })
  }
]
