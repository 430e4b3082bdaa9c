/**
 * The doctor's look at the DHT that the node uses: does anybody there answer.
 * It never announces a key and never looks one up: whoever runs the DHT learns an address, as from any node.
 * Bounded in time, because a network that drops everything answers nothing, for ever.
 */
import { Effect } from "effect"
import * as Reach from "../../adapters/hyperswarm/Reach.ts"
import type { Examined } from "./Examined.ts"
import { type Findings, found, none, unknown } from "./Finding.ts"

const limitMs = 8_000

/** Looks whether the DHT of the last start answers. */
export const check = ({ node, offline }: Examined): Effect.Effect<Findings> => {
  if (offline) return Effect.succeed(unknown("the DHT", "--offline"))
  const network = node?.network ?? { kind: "public" as const }
  if (network.kind === "local") {
    return Effect.succeed(unknown("the DHT", "the node uses the network of this machine, which its nodes host"))
  }
  const nodes = network.kind === "bootstrap" ? network.nodes : undefined
  return Effect.map(Reach.answers(nodes, limitMs), (answers) =>
    answers
      ? none
      : found(
          "dht-unreachable",
          nodes === undefined ? "the public DHT" : nodes.map(({ host, port }) => `${host}:${port}`).join(", "),
          nodes === undefined
            ? "allow UDP to the internet, then: wopr-p2p doctor"
            : "start the bootstrap node, then: wopr-p2p doctor"
        )
  )
}
