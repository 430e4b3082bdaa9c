/**
 * A whole friendship in phases, each played by two operators who know that a node may die under their hands.
 * It never says what went wrong; it plays, and waits for what must come. The checks look at what is left.
 * A phase starts from the folders that the one before it left, so each can be played by itself, as often as there are points.
 */
import * as Commands from "../../plugin/Commands.ts"
import { type SideName, sides } from "./Point.ts"
import type { Side } from "./Side.ts"
import { otherOf, type Stage } from "./Stage.ts"

export interface Phase {
  readonly name: string
  /** Sides whose calls count from their very start; the others count from `begin`. */
  readonly countsStart: ReadonlyArray<SideName>
  /** Plays the phase. `begin` is where counting starts for the sides that wait for it. */
  readonly play: (stage: Stage, begin: () => Promise<void>) => Promise<void>
}

const up = async (stage: Stage): Promise<void> => {
  for (const side of [stage.alice, stage.bob]) {
    if (side.lives() === 0) side.start()
  }
  await stage.until("both are up", () => stage.alice.isUp() && stage.bob.isUp())
}

/** What `/friends` says of the other one, empty if they are not friends. */
const friendLine = async (stage: Stage, side: Side): Promise<string> => {
  const other = otherOf(stage, side).name
  return (await stage.ask(side, "/friends")).find((line) => line.startsWith(`@${other} (`)) ?? ""
}

const seesFriend = (stage: Stage, side: Side, words: RegExp) => async (): Promise<boolean> =>
  words.test(await friendLine(stage, side))

const connected = (stage: Stage): Promise<void> =>
  stage.until("they are connected", async () => {
    const lines = [await friendLine(stage, stage.alice), await friendLine(stage, stage.bob)]
    return lines.every((line) => line.includes("; connected;"))
  })

/** Both up, connected, and counting. */
const meet = async (stage: Stage, begin: () => Promise<void>): Promise<void> => {
  await up(stage)
  await connected(stage)
  await begin()
}

/** Types a command until it is acknowledged, or its effect is seen without. */
const insist = async (stage: Stage, side: Side, line: string, done: () => Promise<boolean>): Promise<void> => {
  for (;;) {
    const reply = await stage.say(side, line)
    if (reply?.["ok"] === true || (await done())) return
  }
}

/** Alice asks, bob accepts. Neither repeats what was acknowledged: it must come about by itself, whoever dies. */
const befriend = async (stage: Stage): Promise<void> => {
  const { alice, bob } = stage
  const aliceHasAsked = async () =>
    (await stage.ask(alice, "/requests")).some((line) => line.startsWith("you asked @bob")) ||
    (await friendLine(stage, alice)) !== ""
  await insist(stage, alice, "/friend @bob", aliceHasAsked)
  const bobIsAsked = async () => (await stage.ask(bob, "/requests")).some((line) => line.startsWith("@alice#"))
  const bobIsFriend = seesFriend(stage, bob, /./)
  await stage.until("bob is asked", async () => (await bobIsAsked()) || (await bobIsFriend()))
  await insist(stage, bob, "/accept @alice", bobIsFriend)
  await stage.until("both are friends", async () => (await bobIsFriend()) && (await seesFriend(stage, alice, /./)()))
}

/** Lines of `/queue` about what waits; it also lists what was refused, which waits no more. */
const waiting = async (stage: Stage, side: Side): Promise<ReadonlyArray<string>> =>
  (await stage.ask(side, "/queue")).filter((line) => !/^nothing waits|: not delivered, /.test(line))

const queueIsEmpty = async (stage: Stage, side: Side): Promise<boolean> => (await waiting(stage, side)).length === 0

/** Nothing waits on either side. */
export const quiet = (stage: Stage): Promise<void> =>
  stage.until(
    "nothing waits any more",
    async () => (await queueIsEmpty(stage, stage.alice)) && (await queueIsEmpty(stage, stage.bob))
  )

/** That the friendship works in both directions, whatever happened. */
export const proof = async (stage: Stage, phase: string): Promise<void> => {
  await stage.message(stage.alice, `${phase}-proof-from-alice`)
  await stage.message(stage.bob, `${phase}-proof-from-bob`)
  await quiet(stage)
}

const friending: Phase = {
  name: "friending",
  countsStart: sides,
  play: async (stage) => {
    await up(stage)
    await befriend(stage)
  }
}

const messages: Phase = {
  name: "messages",
  countsStart: [],
  play: async (stage, begin) => {
    await meet(stage, begin)
    await stage.message(stage.alice, "hello-bob")
    await stage.message(stage.bob, "hello-alice")
    await quiet(stage)
  }
}

