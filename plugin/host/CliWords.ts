/**
 * What `wopr friend` and `wopr p2p` say: the host calls them in a process of its own, in which no node runs.
 * They never touch keys or records, which belong to the daemon's process.
 * That process does not end by itself, because the host keeps a timer there; so these end it.
 */
import * as Commands from "../Commands.ts"

const words = (): string =>
  [
    "The node lives in the daemon; its owner commands it from a chat channel:",
    Commands.help(),
    "For a node of one's own, and for its identity: wopr-p2p help"
  ].join("\n")

const one = (name: string, description: string) => ({
  name,
  description,
  usage: `wopr ${name}`,
  handler: async (): Promise<void> => {
    await new Promise<void>((resolve) => process.stdout.write(`${words()}\n`, () => resolve()))
    process.exit(0)
  }
})

/** The words of the host's CLI that are ours. */
export const commands = () => [
  one("friend", "Friends between agents: how they are made"),
  one("p2p", "The peer-to-peer node: how it is commanded")
]
