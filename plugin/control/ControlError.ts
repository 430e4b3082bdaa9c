/**
 * Why nothing came of the control socket: a stable code, and a sentence with the command that mends it.
 * It never holds a key or a text.
 * Codes of the node itself are those of `core/Rejection.ts`; these are about reaching it.
 */
import { Data } from "effect"

export type ControlCode =
  /** The folder, the key or the socket is open to others, or another's. */
  | "folder-open"
  | "key-open"
  | "key-damaged"
  /** No path is short enough for a socket. */
  | "path-too-long"
  /** A living process answers at the path. */
  | "in-use"
  | "not-running"
  /** The far end does not know the key, or what it said is no proof. */
  | "not-proven"
  | "unreachable"
  | "too-large"
  | "malformed"
  | "intents-full"
  | "unwritable"

/** Why nothing came of it. */
export class ControlError extends Data.TaggedError("ControlError")<{
  readonly code: ControlCode
  readonly message: string
}> {}

/** Makes one. */
export const controlError = (code: ControlCode, message: string): ControlError => new ControlError({ code, message })
