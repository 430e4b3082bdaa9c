/**
 * The committed vectors are what the code gives, under either engine, and PROTOCOL.md's tables are what the code says.
 * It never rewrites anything: a difference is a change of the protocol, and whoever means it runs the generator.
 * The page's bounds are checked too, because a number in prose is the first thing to go stale.
 */
import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { layer as noble } from "../../adapters/noble/Crypto.ts"
import { layer as sodium } from "../../adapters/sodium/Crypto.ts"
import { Frame, Limits, Message, Transcript } from "../../core/index.ts"
import { toHex } from "../conformance/Crypto.hostile.ts"
import { engineOf } from "../conformance/Crypto.suite.ts"
import { file, print } from "./generate.ts"
import { page, refresh } from "./tables.ts"

const committed = readFileSync(file, "utf8")
const prose = readFileSync(page, "utf8")

describe("own vectors", () => {
  for (const [engine, layer] of [
    ["sodium", sodium],
    ["noble", noble]
  ] as const)
    it(`are what the code gives on ${engine} (else: node property-tests/vectors/generate.ts --write)`, () => {
      expect(print(engineOf(layer))).toBe(committed)
    })
})

describe("PROTOCOL.md", () => {
  it("has the tables of the code (else: node property-tests/vectors/tables.ts --write)", () => {
    expect(refresh(prose)).toBe(prose)
  })

  it("lists every kind of message with exactly its members, optional ones marked", () => {
    const rows = [...prose.matchAll(/^\| ((?:`[A-Z]\w+`(?:, )?)+) \| (.*) \|$/gm)]
    const listed = rows.flatMap(([, kinds, members]) =>
      [...kinds!.matchAll(/\w+/g)].map(([kind]) => [
        kind,
        [...members!.matchAll(/(?:^|, )(\w+\??):/g)].map((match) => match[1]).sort()
      ])
    )
    const known = Object.entries(Message.kinds).map(([kind, schema]) => {
      const members = Object.entries(schema.fields).filter(([name]) => name !== "kind")
      return [kind, members.map(([name, field]) => (isOptional(field) ? `${name}?` : name)).sort()]
    })
    expect(Object.fromEntries(listed)).toEqual(Object.fromEntries(known))
  })

  it("names the frame types and the bounds that its prose repeats", () => {
    const frames = [...prose.matchAll(/^\| (\d) \| (preface|handshake|record|reject) \|/gm)]
    expect(Object.fromEntries(frames.map(([, number, name]) => [name, Number(number)]))).toEqual(Frame.types)
    const english = (value: number) => value.toLocaleString("en-US")
    for (const sentence of [
      `may be at most ${english(Limits.openingFrameBytesMax)} until the session is open and ${english(Limits.frameBytesMax)}`,
      `counter would be ${english(Limits.recordsPerEpoch)}, or when the epoch is ${Limits.epochAgeMs / 60_000} minutes old`,
      `A body has at most ${english(Limits.bodyBytesMax)} bytes`,
      `At most ${Limits.sendWindowEntries} numbers and ${Limits.sendWindowBytes / 2 ** 20} MiB`,
      `length: int ≤ ${english(Limits.answerBytesMax)}`,
      `bytes: base64url of at most ${english(Math.ceil((Limits.chunkBytes * 4) / 3))} characters`,
      `also: array of at most ${english(Limits.inboxAheadMax)} positive`,
      `more than ${english(Limits.inboxAheadMax)} above the mark`,
      `ts| ≤ ${Limits.freshnessMs / 60_000} minutes`,
      `1 to ${Limits.nameCodePointsMax} code points`,
      `open ${Limits.openingTimeMs / 1_000} s after`,
      `\`Log\` ${Limits.messagesPerMinute} a minute and ${Limits.messagesPerHour} an`,
      `draws from ${english(Limits.controlPerSecond)} a second first`,
      `of a stream from ${Limits.streamsPerHour} an hour`,
      `beyond ${Limits.earlyMessagesMax} messages before the reader has greeted`,
      `at most ${Limits.recordMessagesMax} envelopes`,
      `the ${Limits.violationsMax}th within an hour`,
      `of: array of at most ${Limits.requestsPerFriendshipMax} signatures`,
      `${english(Limits.answerCreditBytes)} bytes ahead of what has arrived`,
      `at most ${english(Limits.answerCreditBytes)} bytes for one \`Resume\``,
      `\`Chunk\` (up to ${english(Limits.chunkBytes)} bytes from offset 0`,
      `${Limits.jobsPerPeerMax} runs of the peer, ${Limits.jobsMax} in all (${Limits.jobsMax + Limits.jobsReserved} for a peer that has none), or ${Limits.answersWaitingMax} answers`,
      `newest ${Limits.jobsRememberedMax} settled ids`,
      `${Limits.sasPerHour} times an hour with one peer, and hears of ${Limits.sasOffersPerHour} offers`,
      `modulo 10^${Limits.sasDigitsMax}`,
      `after ${Limits.sasMs / 60_000} minutes`
    ])
      expect(prose.replace(/\s+/g, " ")).toContain(sentence)
  })

  it("works its example of a transcript as the code does", () => {
    const lines = [...prose.matchAll(/^([0-9a-f]{8})(?: ([0-9a-f]+))? {2,}\S/gm)]
    const worked = lines.map(([, length, value]) => `${length}${value ?? ""}`).join("")
    const encoded = Transcript.encode("wop/3 example", ["hé", 5, new Uint8Array([0, 0xff])])
    expect(worked).toBe(toHex(encoded))
  })

  it("stays a page that can be read", () => {
    expect(prose.split("\n").length).toBeLessThanOrEqual(760)
  })
})

/** Whether a member of a Schema may be absent. */
const isOptional = (field: {
  readonly ast: { readonly context?: { readonly isOptional: boolean } | undefined }
}): boolean => field.ast.context?.isOptional === true
