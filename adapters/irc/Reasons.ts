/**
 * What a server's refusals mean, in words that name the next step.
 * It never decides what follows; only how long it makes sense to wait before trying again.
 * Servers answer with numbers; their own words come after ours, because they may be in any language or none.
 */
import type { Message } from "irc-framework"
import { shown } from "./Wire.ts"

/** Why a connection or a stay in a channel ended. */
export interface Ending {
  readonly why: string
  /** Whether trying again at once could help. Where a person has to do something first it could not. */
  readonly mayHelp: boolean
}

const lastly = ({ params }: Message): string => shown(params.at(-1))

/** Answers to our wish to be let in. */
const entrances: Readonly<Record<string, (said: string) => Ending>> = {
  "432": (said) => ({ why: `it does not take our nick (${said}): name another with --irc-nick`, mayHelp: false }),
  "433": () => ({ why: "our nick is in use there: end the other, or name another with --irc-nick", mayHelp: true }),
  "436": () => ({ why: "our nick is in use there: end the other, or name another with --irc-nick", mayHelp: true }),
  "437": (said) => ({ why: `our nick is not free yet (${said})`, mayHelp: true }),
  "464": () => ({ why: "it wants another password: see --irc-password-file", mayHelp: false }),
  "465": (said) => ({ why: `it has banned us (${said}): its operators can lift that`, mayHelp: false }),
  "463": (said) => ({ why: `it does not serve this machine (${said})`, mayHelp: false })
}

/** Answers to our wish to join a channel. */
const doors: Readonly<Record<string, string>> = {
  "403": "there is no such channel",
  "405": "the server lets us into no more channels",
  "437": "the channel is not free yet",
  "471": "the channel is full",
  "473": "the channel is for those who are invited: ask its operators",
  "474": "we are banned from the channel: ask its operators",
  "475": "the channel has a key, which this program cannot give: ask its operators",
  "476": "the server takes no channel of this name",
  "477": "the channel is for registered accounts: see --irc-account",
  "489": "the channel is for secure connections: leave --irc-plain out"
}

/** Answers to a line that we posted. */
const posts: Readonly<Record<string, string>> = {
  "401": "there is no such channel",
  "404": "the channel takes no lines of ours",
  "407": "the server did not take the line",
  "412": "the server found no text",
  "413": "the server did not take the line",
  "417": "the server found the line too long",
  "439": "the server found us too quick",
  "442": "we are not in the channel",
  "531": "the channel takes no lines of ours"
}

/** Why a server does not let us in; undefined for another answer. */
export const entrance = (message: Message): Ending | undefined => entrances[message.command]?.(lastly(message))

/** Why a channel does not let us in, and which; undefined for another answer. */
export const door = (message: Message): { readonly channel: string; readonly why: string } | undefined => {
  const why = doors[message.command]
  const [, channel = ""] = message.params
  return why === undefined ? undefined : { channel, why: `${why} (${lastly(message)})` }
}

/** Why a line was not taken; undefined for another answer. */
export const post = (message: Message): string | undefined => {
  const why = posts[message.command]
  return why === undefined ? undefined : `${why} (${lastly(message)})`
}

/** What a server says when it closes the connection. */
export const farewell = (said: string): Ending => {
  if (/password/i.test(said)) return { why: `it refuses us (${said}): see --irc-password-file`, mayHelp: false }
  const isBan = /\b(banned|[gkz]-?lined?|denied|not authori[sz]ed)\b/i.test(said)
  return { why: said === "" ? "it closed the connection" : `it closed the connection (${said})`, mayHelp: !isBan }
}

/** Why a connection could not be made or broke, for a person. */
export const broken = (error: unknown, tls: boolean): string => {
  const { code, message } = error as { readonly code?: string; readonly message?: string }
  if (code === "ECONNREFUSED") return "nobody listens there: is the port right?"
  if (code === "ENOTFOUND" || code === "EAI_AGAIN")
    return "no such host is known here: is the name right, and the network up?"
  if (tls && /CERT|SELF_SIGNED|ALTNAME/.test(code ?? ""))
    return `its certificate is not trusted (${shown(message)}): NODE_EXTRA_CA_CERTS=FILE names one that is`
  if (tls && /SSL|wrong version/i.test(`${code}${message}`)) return "it speaks no TLS at that port: is the port right?"
  const doubt = tls && message?.startsWith("no answer") === true ? ": does it speak TLS at that port?" : ""
  return `the connection broke (${shown(message)})${doubt}`
}
