/**
 * One connection to an IRC server, from the first byte until it ends; irc-framework speaks, this listens.
 * It never posts under a nick or an account that was not asked for: others would take our lines for somebody else's.
 * Only the lines of a server that are needed get as far as the library's readers: others fill memory, or make them throw.
 */
import { Effect, Redacted } from "effect"
import { Client, type ClientOptions, type Message } from "irc-framework"
import type { ChannelLine } from "../../ports/ChatChannel.ts"
import * as Reasons from "./Reasons.ts"
import { carrierTo, type Place } from "./Socket.ts"
import { type Mask, shown } from "./Wire.ts"

export interface Account extends Place {
  readonly nick: string
  /** The account at the network's services, for SASL; absent: none, and a password is the server's own. */
  readonly account?: string
  readonly password?: Redacted.Redacted<string>
}

/** A channel that we want to be in. */
export interface Room {
  /** As the server calls it. */
  readonly name: string
  /** As nodes call it. */
  readonly channel: string
  joined: boolean
  /** Why we are not in it. */
  why: string
}

/** A line that was sent, and is taken when the server answers a ping that went behind it. */
export interface Sent {
  readonly mark: string
  readonly settle: (refusal: string | undefined) => void
}

/** Where we stand at a server, for whoever posts. One per layer; a session writes it. */
export interface Standing {
  readonly rooms: ReadonlyArray<Room>
  client: Client | undefined
  mask: Mask | undefined
  /** The services' account, where the server says that we are logged in. */
  account: string | undefined
  sent: Sent | undefined
}

/** What a session tells. */
export interface Reports {
  readonly heard: (line: ChannelLine) => void
  readonly said: (text: string) => void
  /** Something about the rooms has changed. */
  readonly moved: () => void
}

const entryLimitMs = 30_000
const kickedWaitMs = 60_000
const doorWaitMs = 300_000
/** What the library must see: its own talk with the server. Everything else ends here. */
const passed = /^(001|005|CAP|AUTHENTICATE|90[0-8]|PING|PONG|NICK)$/

const optionsOf = (to: Account): ClientOptions => {
  const password = to.password === undefined ? undefined : Redacted.value(to.password)
  return {
    host: to.host,
    port: to.port,
    nick: to.nick,
    username: "wopr",
    gecos: "wopr-p2p",
    account: to.account === undefined ? {} : { account: to.account, password: password ?? "" },
    ...(to.account === undefined && password !== undefined ? { password } : {}),
    // Whoever asks for a version gets none.
    version: "",
    auto_reconnect: false,
    enable_chghost: true,
    sasl_disconnect_on_fail: false,
    ping_interval: 30,
    ping_timeout: 120,
    transport: carrierTo(to)
  }
}

/**
 * Who wrote a line, as far as the server vouches for it: the services' account where it tells accounts, and then nobody
 * who is not logged in; else the nick, which is one person's at a time and no more than that.
 */
export const authorOf = (client: Client, { nick, tags }: Pick<Message, "nick" | "tags">): string | null => {
  if (client.network.cap.isEnabled("account-tag")) return tags["account"] ?? null
  return nick === "" ? null : nick
}

class Session {
  readonly #client = new Client()
  /** What waits: to be let in, and in each room that we are not in, to try again. */
  readonly #timers = new Map<"entry" | Room, NodeJS.Timeout>()
  readonly #to: Account
  readonly #standing: Standing
  readonly #reports: Reports
  readonly #resume: (ending: Reasons.Ending) => void
  #farewell: Reasons.Ending | undefined
  #over = false

  constructor(to: Account, standing: Standing, reports: Reports, resume: (ending: Reasons.Ending) => void) {
    this.#to = to
    this.#standing = standing
    this.#reports = reports
    this.#resume = resume
  }

