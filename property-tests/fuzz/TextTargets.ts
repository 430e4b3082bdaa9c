/**
 * Readers of text that people and files hold: friend lines, lines of a room, records, journals, the identity's document.
 * It never touches a file: a journal is read from memory, by the reader that reads the real one.
 */

import type { FileHandle } from "node:fs/promises"
import { Redacted, Result } from "effect"
import fc from "fast-check"
import { encodeFrame, encodeHeader, headerBytes } from "../../adapters/filesystem/JournalFrame.ts"
import { Damage, readJournal } from "../../adapters/filesystem/JournalRead.ts"
import { entryIn } from "../../adapters/filesystem/LogLines.ts"
import { LineCutter } from "../../adapters/terminal/LineCutter.ts"
import { FriendLine, Keys, State, Step } from "../../core/index.ts"
import * as Records from "../../core/node/Records.ts"
import type { StoredRecord } from "../../ports/RecordStore.ts"
import { keysOf, sodium } from "../arbitraries/keys.ts"
import { friendLine } from "../arbitraries/lines.ts"
import { alice, beginning, noonMs, turnAt } from "../arbitraries/state.ts"
import type { Chance } from "../simulation/Chance.ts"
import { demand, type Reading, refused, type Target, value } from "./Target.ts"

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text))
const text = (input: Uint8Array): string => Buffer.from(input).toString()
const drawn = <A>(arbitrary: fc.Arbitrary<A>, luck: Chance): A =>
  fc.sample(arbitrary, { numRuns: 1, seed: luck.whole(0, 2 ** 30) })[0]!

const line: Target = {
  name: "friend-line",
  says: "a text of a chat, in which a friend line may stand",
  samples: (luck) => bytes(FriendLine.print(drawn(friendLine, luck))),
  words: [
    "FRIEND_REQUEST",
    "FRIEND_ACCEPT",
    " | ",
    "to:",
    "from:",
    "pubkey:",
    "MCowBQYDK2V",
    "encryptPub:",
    "requestSig:",
    "ts:",
    "sig:",
    "&#124;",
    "&amp;",
    "<http://a|",
    "](https://",
    "\\",
    "\u00a0",
    "@"
  ],
  read: (input) => {
    const reading = FriendLine.parse(sodium, text(input))
    if (reading.kind === "refused") return refused(reading.rejection.code)
    if (reading.kind !== "line") return value(reading)
    const verified = FriendLine.verify(sodium, reading.line)
    if (Result.isFailure(verified)) return refused(verified.failure.code)
    const again = FriendLine.parse(sodium, FriendLine.print(reading.line))
    demand(value(again) === value(reading), "printed again it says something else")
    return value(reading)
  }
}

const cutLines = (pieces: ReadonlyArray<Uint8Array>): Reading => {
  const cutter = new LineCutter(200)
  return value(pieces.flatMap((piece) => cutter.feed(piece)))
}

const roomLine: Target = {
  name: "room-line",
  says: "bytes of a room's file or of a terminal into lines",
  samples: (luck) =>
    bytes(Array.from({ length: luck.whole(1, 5) }, () => "é".repeat(luck.pick([0, 1, 99, 100, 101]))).join("\r\n")),
  words: ["\n", "\r\n", "\r", "é", "\u0000"],
  read: (input) => cutLines([input]),
  readPieces: cutLines
}

/** The records of a node that has lived a little. */
const recordsOf = (): ReadonlyArray<StoredRecord> => {
  let state = State.start(alice.self, State.emptyDurable)
  for (const [index, input] of beginning.entries()) state = Step.step(state, input, turnAt(noonMs, index))[0]
  return Records.diff(state.durable).flatMap(({ collection, key, value: json }) =>
    json === null ? [] : [{ collection, key, value: json }]
  )
}

const lived = recordsOf()

const store: Target = {
  name: "store",
  says: "a record of the store, as it stands on the disk",
  samples: (luck) => {
    const { collection, key, value: json } = luck.pick(lived)
    return bytes(`${collection}\n${key}\n${json}`)
  },
  words: [...Records.collections, "\n", "{}", "[]", "null", '""', "0", "__proto__", '"kind":', '"standing":"Friend"'],
  read: (input) => {
    const [collection = "", key = "", ...rest] = text(input).split("\n")
    const loaded = Records.load([{ collection, key, value: rest.join("\n") }])
    if (Result.isFailure(loaded)) return refused("record")
    const again = Records.load([{ collection, key, value: rest.join("\n") }])
    demand(Result.isSuccess(again), "read twice, it is refused")
    return value(collection)
  }
}

const salt = new Uint8Array(16).fill(7)

const journalOf = (luck: Chance): Uint8Array => {
  const changes = Array.from({ length: luck.whole(1, 3) }, () => {
    const { collection, key, value: json } = luck.pick(lived)
    return [collection, key, luck.happens(0.2) ? null : json]
  })
  const frames = Array.from({ length: luck.whole(1, 3) }, (_, index) =>
    encodeFrame(salt, index + 1, JSON.stringify([changes]))
  )
  const checkpointEnd = headerBytes + (luck.happens(0.5) ? frames[0]!.length : 0)
  return Uint8Array.from(Buffer.concat([encodeHeader({ salt, checkpointEnd, firstSequence: 1 }), ...frames]))
}

/** A file in memory, as far as the journal's reader asks. */
const fileOf = (content: Uint8Array): FileHandle =>
  ({
    stat: async () => ({ size: content.length }),
    read: async (into: Uint8Array, offset: number, length: number, position: number) => {
      const part = content.subarray(position, position + length)
      into.set(part, offset)
      return { bytesRead: part.length, buffer: into }
    }
  }) as unknown as FileHandle

const journal: Target = {
  name: "journal",
  says: "a journal file, from its first byte to what can be proven whole",
  samples: journalOf,
  words: ["\u0000wop", "wopjrnl1", "[[", "]]", "null"],
  read: async (input) => {
    let changes = 0
    try {
      const { position, tornBytes } = await readJournal(fileOf(input), (more) => {
        changes += more.length
      })
      demand(position + tornBytes === input.length, "what was read and what is torn are not the whole file")
      return value({ changes, position, tornBytes })
    } catch (error) {
      if (error instanceof Damage) return refused("damage")
      throw error
    }
  }
}

const logLine: Target = {
  name: "log-line",
  says: "a line of a conversation's file",
  samples: () => bytes('{"id":"i","conversation":"c","label":"l","atMs":1,"from":"alice","text":"hello"}'),
  words: ["null", "{", "}", '"id":', "1", "__proto__"],
  read: (input) => {
    const entry = entryIn(text(input))
    return entry === undefined ? refused("none") : value(entry)
  }
}

const document: Target = {
  name: "identity",
  says: "the secret document of an identity",
  samples: (luck) => bytes(Redacted.value(Keys.toDocument(keysOf(luck.whole(0, 5))))),
  words: ['"version":3', '"history":[', '"identitySeed":"', '"recoveryCommitment":"', "null", "0"],
  read: (input) => {
    const keys = Keys.fromDocument(sodium, Redacted.make(text(input)))
    if (keys === undefined) return refused("document")
    const again = Keys.fromDocument(sodium, Keys.toDocument(keys))
    demand(
      again !== undefined && value(again.identityKey) === value(keys.identityKey),
      "written again it is another key"
    )
    return value(keys.identityKey)
  },
  refusesTrailing: true
}

/** All readers of text and of files. */
export const textTargets: ReadonlyArray<Target> = [line, roomLine, store, journal, logLine, document]
