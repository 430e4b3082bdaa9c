/**
 * The durable half of the state ↔ the records of the store: one row per table.
 * It never guesses: a record that does not parse, or of a collection it does not know, refuses the whole load.
 * What is written is what changed in the turn; `load` after any number of commits gives the state that was committed.
 */
import { Result, Schema } from "effect"
import type { Change, StoredRecord } from "../../ports/RecordStore.ts"
import * as Grants from "../admission/Grants.ts"
import * as Requirement from "../admission/Requirement.ts"
import * as Allowance from "../agent/Allowance.ts"
import * as HoldRule from "../agent/HoldRule.ts"
import * as Calls from "../delivery/Calls.ts"
import * as Inbox from "../delivery/Inbox.ts"
import * as Jobs from "../delivery/Jobs.ts"
import * as Outbox from "../delivery/Outbox.ts"
import * as Refusals from "../delivery/Refusals.ts"
import * as Unshown from "../delivery/Unshown.ts"
import * as Profile from "../discovery/Profile.ts"
import * as Topic from "../discovery/Topic.ts"
import * as AutoAccept from "../friend/AutoAccept.ts"
import * as Errand from "../friend/Errand.ts"
import * as Introduction from "../friend/Introduction.ts"
import * as Invite from "../friend/Invite.ts"
import * as Roster from "../friend/Roster.ts"
import * as Table from "../Table.ts"
import { Ban, Budget, DoneIntent, type Durable } from "./State.ts"

/** Every table's collection and the shape of its values. A new table is a new row here and in `tablesOf`. */
const shapes = {
  owner: Schema.String,
  friends: Roster.Friend,
  asked: Roster.Asked,
  askedBy: Roster.AskedBy,
  rules: AutoAccept.Rule,
  replay: Schema.Finite,
  grants: Grants.Grant,
  bans: Ban,
  budgets: Budget,
  lanes: Outbox.Lane,
  outbox: Outbox.Entry,
  streams: Inbox.Stream,
  outcomes: Inbox.Outcome,
  jobs: Jobs.Job,
  calls: Calls.Call,
  refusals: Refusals.Refusal,
  spents: Allowance.Spent,
  holdRules: HoldRule.HoldRule,
  requirements: Requirement.Requirement,
  intents: DoneIntent,
  unshown: Unshown.Kept,
  errands: Errand.Errand,
  invites: Invite.Invite,
  introductions: Introduction.Introduction,
  topics: Topic.Joined,
  left: Topic.Joined,
  profile: Profile.Content
} as const
type PlainCodec = Schema.Codec<unknown, unknown>
export type Collection = keyof typeof shapes
export const collections = Object.keys(shapes) as ReadonlyArray<Collection>

/** Collections whose values hold something redacted: only their own Schema writes it out. */
const printers: Readonly<Partial<Record<Collection, (value: unknown) => string>>> = {
  errands: Schema.encodeUnknownSync(Schema.fromJsonString(shapes.errands)),
  invites: Schema.encodeUnknownSync(Schema.fromJsonString(shapes.invites)),
  topics: Schema.encodeUnknownSync(Schema.fromJsonString(shapes.topics)),
  left: Schema.encodeUnknownSync(Schema.fromJsonString(shapes.left))
}

/** A stored value is the JSON of a value of the table: every other shape is plain, so there is nothing to encode. */
const print = (collection: Collection, value: unknown): string => printers[collection]?.(value) ?? JSON.stringify(value)

const decoders = Object.fromEntries(
  collections.map((name) => {
    const codec: Schema.Codec<unknown, string> = Schema.fromJsonString(shapes[name] as PlainCodec)
    return [name, Schema.decodeUnknownResult(codec)]
  })
) as unknown as Readonly<Record<Collection, (text: string) => Result.Result<unknown, unknown>>>

/** The tables of a state by collection. */
const tablesOf = (durable: Durable): Readonly<Record<Collection, Table.Table<unknown>>> => ({
  owner: durable.owner,
  friends: durable.roster.friends,
  asked: durable.roster.asked,
  askedBy: durable.roster.askedBy,
  rules: durable.roster.rules,
  replay: durable.replay,
  grants: durable.grants,
  bans: durable.bans,
  budgets: durable.budgets,
  lanes: durable.outbox.lanes,
  outbox: durable.outbox.entries,
  streams: durable.inbox.streams,
  outcomes: durable.inbox.outcomes,
  jobs: durable.jobs,
  calls: durable.calls,
  refusals: durable.refusals,
  spents: durable.spents,
  holdRules: durable.holdRules,
  requirements: durable.requirements,
  intents: durable.intents,
  unshown: durable.unshown,
  errands: durable.errands,
  invites: durable.invites,
  introductions: durable.introductions,
  topics: durable.topics,
  left: durable.left,
  profile: durable.profile
})