  begin(): void {
    const client = this.#client
    client.use((_client, raw) => {
      raw.use((command, message, _line, _again, next) => {
        if (this.#over) return
        try {
          this.#react(message)
          if (passed.test(command)) next()
        } catch {
          // A spoiled line of a server is no reason to end.
        }
      })
    })
    client.on("sasl failed", (event: { readonly reason: string; readonly message?: string }) => {
      const said = shown(event.message ?? event.reason)
      const why = `it did not take the account ${this.#to.account} (${said}): see --irc-account and --irc-password-file`
      this.end({ why, mayHelp: false })
    })
    client.on("ping timeout", () => this.end({ why: "it has not answered for two minutes", mayHelp: true }))
    client.on("socket close", (error: unknown) => {
      const why = error instanceof Error ? Reasons.broken(error, this.#to.tls) : "it closed the connection"
      this.end(this.#farewell ?? { why, mayHelp: true })
    })
    this.#later("entry", entryLimitMs, () => {
      const why = "it did not let us in within half a minute"
      if (this.#standing.client === undefined) this.end({ why, mayHelp: true })
    })
    client.connect(optionsOf(this.#to))
  }

  /** Ends the connection, once: whatever was under way is told why. */
  end(ending: Reasons.Ending): void {
    if (this.#over) return
    this.#over = true
    for (const what of this.#timers.keys()) this.#forget(what)
    const standing = this.#standing
    const { sent } = standing
    standing.client = undefined
    standing.mask = undefined
    standing.account = undefined
    for (const room of standing.rooms) {
      room.joined = false
      room.why = ending.why
    }
    sent?.settle(`${ending.why}; whether the line was posted is not known`)
    this.#client.quit("until later")
    this.#resume(ending)
  }

  #forget(of: "entry" | Room): void {
    clearTimeout(this.#timers.get(of))
    this.#timers.delete(of)
  }

  #later(of: "entry" | Room, ms: number, act: () => void): void {
    this.#forget(of)
    const fired = () => {
      this.#timers.delete(of)
      act()
    }
    this.#timers.set(of, setTimeout(fired, ms))
  }

  #isOurs(nick: string): boolean {
    return this.#client.caseLower(nick) === this.#client.caseLower(this.#to.nick)
  }

  #roomOf(name = ""): Room | undefined {
    const folded = this.#client.caseLower(name)
    return this.#standing.rooms.find((room) => this.#client.caseLower(room.name) === folded)
  }

  #react(message: Message): void {
    const standing = this.#standing
    this.#follow(message)
    const entrance = standing.client === undefined ? Reasons.entrance(message) : undefined
    if (entrance !== undefined) this.end(entrance)
    const refusal = standing.sent === undefined ? undefined : Reasons.post(message)
    if (refusal !== undefined) standing.sent?.settle(refusal)
    const door = Reasons.door(message)
    const room = door === undefined ? undefined : this.#roomOf(door.channel)
    if (door !== undefined && room?.joined === false) this.#leave(room, door.why, doorWaitMs)
  }

  /** What is so from this line of the server on. */
  #follow(message: Message): void {
    const { command, nick, params } = message
    const [first = "", second = "", third] = params
    switch (command) {
      case "001":
        this.#enter(first)
        break
      case "JOIN":
        if (this.#isOurs(nick)) this.#arrive(first, message)
        break
      case "PRIVMSG":
        this.#hear(first, second, message)
        break
      case "PART":
        if (this.#isOurs(nick)) this.#leave(this.#roomOf(first), "the server took us out", kickedWaitMs)
        break
      case "KICK": {
        const why = `${shown(nick)} kicked us (${shown(third)})`
        if (this.#isOurs(second)) this.#leave(this.#roomOf(first), why, kickedWaitMs)
        break
      }
      case "PONG":
        if (this.#standing.sent?.mark === params.at(-1)) this.#standing.sent?.settle(undefined)
        break
      case "ERROR":
        this.#farewell = Reasons.farewell(shown(params.at(-1)))
        break
      default:
        this.#identify(message)
    }
  }

  /** What the server calls us. */
  #identify({ command, nick, params: [first = "", second = "", third] }: Message): void {
    const isOurs = this.#isOurs(nick)
    if (command === "900") this.#standing.account = third
    if (command === "901") this.#standing.account = undefined
    if (command === "396") this.#show({ host: second.slice(second.indexOf("@") + 1) })
    if (command === "CHGHOST" && isOurs) this.#show({ user: first, host: second })
    if (command === "NICK" && isOurs && !this.#isOurs(first)) {
      this.end({ why: `it renamed us to ${shown(first)}`, mayHelp: true })
    }
  }

  #enter(nick: string): void {
    const { account, nick: wanted } = this.#to
    if (!this.#isOurs(nick)) {
      this.end({ why: `it calls us ${shown(nick)} instead of ${wanted}: name a shorter --irc-nick`, mayHelp: false })
    } else if (account !== undefined && this.#standing.account === undefined) {
      this.end({ why: `it did not log us in as ${account}: has it accounts? see --irc-account`, mayHelp: false })
    } else {
      this.#standing.client = this.#client
      for (const { name } of this.#standing.rooms) this.#client.raw(`JOIN ${name}`)
    }
  }

  #arrive(name: string, { hostname, ident, nick }: Message): void {
    // The server tells us of our own coming as it tells everybody: this is how others see us.
    this.#standing.mask = { nick, user: ident, host: hostname }
    const room = this.#roomOf(name)
    if (room === undefined) return
    this.#forget(room)
    room.joined = true
    room.why = ""
    this.#reports.said(`irc: in ${room.name} on ${this.#to.host}:${this.#to.port} as ${nick}`)
    this.#reports.moved()
  }

  #leave(room: Room | undefined, why: string, waitMs: number): void {
    if (room === undefined) return
    room.joined = false
    room.why = why
    // A server that refuses again what we have not asked for again neither puts off the next try nor fills the log.
    if (this.#timers.has(room)) return
    const where = `${room.name} on ${this.#to.host}:${this.#to.port}`
    this.#reports.said(`irc: not in ${where}: ${why}; trying again in ${waitMs / 1_000} s`)
    this.#reports.moved()
    this.#later(room, waitMs, () => this.#client.raw(`JOIN ${room.name}`))
  }

  #hear(target: string, text: string, message: Message): void {
    const room = this.#roomOf(target)
    // What begins with this character is a command to a program.
    if (room === undefined || text.startsWith("\u0001")) return
    this.#reports.heard({ channel: room.channel, author: authorOf(this.#client, message), text })
  }

  #show(change: Partial<Mask>): void {
    const { mask } = this.#standing
    if (mask !== undefined) this.#standing.mask = { ...mask, ...change }
  }
}

/** One connection, for as long as it lasts. Gives why it ended. Interrupted it leaves in order. */
export const run = (to: Account, standing: Standing, reports: Reports): Effect.Effect<Reasons.Ending> =>
  Effect.callback<Reasons.Ending>((resume) => {
    const session = new Session(to, standing, reports, (ending) => resume(Effect.succeed(ending)))
    session.begin()
    return Effect.sync(() => session.end({ why: "the node ends", mayHelp: false }))
  })
