/**
 * How two agents become friends and stop being it: one table, the same seen from either side.
 * It never knows which side we are, nor anything of lines, keys or channels.
 * What is not in the table does not happen: an unexpected event leaves the state as it is, and says so.
 */

export type Standing = "Stranger" | "Asked" | "AskedBy" | "Friend" | "Former"

/**
 * `we…` comes from our operator or rules, `they…` from an authentic line or message of theirs. `agree`: both have said yes
 * in one session, by an invite that was redeemed.
 */
export type Event =
  | "weAsk"
  | "theyAsk"
  | "weAccept"
  | "theyAccept"
  | "weEnd"
  | "theyEnd"
  | "weDeny"
  | "expire"
  | "agree"

/** state → event → next state. The diagram in the room's README is generated from this. */
export const transitions: Readonly<Record<Standing, Readonly<Partial<Record<Event, Standing>>>>> = {
  Stranger: { weAsk: "Asked", theyAsk: "AskedBy", agree: "Friend" },
  Asked: {
    weAsk: "Asked",
    theyAsk: "AskedBy",
    theyAccept: "Friend",
    expire: "Stranger",
    weEnd: "Stranger",
    agree: "Friend"
  },
  AskedBy: {
    weAsk: "AskedBy",
    theyAsk: "AskedBy",
    weAccept: "Friend",
    theyAccept: "Friend",
    weDeny: "Stranger",
    expire: "Stranger",
    agree: "Friend"
  },
  Friend: {
    theyAsk: "Friend",
    weAccept: "Friend",
    theyAccept: "Friend",
    weEnd: "Former",
    theyEnd: "Former",
    agree: "Friend"
  },
  Former: { weAsk: "Asked", theyAsk: "AskedBy", agree: "Friend" }
}

/** The next standing, or undefined where the table has no row: the event has no place here. */
export const next = (standing: Standing, event: Event): Standing | undefined => transitions[standing][event]

/** The table as a Mermaid state diagram. */
export const diagram = (): string => {
  const rows = Object.entries(transitions).flatMap(([from, row]) =>
    Object.entries(row).map(([event, to]) => `  ${from} --> ${to}: ${event}`)
  )
  return ["stateDiagram-v2", "  [*] --> Stranger", ...rows].join("\n")
}
