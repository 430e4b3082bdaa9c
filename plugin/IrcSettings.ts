/**
 * Which IRC server and channels a node of one's own is in: from options, the configuration file and the environment.
 * It never holds a password in anything that prints, and lets none over a wire on which others could read it.
 * TLS is for every server but those of this machine: who else is on the way, only the operator of such a server knows.
 */
import { Effect, Layer, Redacted } from "effect"
import * as PrivateFile from "../adapters/filesystem/PrivateFile.ts"
import * as Irc from "../adapters/irc/ChatChannel.ts"
import { isChannel, isNick } from "../adapters/irc/Wire.ts"
import { Name } from "../core/index.ts"
import type { ChatChannel } from "../ports/ChatChannel.ts"

export interface IrcSettings {
  readonly host: string
  readonly port: number
  readonly tls: boolean
  readonly nick: string
  /** The account at the network's services. Absent: none, and a password is the server's own. */
  readonly account?: string
  readonly channels: ReadonlyArray<string>
  readonly password?: Redacted.Redacted<string>
  /** Comes before `password`. */
  readonly passwordFile?: string
}

/** Options as `parseArgs` gives them. */
export interface Given {
  readonly irc?: string | undefined
  readonly "irc-channel"?: ReadonlyArray<string> | undefined
  readonly "irc-nick"?: string | undefined
  readonly "irc-account"?: string | undefined
  readonly "irc-password-file"?: string | undefined
  readonly "irc-plain"?: boolean | undefined
}

const passwordBytesMax = 512
const securePort = 6_697
const plainPort = 6_667
const passwordVariable = "WOPR_P2P_IRC_PASSWORD"

const isLoopback = (host: string): boolean => /^(localhost|127(\.\d+){3}|::1)$/.test(host)

/** `HOST` or `HOST:PORT` in parts, and whether it is spoken to over TLS; undefined if it is neither. */
const placeOf = (text: string, plain: boolean): Pick<IrcSettings, "host" | "port" | "tls"> | undefined => {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^\s:/[\]]+))(?::(\d{1,5}))?$/.exec(text)
  const host = match?.[1] ?? match?.[2]
  const named = match?.[3] === undefined ? undefined : Number(match[3])
  if (host === undefined || named === 0 || (named ?? 0) > 65_535) return undefined
  const tls = !plain && (!isLoopback(host) || named === securePort)
  return { host, port: named ?? (tls ? securePort : plainPort), tls }
}

/** The nick's own mistakes, and those of a channel's name. */
const namesMistake = (nick: string, channels: ReadonlyArray<string>): string | undefined => {
  if (!isNick(nick))
    return `--irc-nick "${nick}": 1 to 64 characters are expected, no digit first and none of ! @ : , * ? or spaces`
  if (channels.length === 0) return "--irc needs a channel: --irc-channel '#NAME', which may be given several times"
  const wrong = channels.find((name) => !isChannel(name))
  return wrong === undefined ? undefined : `--irc-channel "${wrong}": a name such as '#lobby' is expected, in quotes`
}

/** Checks the options; undefined where none names a server. A mistake names the option, the value and what is allowed. */
export const read = (
  given: Given,
  name: string,
  env: NodeJS.ProcessEnv
): IrcSettings | undefined | { readonly mistake: string } => {
  const { irc: server, "irc-account": account, "irc-nick": nick = name, "irc-password-file": passwordFile } = given
  const channels = given["irc-channel"] ?? []
  if (server === undefined) {
    const lone = Object.keys(given).find(
      (option) => option.startsWith("irc-") && given[option as keyof Given] !== undefined
    )
    return lone === undefined ? undefined : { mistake: `--${lone} means something with --irc HOST[:PORT] only` }
  }
  const place = placeOf(server, given["irc-plain"] === true)
  if (place === undefined) return { mistake: `--irc "${server}": HOST or HOST:PORT is expected` }
  const mistake = namesMistake(nick, channels)
  if (mistake !== undefined) return { mistake }
  const fromEnvironment = env[passwordVariable] ?? ""
  const hasPassword = passwordFile !== undefined || fromEnvironment !== ""
  if (account !== undefined && !hasPassword)
    return { mistake: `--irc-account "${account}" needs a password: --irc-password-file FILE or ${passwordVariable}` }
  if (hasPassword && !place.tls && !isLoopback(place.host))
    return { mistake: "--irc-plain with a password: everybody on the way could read it; leave one of the two out" }
  return {
    ...place,
    nick,
    channels,
    ...(account === undefined ? {} : { account }),
    ...(fromEnvironment === "" ? {} : { password: Redacted.make(fromEnvironment) }),
    ...(passwordFile === undefined ? {} : { passwordFile })
  }
}

/** The channels of these settings, as nodes call them. */
export const rooms = (settings: IrcSettings): ReadonlyArray<string> =>
  settings.channels.map((name) => Irc.roomName(settings, name))

/** What an operator should know whose node has another name than the account that posts for it; undefined if nothing. */
export const doubt = ({ account, nick }: IrcSettings, name: string): string | undefined =>
  [nick, account].some((one) => one !== undefined && Name.fold(one) === Name.fold(name))
    ? undefined
    : `others refuse lines of @${name} that the nick ${nick} posts; the two should be the same`

/** The server's channels. Fails as `PrivateFile.readWhole` does, where a password is in a file. */
export const layer = (settings: IrcSettings): Layer.Layer<ChatChannel, PrivateFile.PrivateFileError> => {
  const { passwordFile, ...account } = settings
  if (passwordFile === undefined) return Irc.layer(account)
  return Layer.unwrap(
    PrivateFile.readWhole(passwordFile, { bytesMax: passwordBytesMax, isPrivate: true }).pipe(
      Effect.map((bytes) => {
        const password = Redacted.make(new TextDecoder().decode(bytes).replace(/\r?\n$/, ""))
        return Irc.layer({ ...account, password })
      })
    )
  )
}
