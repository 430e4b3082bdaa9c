/**
 * A row for each tool: a call that is good where a friend called carl is, the argument that names a peer, and calls that are not.
 * It never leaves a tool out: one without a row here fails the first test of the table.
 * What is wrong about a kind of argument is not here; that is tried for every argument by itself.
 */

export interface Row {
  readonly good: Readonly<Record<string, unknown>>
  /** The argument that means a friend. */
  readonly peer?: string
  /** Arguments in the place of those of the good call, and the code they are refused with before anything happens. */
  readonly bad?: ReadonlyArray<{
    readonly given: Readonly<Record<string, unknown>>
    readonly code: string
    readonly mayGrant?: boolean
  }>
}

const elsewhere = ["main", "*", "friend:p2p:bob(bbbbbb)"]
const ownerDecides = { given: {}, code: "owner-decides", mayGrant: false }
const noTopic = [
  ...["@chess", "two words", "chess#short", "chess#a#b"].map((topic) => ({ given: { topic }, code: "topic-invalid" })),
  { given: { topic: "" }, code: "bad-arguments" }
]

export const rows: Readonly<Record<string, Row>> = {
  p2p_status: { good: {} },
  p2p_get_identity: { good: {} },
  p2p_friends: { good: {} },
  p2p_list_peers: { good: {} },
  p2p_list_grants: { good: { includeRevoked: true } },
  p2p_inbox: { good: { peer: "carl" }, peer: "peer" },
  p2p_wait: {
    good: { peer: "carl", timeoutMs: 0 },
    peer: "peer",
    bad: [{ given: { id: "f".repeat(32) }, code: "unknown-message" }]
  },
  p2p_log_message: {
    good: { peer: "carl", message: "hi" },
    peer: "peer",
    bad: elsewhere.map((session) => ({ given: { session }, code: "not-a-peer-conversation" }))
  },
  p2p_inject_message: {
    good: { peer: "carl", message: "hi", timeoutMs: 1 },
    peer: "peer",
    bad: elsewhere.map((session) => ({ given: { session }, code: "not-a-peer-conversation" }))
  },
  p2p_grant_access: {
    good: { peerKey: "carl", caps: ["message", "inject"] },
    peer: "peerKey",
    bad: [
      ...elsewhere.map((session) => ({ given: { sessions: [session] }, code: "not-a-peer-conversation" })),
      ownerDecides
    ]
  },
  p2p_revoke_peer: { good: { peerId: "carl" }, peer: "peerId" },
  p2p_name_peer: { good: { peerId: "carl", name: "pal" }, peer: "peerId" },
  p2p_rotate_keys: {
    good: { reason: "scheduled" },
    bad: [
      { given: { notifyPeers: false }, code: "always-notified" },
      { given: { reason: "bored" }, code: "bad-arguments" }
    ]
  },
  p2p_create_invite: {
    good: { forPubkey: "carl", expireHours: 24 },
    bad: [
      ownerDecides,
      { given: { sessions: ["main"] }, code: "not-a-peer-conversation" },
      { given: { forPubkey: "mallory" }, code: "unknown-peer" },
      { given: { forPubkey: "bob" }, code: "ambiguous-name" },
      { given: { expireHours: 721 }, code: "bad-arguments" }
    ]
  },
  p2p_claim_invite: { good: { token: "wop3://x" }, bad: [ownerDecides] },
  p2p_join_topic: { good: { topic: "chess" }, bad: noTopic },
  p2p_leave_topic: { good: { topic: "chess" }, bad: noTopic },
  p2p_list_topics: { good: {} },
  p2p_discover_peers: { good: { topic: "chess" }, bad: [{ given: { topic: "go" }, code: "unknown-topic" }] },
  p2p_connect_peer: {
    good: { peerId: "dora" },
    bad: [
      ownerDecides,
      { given: { peerId: "mallory" }, code: "unknown-member" },
      { given: { peerId: "@Eve" }, code: "ambiguous-name" }
    ]
  },
  p2p_get_profile: { good: {} },
  p2p_set_profile: {
    good: { content: '{"description":"plays chess"}' },
    bad: ["{", '{"tags":7}', '{"name":[]}'].map((content) => ({ given: { content }, code: "bad-arguments" }))
  }
}
