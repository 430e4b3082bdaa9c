/**
 * Many handshakes in one chat system, and many spoiled lines for agents that wait for good ones: counts, nothing else.
 * It never judges; what is enough is said where it is asked for.
 * Everything follows from the seed, a handshake at a time: each has a stream of chance of its own.
 */
import { FriendLine } from "../../core/index.ts"
import { type Person, person, signedLine } from "../arbitraries/state.ts"
import * as Chance from "../simulation/Chance.ts"
import { agent, friendsOf, Handshake } from "./Handshake.ts"
import { mutated } from "./Mutation.ts"
import { type System, systems } from "./Systems.ts"

/** What many handshakes in one system came to. */
export interface Trial {
  readonly system: string
  readonly handshakes: number
  /** Complete within three lines a side. */
  readonly complete: number
  readonly wrongPeers: number
  /** The numbers of the first that were not complete, to look at alone. */
  readonly incomplete: ReadonlyArray<number>
  /** How many took one, two and three lines of whoever asked. */
  readonly lines: readonly [number, number, number]
}

/** People enough that keys of every shape come up; their making is a second of work. */
export const makePeople = (count: number): ReadonlyArray<Person> =>
  Array.from({ length: count }, (_, index) => person(`person ${index}`))

/** The handshake of a number in a system, played. */
export const handshake = (system: System, people: ReadonlyArray<Person>, seed: number, number: number) => {
  const luck = Chance.of(`${seed} ${system.name} ${number}`)
  const names = [...system.names].sort(() => luck.whole(-1, 1))
  const first = luck.whole(0, people.length - 1)
  const second = (first + luck.whole(1, people.length - 1)) % people.length
  const agents = [agent(people[first]!, names[0]!), agent(people[second]!, names[1]!)] as const
  return new Handshake(system, agents, luck).play()
}

/** So many handshakes in a system, from the one numbered `from` on. */
export const tryHandshakes = (
  system: System,
  people: ReadonlyArray<Person>,
  seed: number,
  {
    count,
    from = 0,
    onProgress = () => undefined
  }: { count: number; from?: number; onProgress?: (done: number) => void }
): Trial => {
  let [complete, wrongPeers] = [0, 0]
  const incomplete: Array<number> = []
  const lines: [number, number, number] = [0, 0, 0]
  for (let number = from; number < from + count; number++) {
    const outcome = handshake(system, people, seed, number)
    wrongPeers += outcome.wrongPeers
    if (outcome.complete) complete++
    else if (incomplete.length < 10) incomplete.push(number)
    const asked = Math.min(outcome.lines[0], 3) - 1
    lines[asked] = (lines[asked] ?? 0) + 1
    onProgress(number + 1 - from)
  }
  return { system: system.name, handshakes: count, complete, wrongPeers, incomplete, lines }
}

/** How many of so many spoiled lines made an agent ask its operator, or made a friend. Wanted: none. */
export const tryMutations = (
  people: ReadonlyArray<Person>,
  seed: number,
  count: number,
  onProgress: (done: number) => void = () => undefined
): ReadonlyArray<string> => {
  const accepted: Array<string> = []
  for (let number = 0; number < count; number++) {
    const luck = Chance.of(`${seed} mutated ${number}`)
    const line = acceptedAnyway(people, luck)
    if (line !== undefined) accepted.push(line)
    onProgress(number + 1)
  }
  return accepted
}

/** A spoiled line that an agent took, or undefined. The agent has asked, and waits for exactly the line that was spoiled. */
const acceptedAnyway = (people: ReadonlyArray<Person>, luck: Chance.Chance): string | undefined => {
  const [alice, bob] = [agent(people[0]!, "alice"), agent(luck.pick(people.slice(1)), "bob")]
  const story = new Handshake(silent, [alice, bob], luck)
  const { atMs, signature } = story.ask()
  const isAnswer = luck.happens(0.5)
  const signed = (tsMs: number) =>
    FriendLine.print(
      signedLine({ ...bob.person, name: "bob" }, "alice", tsMs, isAnswer ? { requestSignature: signature } : {}).value
    )
  const line = mutated(signed(atMs), signed(atMs + 1_000), luck)
  story.hear(alice, line, luck.happens(0.5) ? "bob" : null)
  return alice.asked === 0 && friendsOf(alice).length === 0 ? undefined : line
}

const silent: System = { ...systems[0]!, name: "silent", carry: () => [] }
