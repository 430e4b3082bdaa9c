/**
 * Whether we know which key is a friend's: one table, and what each state means for messages and inject.
 * It never looks at a key or a history; `identity/KeyHistory` says what a history is, the node's turns what is done.
 * A rotation that is vouched for leaves the key known: earlier keys are data (they are retired), not a state.
 */

/**
 * `Known`: the key we hold is the friend's. `Forked`: two successors of one key were seen. `Changed`: somebody used the
 * friend's name with a key that nobody vouches for. `Mismatched`: people have compared, and what they read differs.
 */
export type State = "Known" | "Forked" | "Changed" | "Mismatched"

/**
 * `rotates`: a history leads on from the key we hold. `recovers`: so does one that the recovery key vouches for, or it
 * wins against what we hold. `contradicts`: a history names another successor. `claims`: a friend line under the name
 * has another key. `vouches`: the key that was claimed turns out to follow from ours. `mismatches`: one of the operators
 * has compared and found a difference. `confirms`: the operator has compared, and keeps the key we hold.
 */
export type Event = "rotates" | "recovers" | "contradicts" | "claims" | "vouches" | "mismatches" | "confirms"

/**
 * state → event → next state. A fork is ended by the recovery key or by the operator, and never by being first. A
 * difference that people found is ended by the operator alone: whoever sits in between has a recovery key of its own.
 */
export const transitions: Readonly<Record<State, Readonly<Partial<Record<Event, State>>>>> = {
  Known: { rotates: "Known", recovers: "Known", contradicts: "Forked", claims: "Changed", mismatches: "Mismatched" },
  Changed: {
    rotates: "Changed",
    recovers: "Known",
    contradicts: "Forked",
    claims: "Changed",
    vouches: "Known",
    mismatches: "Mismatched",
    confirms: "Known"
  },
  Forked: {
    rotates: "Forked",
    recovers: "Known",
    contradicts: "Forked",
    claims: "Forked",
    mismatches: "Mismatched",
    confirms: "Known"
  },
  Mismatched: {
    rotates: "Mismatched",
    recovers: "Mismatched",
    contradicts: "Mismatched",
    claims: "Mismatched",
    mismatches: "Mismatched",
    confirms: "Known"
  }
}

/** The next state, or undefined where the table has no row: the event has no place here. */
export const next = (state: State, event: Event): State | undefined => transitions[state][event]

/** Whether messages to the friend leave and injects run, either way. */
export const isOpen = (state: State): boolean => state === "Known"

/** The table as a Mermaid state diagram. */
export const diagram = (): string => {
  const rows = Object.entries(transitions).flatMap(([from, row]) =>
    Object.entries(row).map(([event, to]) => `  ${from} --> ${to}: ${event}`)
  )
  return ["stateDiagram-v2", "  [*] --> Known", ...rows].join("\n")
}
