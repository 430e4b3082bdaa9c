/**
 * After a model was shown what others wrote, its tools change nothing but what they send, for an hour.
 * It never asks what such a text says: one that greets has the same effect as one that orders.
 * Whether that is enough is attacked in `../obedient/`.
 */
import { describe, expect, it } from "vitest"
import * as Quoted from "../../plugin/host/Quoted.ts"
import * as Tools from "../../plugin/host/Tools.ts"

const named = (name: string) => Tools.table.find((tool) => tool.name === name)!
const held = (quoted: Quoted.Quoted) =>
  Tools.table
    .filter(quoted.holds)
    .map(({ name }) => name)
    .sort()
const changing = Tools.table
  .filter(({ changes, permission }) => changes && permission === "p2p.admin")
  .map(({ name }) => name)
  .sort()

describe("a quotation", () => {
  it("has every tool that changes something wait for the owner, and none that looks or sends", () => {
    expect(changing).toContain("p2p_revoke_peer")
    expect(changing).toContain("p2p_rotate_keys")
    expect(changing).not.toContain("p2p_log_message")
    let nowMs = 5
    const quoted = Quoted.make(() => nowMs)
    expect(held(quoted)).toEqual([])
    quoted.note(named("p2p_inbox"), { note: "", texts: [{ text: "hi", untrusted: true }] })
    expect(held(quoted)).toEqual(changing)
    nowMs += Quoted.quotedMs - 1
    expect(held(quoted)).toEqual(changing)
    nowMs += 1
    expect(held(quoted)).toEqual([])
  })

  it("is a friend's text, an answer, and what strangers say of themselves; not what we wrote, nor an empty inbox", () => {
    const holdsAfter = (name: string, given: unknown) => {
      const quoted = Quoted.make(() => 0)
      quoted.note(named(name), given)
      return held(quoted).length > 0
    }
    expect(holdsAfter("p2p_wait", { state: "text", text: "hi", untrusted: true })).toBe(true)
    expect(holdsAfter("p2p_inject_message", { state: "answered", answer: "hi", untrusted: true })).toBe(true)
    expect(holdsAfter("p2p_discover_peers", { peers: [] })).toBe(true)
    expect(holdsAfter("p2p_wait", { state: "delivered" })).toBe(false)
    expect(holdsAfter("p2p_inbox", { texts: [] })).toBe(false)
    expect(holdsAfter("p2p_inbox", { texts: [{ text: "ours", untrusted: false }] })).toBe(false)
    expect(holdsAfter("p2p_status", null)).toBe(false)
  })
})