/** A state of the tables in `tables`; the inverse of `tablesOf`. */
const fromTables = (tables: Readonly<Record<Collection, Table.Table<unknown>>>): Durable => {
  const table = <V>(name: Collection) => tables[name] as Table.Table<V>
  return {
    owner: table("owner"),
    roster: { friends: table("friends"), asked: table("asked"), askedBy: table("askedBy"), rules: table("rules") },
    replay: table("replay"),
    grants: table("grants"),
    bans: table("bans"),
    budgets: table("budgets"),
    outbox: Outbox.load(table("lanes"), table("outbox")),
    inbox: { streams: table("streams"), outcomes: table("outcomes") },
    jobs: table("jobs"),
    calls: table("calls"),
    refusals: table("refusals"),
    spents: table("spents"),
    holdRules: table("holdRules"),
    requirements: table("requirements"),
    intents: table("intents"),
    unshown: Unshown.load(table("unshown")),
    errands: table("errands"),
    invites: table("invites"),
    introductions: table("introductions"),
    topics: table("topics"),
    left: table("left"),
    profile: table("profile")
  }
}

/** What has to be written so that the store holds this state. Empty when nothing durable changed. */
export const diff = (durable: Durable): ReadonlyArray<Change> => {
  const tables = tablesOf(durable)
  const changes: Array<Change> = []
  for (const collection of collections) {
    if (!Table.isTouched(tables[collection])) continue
    for (const [key, value] of Table.changes(tables[collection])) {
      changes.push({ collection, key, value: value === undefined ? null : print(collection, value) })
    }
  }
  return changes
}

/** Whether there is anything to write. */
export const isDirty = (durable: Durable): boolean => Object.values(tablesOf(durable)).some(Table.isTouched)

/**
 * Whether changes only forget what has been dealt with: confirmed messages, entries that are shown. Should a crash bring
 * them back, the peer's inbox and the log make their repetition harmless, so they need not be durable before going on.
 */
export const onlyForget = (changes: ReadonlyArray<Change>): boolean =>
  changes.every(({ collection, value }) => value === null && (collection === "outbox" || collection === "unshown"))

/** The same state with nothing left to write. */
export const settled = (durable: Durable): Durable => {
  const { inbox, outbox, roster } = durable
  return {
    owner: Table.settled(durable.owner),
    roster: {
      friends: Table.settled(roster.friends),
      asked: Table.settled(roster.asked),
      askedBy: Table.settled(roster.askedBy),
      rules: Table.settled(roster.rules)
    },
    replay: Table.settled(durable.replay),
    grants: Table.settled(durable.grants),
    bans: Table.settled(durable.bans),
    budgets: Table.settled(durable.budgets),
    outbox: { ...outbox, lanes: Table.settled(outbox.lanes), entries: Table.settled(outbox.entries) },
    inbox: { streams: Table.settled(inbox.streams), outcomes: Table.settled(inbox.outcomes) },
    jobs: Table.settled(durable.jobs),
    calls: Table.settled(durable.calls),
    refusals: Table.settled(durable.refusals),
    spents: Table.settled(durable.spents),
    holdRules: Table.settled(durable.holdRules),
    requirements: Table.settled(durable.requirements),
    intents: Table.settled(durable.intents),
    unshown: Unshown.settled(durable.unshown),
    errands: Table.settled(durable.errands),
    invites: Table.settled(durable.invites),
    introductions: Table.settled(durable.introductions),
    topics: Table.settled(durable.topics),
    left: Table.settled(durable.left),
    profile: Table.settled(durable.profile)
  }
}

/** Why a store's content cannot be this node's state; the sentence is for the operator. */
export interface LoadFailure {
  readonly collection: string
  readonly key: string
  readonly message: string
}

/** The state of a store's records, each parsed anew. */
export const load = (records: ReadonlyArray<StoredRecord>): Result.Result<Durable, LoadFailure> => {
  const byCollection = new Map(collections.map((name) => [name as string, [] as Array<readonly [string, unknown]>]))
  for (const { collection, key, value } of records) {
    const pairs = byCollection.get(collection)
    const parsed = pairs === undefined ? undefined : decoders[collection as Collection](value)
    if (pairs === undefined || parsed === undefined) {
      return Result.fail({ collection, key, message: `records of kind "${collection}" are of a newer version` })
    }
    if (Result.isFailure(parsed)) return Result.fail({ collection, key, message: "the record does not parse" })
    pairs.push([key, parsed.success])
  }
  const tables = Object.fromEntries([...byCollection].map(([name, pairs]) => [name, Table.loaded(pairs)]))
  return Result.succeed(fromTables(tables as Readonly<Record<Collection, Table.Table<unknown>>>))
}
