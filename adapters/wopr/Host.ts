/**
 * What the channel adapters need of the WOPR host, as shapes: a registry of channel providers and its two events.
 * It never assumes more than it names, and everything but the registry itself may be missing: hosts differ in age.
 * The shapes are written here and not imported, so that whoever installs the package needs no types of the host.
 */

/** What a parser is given: one argument, without any id of the author or the message. */
export interface Heard {
  readonly channel: string
  readonly sender: string
  readonly content: string
}

/** What a command is given. */
export interface Typed {
  readonly channel: string
  readonly sender: string
  readonly args: ReadonlyArray<string>
  readonly reply: (text: string) => Promise<void>
}

export interface Parser {
  readonly id: string
  readonly pattern: RegExp | ((text: string) => boolean)
  readonly handler: (heard: Heard) => Promise<void>
}

export interface Command {
  readonly name: string
  readonly description: string
  readonly handler: (typed: Typed) => Promise<void>
}

/** A channel provider: one chat system and our bot's account there. Which of its parts are there is looked up each time. */
export interface Provider {
  readonly id: string
  readonly registerCommand?: (command: Command) => void
  readonly unregisterCommand?: (name: string) => void
  readonly getCommands?: () => ReadonlyArray<{ readonly name: string }>
  readonly addMessageParser?: (parser: Parser) => void
  readonly removeMessageParser?: (id: string) => void
  readonly getMessageParsers?: () => ReadonlyArray<{ readonly id: string }>
  readonly send?: (channel: string, text: string) => Promise<void>
  readonly getBotUsername?: () => string
  readonly sendNotification?: (
    channel: string,
    payload: { readonly type: string; readonly from?: string; readonly pubkey?: string },
    answers?: { readonly onAccept?: () => Promise<void>; readonly onDeny?: () => Promise<void> }
  ) => Promise<void>
}

export interface Host {
  readonly getChannelProviders?: () => ReadonlyArray<Provider>
  readonly events?: {
    readonly on?: (event: string, listener: (payload: unknown) => void) => unknown
    readonly off?: (event: string, listener: (payload: unknown) => void) => unknown
  }
}

/** Calls something of the host, which may throw anything: gives what it gave, or undefined. */
export const ask = <A>(call: () => A): A | undefined => {
  try {
    return call()
  } catch {
    return undefined
  }
}

/** The providers that are there now; none where the host has no such registry. */
export const providers = (host: Host): ReadonlyArray<Provider> => {
  const found: unknown = ask(() => host.getChannelProviders?.())
  if (!Array.isArray(found)) return []
  return found.filter((one): one is Provider => typeof ask(() => (one as Provider).id) === "string")
}
