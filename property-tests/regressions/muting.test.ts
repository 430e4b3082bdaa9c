/**
 * A friend that our operator has muted: its texts are kept in the conversation, and nobody is told of them.
 * Nothing of it leaves the node: the friend's end is the same, message for message, and has its receipts.
 * It is a preference and no decision: what the friend may do does not change.
 */
import { expect, it } from "vitest"
import { Describe } from "../../core/index.ts"
import { crypto, noonMs, person, signedLine } from "../arbitraries/state.ts"
import { failedWith, Pair } from "../models/pair.ts"

const bob = { name: "bob", keyPrefix: "" }

it("a muted friend's texts are kept and not told, also after a restart and when it asks again, until it is unmuted", () => {
  const pair = new Pair(person("alice"), person("bob"))
  pair.link()
  const view = () => Describe.describe(crypto, pair.one.state, pair.one.nowMs).friends[0]!
  const says = (text: string) => {
    expect(failedWith(pair.other.operator({ _tag: "Message", name: "alice", keyPrefix: "", text }))).toBe("ok")
    pair.carry()
  }
  const shown = () => pair.one.outputs.flatMap((output) => (output._tag === "Show" ? [output.entry.text] : []))
  const said = pair.one.said.length
  expect(failedWith(pair.one.operator({ _tag: "Mute", ...bob, muted: true }))).toBe("ok")
  expect(pair.one.said.length).toBe(said)
  expect(view().muted).toBe(true)
  says("psst")
  pair.cut()
  pair.one.restart()
  pair.link()
  const line = signedLine(pair.other.person, "alice", noonMs)
  pair.one.take({ _tag: "Line", channel: "lobby", author: null, line })
  says("still here")
  expect(shown()).toEqual(expect.arrayContaining(["psst", "still here"]))
  expect(pair.one.last("Received")).toBeUndefined()
  expect(pair.other.last("Delivered")).toBeDefined()
  pair.one.operator({ _tag: "Mute", ...bob, muted: false })
  says("aloud")
  expect(pair.one.last("Received")?.entry.text).toBe("aloud")
  expect(view().muted).toBe(false)
})
