/**
 * Slash commands in the host's channels: every row of the one table, on every provider that takes commands.
 * It never answers anybody but an owner of that provider, by user name as the owner wrote it; strangers get silence.
 * Where nobody is an owner yet, the first who tries is told once how to become one: the configuration, not the chat,
 * decides, so whoever reads that sentence gains nothing by it.
 */
import { Buffer } from "node:buffer"
import type { Graft } from "../../adapters/wopr/Grafts.ts"
import { ask, type Command, type Provider, type Typed } from "../../adapters/wopr/Host.ts"
import * as Systems from "../../adapters/wopr/Systems.ts"
import * as Commands from "../Commands.ts"
import * as Present from "../Present.ts"

export type Owners = Readonly<Record<string, ReadonlyArray<string>>>

export interface Desk {
  readonly owners: Owners
  /** What becomes of a line that an owner typed in a channel, in lines of text. */
  readonly answer: (line: string, channel: string) => Promise<ReadonlyArray<string>>
}

/** Words that chat systems and the host have commands of their own for; in a chat they are told apart as `/p2p word`. */
const common: ReadonlyArray<string> = [
  "help",
  "status",
  "cancel",
  "queue",
  "quit",
  "message",
  "hold",
  "topic",
  "invite",
  "profile",
  "name"
]

/** Every command is there as `/p2p name …`; those with a name of their own also directly. */
const umbrella = "p2p"

/** Names under which commands are put on a provider, with what each does in words. */
export const names = (): ReadonlyArray<{ readonly name: string; readonly help: string }> => [
  ...Commands.table.filter(({ name }) => !common.includes(name) && name !== umbrella),
  { name: umbrella, help: "your friends between agents: /p2p help lists everything" }
]

/** Whether an account of a provider is an owner. Exact: two accounts may differ in case alone. */
export const isOwner = (owners: Owners, provider: string, account: string): boolean =>
  Object.hasOwn(owners, provider) && (owners[provider] ?? []).includes(account)

const isOwned = (owners: Owners, provider: string): boolean =>
  Object.hasOwn(owners, provider) && (owners[provider] ?? []).length > 0

/** What was typed, as a line of the table. */
export const lineOf = (name: string, args: ReadonlyArray<string>): string => {
  const rest = args.join(" ").trim()
  if (name !== umbrella) return `/${name} ${rest}`.trim()
  if (rest !== "") return `/${rest.replace(/^\/+/, "")}`
  return Commands.table.some((row) => row.name === umbrella) ? `/${umbrella}` : "/status"
}

const how = (provider: string, account: string): string =>
  `Nobody may command this node from ${provider} yet: to be its owner here, put ` +
  `"owners": ${Present.json({ [provider]: [account] })} into its configuration (plugins.data.p2p) and restart it.`

/** Lines put together into as few pieces as the system carries, and not more than a few. */
export const pieces = (lines: ReadonlyArray<string>, bytesMax: number, piecesMax = 5): ReadonlyArray<string> => {
  const found: Array<string> = []
  for (const line of lines) {
    const last = found.at(-1)
    const joined = last === undefined ? line : `${last}\n${line}`
    if (last !== undefined && Buffer.byteLength(joined) <= bytesMax) found[found.length - 1] = joined
    else if (Buffer.byteLength(line) <= bytesMax) found.push(line)
    else
      found.push(
        `${Buffer.from(line)
          .subarray(0, Math.max(0, bytesMax - 3))
          .toString("utf8")
          .replace(/\ufffd+$/, "")}…`
      )
  }
  return found.length <= piecesMax ? found : [...found.slice(0, piecesMax - 1), "… and more than fits here"]
}

const bytesMax = (provider: Provider, channel: string): number =>
  Math.min(1_800, Systems.lineBytesMax(provider, channel))

/** Puts every command on a provider that takes commands; throws where it takes none. */
export const graft = (desk: Desk): ((provider: Provider) => Graft) => {
  const told = new Set<string>()
  const onTyped = async (provider: Provider, name: string, { args, channel, reply, sender }: Typed): Promise<void> => {
    if (typeof sender !== "string" || typeof channel !== "string") return
    if (!isOwner(desk.owners, provider.id, sender)) {
      if (isOwned(desk.owners, provider.id) || told.has(provider.id)) return
      told.add(provider.id)
      return reply(how(provider.id, sender))
    }
    const lines = await desk.answer(
      lineOf(name, Array.isArray(args) ? args.map(String) : []),
      `${provider.id}:${channel}`
    )
    for (const piece of pieces(lines, bytesMax(provider, channel))) await reply(piece)
  }
  return (provider) => {
    const { getCommands, registerCommand, unregisterCommand } = provider
    if (typeof registerCommand !== "function") throw new Error("no commands here")
    const there = () => ask(() => getCommands?.call(provider)) ?? []
    const commands = names().map(
      ({ help, name }): Command => ({
        name,
        description: help,
        // Nothing may come back to the provider: the host ends of a rejection that nobody awaits.
        handler: (typed) => onTyped(provider, name, typed).catch(() => {})
      })
    )
    // A word that somebody else has taken here stays theirs; ours is there as /p2p word.
    const taken = new Set(there().map(({ name }) => name))
    const ours = commands.filter(({ name }) => !taken.has(name))
    for (const command of ours) registerCommand.call(provider, command)
    const isThere = (command: Command) =>
      there().some(
        (one) =>
          one === command ||
          (one.name === command.name && "description" in one && one.description === command.description)
      )
    return {
      isInPlace: () => getCommands === undefined || ours.every(isThere),
      remove: () => {
        for (const command of ours) {
          if (getCommands === undefined || isThere(command)) ask(() => unregisterCommand?.call(provider, command.name))
        }
      }
    }
  }
}
