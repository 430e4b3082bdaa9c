/**
 * What a program gets that asks a question: the part of the node's description that the question is about, and no more.
 * It never words anything; `Present` has the lines for people, of the same description.
 * A row for every question, so that a new one cannot hand out everything because nobody thought of it.
 */
import type { Describe } from "../../core/index.ts"
import type * as Commands from "../Commands.ts"
import * as Meant from "../Meant.ts"

type Facts = Readonly<Record<string, unknown>>
type Row = (node: Describe.Description, name: string) => Facts

/** Parts of the description, as they are. */
const parts =
  (...names: ReadonlyArray<keyof Describe.Description>): Row =>
  (node) =>
    Object.fromEntries(names.map((name) => [name, node[name]]))

const errands =
  (...kinds: ReadonlyArray<Describe.ErrandView["kind"]>): Row =>
  (node) => ({ errands: node.errands.filter(({ kind }) => kinds.includes(kind)) })

const both =
  (...rows: ReadonlyArray<Row>): Row =>
  (node, name) =>
    Object.assign({}, ...rows.map((row) => row(node, name)))

/** Those who are meant, with what there is to compare and what was made sure of. */
const peers: Row = (node, typed) => {
  const friends = Meant.among(node.friends, typed).map(
    ({ alarm, comparison, fingerprint, identityKey, introducedBy, name, trust, trustSinceMs }) => ({
      ...{ name, identityKey, fingerprint, friend: true, introducedBy },
      ...{ trust, trustSinceMs, alarm, comparison }
    })
  )
  const requests = Meant.among([...node.requests, ...node.introductions], typed).map(
    ({ fingerprint, identityKey, introducedBy, name, trust }) => ({
      ...{ name, identityKey, fingerprint, friend: false, introducedBy },
      trust
    })
  )
  return { peers: [...friends, ...requests] }
}

const rows: Readonly<Record<Commands.Question, Row>> = {
  friends: parts("friends", "verifiedFor"),
  requests: both(parts("requests", "asked", "introductions"), errands("connect", "introduced")),
  fingerprint: peers,
  verify: peers,
  demands: parts("verifiedFor"),
  invites: both(parts("invites"), errands("claim")),
  queue: parts("queue", "refusals"),
  held: parts("held"),
  rules: parts("rules"),
  topics: parts("topics"),
  profile: parts("profile"),
  discovered: (node, topic) => ({ discovered: Meant.inTopic(node.discovered, topic) }),
  status: both(
    parts("name", "identityKey", "keysAnnounced", "friends", "requests", "verifiedFor", "held", "sandbox"),
    parts("jobsRunning", "callsWaiting", "guests", "unasked")
  ),
  help: parts()
}

/** The facts behind the answer to a question. */
export const factsOf = (node: Describe.Description, asked: Commands.Question, name: string): Facts =>
  rows[asked](node, name)
