/**
 * What an embedder of the core sees: a node to run, and the rooms to simulate, fuzz and inspect.
 * It holds nothing of its own; each name is a room's module.
 */

export * as Capability from "./admission/Capability.ts"
export * as Verdict from "./admission/Verdict.ts"
export * as Base64url from "./bytes/Base64url.ts"
export * as Transcript from "./bytes/Transcript.ts"
export * as Fingerprint from "./identity/Fingerprint.ts"
export * as Keys from "./identity/Keys.ts"
export * as Name from "./identity/Name.ts"
export * as PeerId from "./identity/PeerId.ts"
export * as Statement from "./identity/Statement.ts"
export * as Limits from "./Limits.ts"
export * as Event from "./node/Event.ts"
export * as Input from "./node/Input.ts"
export * as Node from "./node/Node.ts"
export * as Output from "./node/Output.ts"
export * as State from "./node/State.ts"
export * as Step from "./node/Step.ts"
export * as Rejection from "./Rejection.ts"
export * as Handshake from "./session/Handshake.ts"
export * as Opening from "./session/Opening.ts"
export * as Seal from "./session/Seal.ts"
export * as Codec from "./wire/Codec.ts"
export * as Frame from "./wire/Frame.ts"
export * as FriendLine from "./wire/FriendLine.ts"
export * as Message from "./wire/Message.ts"
