/**
 * Kill -9 at random moments while two people become friends, write, allow, withdraw and part: nothing that was
 * acknowledged is lost, nothing is shown twice, every start succeeds.
 * It must not excuse anything a person could have seen: a reply that was printed counts, one that died does not.
 * `SEED` repeats the plan, `ROUNDS` shortens it; two pairs storm at once, each on a network of its own.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, Exit, Scope } from "effect"
import { afterAll, expect, it } from "vitest"
import { testnet } from "../../adapters/hyperswarm/LocalDht.ts"
import { makeRandom, seed } from "./seeded.ts"
import { clearPlaces, makePlace, type Place } from "./stage.ts"
import { type Actor, Pair, phases } from "./storm.ts"

const killsWanted = Number(process.env["ROUNDS"] ?? 200)
const scope = Effect.runSync(Scope.make())
afterAll(async () => {
  await Effect.runPromise(Scope.close(scope, Exit.void))
  clearPlaces()
})

interface Entry {
  readonly id: string
  readonly text: string
  readonly atMs: number
}

const shownTo = (place: Place, name: string): ReadonlyArray<Entry> => {
  const folder = join(place.folder, name, "conversations")
  if (!existsSync(folder)) return []
  return readdirSync(folder).flatMap((file) =>
    readFileSync(join(folder, file), "utf8")
      .trimEnd()
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Entry)
  )
}

const twice = (values: ReadonlyArray<string>): ReadonlyArray<string> =>
  values.filter((value, index) => values.indexOf(value) !== index)

const count = (sent: Actor["sent"], is: (one: Actor["sent"][number]) => boolean): number => sent.filter(is).length

/** Compares what one side typed and was told with what the other side's files show. */
const judge = (place: Place, from: Actor, to: Actor) => {
  const wrong: Array<string> = []
  const shown = shownTo(place, to.name)
  const texts = shown.map(({ text }) => text)
  const told = (event: string) => new Set(from.told.filter((one) => one.event === event).map((one) => one["id"]))
  const [delivered, refused] = [told("delivered"), told("refused")]
  for (const text of twice(texts)) wrong.push(`${text} is shown twice to ${to.name}`)
  for (const id of twice(shown.map((one) => one.id))) wrong.push(`${id} is in ${to.name}'s files twice`)
  const events = to.told.filter(({ event }) => event === "received").map((one) => (one["entry"] as Entry).id)
  for (const id of twice(events)) wrong.push(`${id} was told to ${to.name} twice`)
  let untold = 0
  for (const one of from.sent) {
    const isShown = texts.includes(one.text)
    if (one.reply === "refused" && isShown) wrong.push(`${one.text} was not taken and is shown`)
    if (one.reply !== "ok") continue
    if (delivered.has(one.id) && !isShown) wrong.push(`${one.text} was told delivered and is not shown`)
    const outcome = from.notDelivered.get(one.id?.slice(0, 8) ?? "")
    // Only of what had left when a friendship ended it cannot be told whether it arrived.
    if (outcome !== undefined && outcome !== "unresolved" && isShown)
      wrong.push(`${one.text} is listed as not delivered and is shown`)
    if (isShown || refused.has(one.id)) continue
    // A refusal can die with the process that was about to tell it; then the list has it.
    if (outcome !== undefined) untold++
    else wrong.push(`${one.text} was acknowledged and is lost`)
  }
  // A final word may come too early when the friendship ends; which one it was is worth knowing.
  const doubted = from.sent.filter(({ id, text }) => refused.has(id) && texts.includes(text))
  const codes = doubted.map(({ id }) =>
    String(from.told.find((one) => one.event === "refused" && one["id"] === id)?.["code"])
  )
  const numbers = texts.map((text) => from.sent.find((one) => one.text === text)?.number ?? Number.NaN)
  numbers.forEach((number, index) => {
    if (number > (numbers[index - 1] ?? 0)) return
    // Stream, number and time of each say whether the sender, the receiver or the file has lost the order.
    const around = shown.slice(Math.max(0, index - 3), index + 3).map(({ atMs, id, text }) => `  ${text} ${id} ${atMs}`)
    wrong.push(`${texts[index]} comes after ${texts[index - 1]}\n${around.join("\n")}`)
  })
  return {
    wrong,
    counts: {
      acknowledged: count(from.sent, ({ reply }) => reply === "ok"),
      unanswered: count(from.sent, ({ reply }) => reply === "none"),
      toldDelivered: count(from.sent, ({ id }) => delivered.has(id)),
      toldRefused: count(from.sent, ({ id }) => refused.has(id)),
      untold,
      shown: shown.length,
      refusedAndShown: Object.fromEntries(
        [...new Set(codes)].map((code) => [code, codes.filter((one) => one === code).length])
      )
    }
  }
}

const storm = async (index: number, network: (place: Place) => Promise<ReadonlyArray<string>>) => {
  const place = await makePlace()
  const pair = new Pair(place, await network(place), makeRandom(seed * 2 + index))
  const wrong: Array<string> = []
  const killed = () => pair.actors.reduce((sum, { kills }) => sum + kills, 0)
  try {
    while (killed() < killsWanted / 2 && wrong.length === 0) wrong.push(...(await pair.round()))
    wrong.push(...(await pair.heal(120_000)))
  } catch (error) {
    wrong.push(String(error))
  } finally {
    await Promise.all(pair.actors.map((actor) => actor.down()))
  }
  const [alice, bob] = pair.actors
  const verdicts = [judge(place, alice, bob), judge(place, bob, alice)]
  wrong.push(...verdicts.flatMap((one) => one.wrong))
  const starts = alice.starts + bob.starts
  console.log(
    `kill-storm, pair ${index}: ${killed()} kills (${phases.map((phase) => `${phase} ${pair.kills[phase]}`).join(", ")}), ` +
      `${starts} times up\n  alice → bob ${JSON.stringify(verdicts[0]!.counts)}\n  bob → alice ${JSON.stringify(verdicts[1]!.counts)}`
  )
  if (wrong.length > 0) console.log(`${wrong.join("\n")}\n${pair.trace}`)
  return { wrong, kills: pair.kills, shown: verdicts.reduce((sum, { counts }) => sum + counts.shown, 0) }
}

it(`loses nothing and shows nothing twice over ${killsWanted} kills (SEED=${seed})`, async () => {
  console.log(`kill-storm: SEED=${seed} ROUNDS=${killsWanted}`)
  const ownDht = async () => {
    const [first] = await Effect.runPromise(Scope.provide(testnet, scope))
    return ["--bootstrap", `${first!.host}:${first!.port}`]
  }
  // The second pair hosts its network itself, so that some kills take that along.
  const sharedDht = async ({ port }: Place) => ["--local", "--local-port", String(port)]
  const results = await Promise.all([storm(0, ownDht), storm(1, sharedDht)])
  expect(results.flatMap(({ wrong }) => wrong)).toEqual([])
  // The story proves nothing if a phase was never hit or nobody got to speak.
  for (const phase of phases) {
    const hits = results.reduce((sum, { kills }) => sum + kills[phase], 0)
    expect(hits, phase).toBeGreaterThan(killsWanted / 20)
  }
  expect(results.reduce((sum, { shown }) => sum + shown, 0)).toBeGreaterThan(killsWanted / 2)
})
