/**
 * Where a message of ours stands, from the queue to its outcome, as a table.
 * It never changes anything: the outbox moves messages, and its model holds each move against this table.
 * Apart from the outbox because operators, diagrams and models ask for it without touching a queue.
 */
import type { Entry } from "./Outbox.ts"

/** What a message of ours can be before it has its outcome. */
export type Standing = "waiting" | "sent" | "givenUp"
/** The outcomes: delivered, or a code of the table of rejections; `refused` stands for those that the peer gives. */
export type Outcome = "delivered" | "refused" | "expired" | "cancelled" | "unresolved"

/** standing → what it can become. The diagram in core/README.md is generated from this, and the model obeys it. */
export const transitions: Readonly<Record<Standing, ReadonlyArray<Standing | Outcome>>> = {
  waiting: ["sent", "expired", "cancelled", "refused"],
  sent: ["delivered", "refused", "givenUp", "waiting", "unresolved"],
  givenUp: ["delivered", "refused", "expired", "cancelled", "unresolved"]
}

/** Where an entry stands. */
export const of = (entry: Entry): Standing =>
  entry.withdrawn !== undefined ? "givenUp" : entry.place === undefined ? "waiting" : "sent"