/** Alice writes while bob is away and takes one message back; then bob comes. */
const away: Phase = {
  name: "away",
  countsStart: sides,
  play: async (stage) => {
    const { alice, bob } = stage
    alice.start()
    for (const mark of ["away-1", "away-2", "away-3"]) await stage.message(alice, mark)
    const regretted = await stage.message(alice, "away-regretted")
    if (regretted.id !== undefined) {
      const reply = await stage.say(alice, `/cancel ${regretted.id}`)
      regretted.cancelled = reply?.["ok"] === true ? "yes" : "maybe"
    }
    bob.start()
    await stage.message(alice, "away-4")
    await stage.message(bob, "back-1")
    await quiet(stage)
  }
}

/** Both end in order, with a message on its way, and come back. */
const stopping: Phase = {
  name: "stopping",
  countsStart: [],
  play: async (stage, begin) => {
    const { alice, bob } = stage
    await meet(stage, begin)
    await stage.message(alice, "last-words")
    let ended = 0
    for (const side of [alice, bob]) void side.end().then(() => ended++)
    await stage.until("both end in order", () => ended === 2)
    for (const side of [alice, bob]) side.start()
    await up(stage)
    await quiet(stage)
  }
}

/** Bob lets alice inject, takes it back while her inject runs, and lets her again. */
const grants: Phase = {
  name: "grants",
  countsStart: [],
  play: async (stage, begin) => {
    const { alice, bob } = stage
    await meet(stage, begin)
    const may = seesFriend(stage, bob, /may (inject|message, inject|inject, message);/)
    const mayNot = async () => !(await may())
    await insist(stage, bob, "/grant @alice inject", may)
    await stage.until("alice may inject", seesFriend(stage, alice, /you may [a-z, ]*inject/))
    const running = await stage.inject(alice, "never", "revoked-while-it-runs")
    await stage.until("it runs, or is over", async () => (await isRunning(stage)) || (await isOver(stage, running.id)))
    await insist(stage, bob, "/revoke @alice inject", mayNot)
    await quiet(stage)
    await insist(stage, bob, "/grant @alice inject", may)
    await stage.until("alice may inject again", seesFriend(stage, alice, /you may [a-z, ]*inject/))
  }
}

const isRunning = (stage: Stage): Promise<boolean> =>
  Promise.resolve(stage.bob.toldNow().some((told) => told.event === "job-started"))

const isOver = async (stage: Stage, id: string | undefined): Promise<boolean> =>
  id === undefined
    ? queueIsEmpty(stage, stage.alice)
    : !(await waiting(stage, stage.alice)).some((line) => line.startsWith(id.slice(0, 8)))

const asking = (name: string, wish: "short" | "long"): Phase => ({
  name,
  countsStart: [],
  play: async (stage, begin) => {
    await meet(stage, begin)
    await stage.inject(stage.alice, wish, `${name}-1`)
    await quiet(stage)
  }
})

const cancelling: Phase = {
  name: "cancel",
  countsStart: [],
  play: async (stage, begin) => {
    const { alice } = stage
    await meet(stage, begin)
    const one = await stage.inject(alice, "never", "cancelled-while-it-runs")
    await stage.until("it runs, or is over", async () => (await isRunning(stage)) || (await isOver(stage, one.id)))
    for (const line of await waiting(stage, alice)) {
      const id = /^([0-9a-f]{8}) {2}inject/.exec(line)?.[1]
      if (id === undefined) continue
      await insist(stage, alice, `/cancel ${id}`, async () => queueIsEmpty(stage, alice))
      one.cancelled = "yes"
    }
    await quiet(stage)
  }
}

/** Alice ends the friendship with an inject under way, bob learns of it, and they begin anew. */
const parting: Phase = {
  name: "parting",
  countsStart: [],
  play: async (stage, begin) => {
    const { alice, bob } = stage
    await meet(stage, begin)
    const noFriend = (side: Side) => async () => (await friendLine(stage, side)) === ""
    await stage.inject(bob, "short", "bob-has-no-grant")
    await insist(stage, alice, "/unfriend @bob", noFriend(alice))
    await stage.until("bob learns of it", noFriend(bob))
    await befriend(stage)
  }
}

/** Alice gets new keys; bob follows. */
const rotation: Phase = {
  name: "rotation",
  countsStart: [],
  play: async (stage, begin) => {
    const { alice, bob } = stage
    await meet(stage, begin)
    const keyOf = async () => (await stage.ask(alice, "/status"))[0] ?? ""
    const before = await keyOf()
    await insist(stage, alice, "/rotate", async () => (await keyOf()) !== before)
    await stage.until("both see the same keys", async () => {
      const [ours, theirs] = [await stage.ask(alice, "/fingerprint @bob"), await stage.ask(bob, "/fingerprint @alice")]
      return (await keyOf()) !== before && ours[1] === theirs[1]
    })
  }
}

/** Every phase of which the program knows the commands, in order. */
export const phases: ReadonlyArray<Phase> = [
  friending,
  messages,
  away,
  grants,
  asking("inject", "short"),
  asking("stream", "long"),
  cancelling,
  stopping,
  ...(Commands.table.some(({ name }) => name === "rotate") ? [rotation] : []),
  parting
]
