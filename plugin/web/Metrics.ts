/**
 * Numbers of a node for Prometheus, in its text format.
 * It never names a peer, a channel or a text: labels are words of this program and nothing else.
 * Everything is read when it is asked for; only counts of events and requests are kept, and those in one place each.
 */
import type { Describe } from "../../core/index.ts"

/** Requests that were answered, by route and status; refused ones under the fault's code. */
export interface Requests {
  readonly count: (route: string, status: number) => void
  readonly all: () => ReadonlyMap<string, number>
}

/** Nothing counted yet. */
export const requests = (): Requests => {
  const counts = new Map<string, number>()
  return {
    count: (route, status) => {
      const labels = `route="${route}",status="${status}"`
      counts.set(labels, (counts.get(labels) ?? 0) + 1)
    },
    all: () => counts
  }
}

type Sample = readonly [labels: string, value: number]

const metric = (name: string, type: "gauge" | "counter", help: string, samples: ReadonlyArray<Sample>): string =>
  [
    `# HELP wopr_p2p_${name} ${help}`,
    `# TYPE wopr_p2p_${name} ${type}`,
    ...samples.map(([labels, value]) => `wopr_p2p_${name}${labels === "" ? "" : `{${labels}}`} ${value}`)
  ].join("\n")

const one = (name: string, help: string, value: number): string => metric(name, "gauge", help, [["", value]])

/** The page of numbers. */
export const page = (
  node: Describe.Description,
  events: ReadonlyMap<string, number>,
  asked: Requests,
  panel: { readonly sessions: number; readonly streams: number }
): string =>
  [
    one("up", "Whether the node runs.", 1),
    one("friends", "Friends.", node.friends.length),
    one("friends_connected", "Friends with a session now.", node.friends.filter(({ connected }) => connected).length),
    one("friends_alarmed", "Friends whose key is in doubt.", node.friends.filter(({ alarmed }) => alarmed).length),
    one(
      "friends_banned",
      "Friends that are shut out now.",
      node.friends.filter((one) => one.bannedUntilMs !== null).length
    ),
    one(
      "requests_open",
      "Friend requests that wait for the operator.",
      node.requests.length + node.introductions.length
    ),
    one("queue", "Messages and injects of ours without an outcome.", node.queue.length),
    one("held", "Questions that wait for the owner.", node.held.length),
    one("jobs_running", "Injects being answered.", node.jobsRunning),
    one("calls_waiting", "Injects of ours that wait for an answer.", node.callsWaiting),
    one("sandbox_ready", "Whether friends' questions can be answered.", node.sandbox.ready ? 1 : 0),
    one("topics", "Topics joined.", node.topics.length),
    one("guests", "Sessions of identities that are no friends.", node.guests),
    one("panel_sessions", "Pages that hold a bearer.", panel.sessions),
    one("panel_streams", "Event streams that are read.", panel.streams),
    metric(
      "events_total",
      "counter",
      "Events told since the start, by kind.",
      [...events].map(([tag, count]) => [`event="${tag}"`, count] as const)
    ),
    metric("panel_requests_total", "counter", "Requests to the panel's server, by route and status.", [...asked.all()]),
    ""
  ].join("\n")
