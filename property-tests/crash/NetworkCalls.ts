/**
 * Wraps the calls by which UDX, beneath Hyperswarm, gives bytes to the network: streams of links, datagrams of the DHT.
 * It never looks at what the bytes say; to it a link's stream and a DHT's question are bytes with a length.
 * A call only queues; what it queued leaves in a later turn of the event loop, so a death after it has to wait for that.
 */
import { createRequire } from "node:module"
import type { Trip } from "./Trip.ts"

type Call = (...args: ReadonlyArray<unknown>) => unknown

interface Row {
  readonly binding: string
  readonly operation: string
  /** Where the bytes stand among the arguments; none for a call without any. */
  readonly bytesAt: number | undefined
}

const rows: ReadonlyArray<Row> = [
  { binding: "udx_napi_stream_write", operation: "write(link)", bytesAt: 3 },
  { binding: "udx_napi_stream_writev", operation: "writev(link)", bytesAt: 3 },
  { binding: "udx_napi_stream_write_end", operation: "end(link)", bytesAt: undefined },
  { binding: "udx_napi_stream_destroy", operation: "destroy(link)", bytesAt: undefined },
  { binding: "udx_napi_stream_connect", operation: "connect(link)", bytesAt: undefined },
  { binding: "udx_napi_socket_bind", operation: "bind(socket)", bytesAt: undefined },
  { binding: "udx_napi_socket_send_ttl", operation: "send(socket)", bytesAt: 3 },
  { binding: "udx_napi_socket_close", operation: "close(socket)", bytesAt: undefined }
]

const half = (bytes: unknown): unknown => {
  if (bytes instanceof Uint8Array) return bytes.subarray(0, Math.ceil(bytes.length / 2))
  if (!Array.isArray(bytes)) return bytes
  // Several buffers in one write: the first half of them, and half of the last of those.
  const kept = bytes.slice(0, Math.ceil(bytes.length / 2))
  return [...kept.slice(0, -1), half(kept.at(-1))]
}

/** Wraps UDX. To be done before Hyperswarm is loaded or after; its calls are looked up at each call. */
export const wrapNetwork = (trip: Trip): void => {
  const fromHere = createRequire(import.meta.url)
  const udx = createRequire(fromHere.resolve("hyperdht")).resolve("udx-native")
  const binding = createRequire(udx)("../binding") as Record<string, Call>
  for (const { binding: name, bytesAt, operation } of rows) {
    const original = binding[name]
    if (original === undefined) throw new Error(`UDX has no call ${name} any more`)
    binding[name] = (...args) => {
      const mode = trip.enter(operation, bytesAt !== undefined)
      if (mode === undefined) return original.apply(binding, [...args])
      if (mode === "before") return trip.die()
      trip.dieSoon()
      const given = mode === "torn" ? args.map((one, at) => (at === bytesAt ? half(one) : one)) : args
      return original.apply(binding, [...given])
    }
  }
}
