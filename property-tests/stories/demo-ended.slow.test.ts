/**
 * The demo ended from outside at every stage of its story: by signals, by a kill that it cannot see, by nobody reading.
 * It must not believe what the demo prints: processes and folders are looked for by other means.
 * No container engine is needed; the one interrupted container is with the shorter stories.
 */
import { afterAll, describe, expect, it } from "vitest"
import { engineless, expectNothingLeft, named, toldBy } from "./demo-stage.ts"
import { clearPlaces, isAlive, launch, leftovers, makePlace, until } from "./stage.ts"

afterAll(clearPlaces)

describe("the demo, ended from outside", () => {
  const moments = ["note", "started", "delivered"].flatMap((event) => [
    { signal: "SIGINT", code: 130, event } as const,
    { signal: "SIGTERM", code: 143, event } as const
  ])
  it.each(moments)("ends both nodes and cleans up on $signal after $event", async ({ code, event, signal }) => {
    const place = await makePlace()
    const demo = launch(["demo", "--json"], engineless(place))
    await demo.printed(new RegExp(`"event":"${event}"`))
    demo.child.kill(signal)
    const ended = await demo.ended
    expect(ended).toMatchObject({ code, stderr: "" })
    const told = toldBy(ended)
    expect(told.at(-1)?.event).toBe("interrupted")
    expect(named(told, "done")).toEqual([])
    if (event !== "note") expectNothingLeft(place, told)
    expect(leftovers(place)).toEqual([])
  })

  it.each(["started", "delivered"])("leaves no node running when it is killed after %s", async (event) => {
    const place = await makePlace()
    const demo = launch(["demo", "--json"], engineless(place))
    await demo.printed(new RegExp(`"event":"${event}"`))
    demo.child.kill("SIGKILL")
    const { stdout } = await demo.ended
    const whole = stdout.slice(0, stdout.lastIndexOf("\n"))
    const pids = named(toldBy({ stdout: whole }), "started").flatMap((one) => one["pids"] as ReadonlyArray<number>)
    expect(pids).toHaveLength(2)
    await until("both nodes are gone", () => !pids.some(isAlive), 20_000)
  })

  it("ends both nodes when nobody reads what it tells any more", async () => {
    const place = await makePlace()
    const demo = launch(["demo", "--json"], engineless(place))
    await demo.printed(/"event":"started"/)
    demo.child.stdout?.destroy()
    const ended = await demo.ended
    expect(ended).toMatchObject({ code: 1, stderr: "" })
    // What was told after that is lost; the line with the process ids is not.
    const whole = ended.stdout.slice(0, ended.stdout.lastIndexOf("\n"))
    expectNothingLeft(place, toldBy({ stdout: whole }))
  })
})
