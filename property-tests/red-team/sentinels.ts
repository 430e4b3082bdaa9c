/**
 * What control containers may reach in the host's stead: services on well-known addresses, and a neighbour's process.
 * They hold nothing of anybody; what they answer is the proof that an attempt would have got through.
 * Both are containers with our limits; the services may set addresses on their own loopback, and nothing else.
 */
import type { HostConfig } from "dockerode"

interface Sentinel {
  readonly name: string
  readonly program: ReadonlyArray<string>
  readonly user: string
  readonly environment: ReadonlyArray<string>
  readonly host: Partial<HostConfig>
}

/** Addresses that somebody in a container might try, which the sentinel takes for its own. */
export const addresses = [
  "169.254.169.254",
  "169.254.170.2",
  "100.100.100.200",
  "172.17.0.1",
  "10.0.0.1",
  "192.168.1.1",
  "192.0.2.80",
  "8.8.8.8"
] as const

/** Sets an address on an alias of loopback: ioctl SIOCSIFADDR with a `struct ifreq`. */
const alias = (address: string, index: number): string =>
  `perl -e 'socket(S, 2, 2, 0); $a = pack("a16 S n C4 x8", "lo:${index}", 2, 0, ${address.replaceAll(".", ",")}); ioctl(S, 0x8916, $a) or print "cannot set ${address}: $!\\n"'`

const serve = `
const net = require("node:net"), dgram = require("node:dgram")
const tcp = (where) => net.createServer((s) => { s.on("error", () => {}); s.end("a service answers\\n") }).listen(where)
for (const port of [80, 443, 2375]) tcp({ port, host: "0.0.0.0" })
tcp({ port: 80, host: "::1" }).on("error", () => {})
tcp({ path: "\\0sentinel" })
const udp = dgram.createSocket("udp4").bind(53)
udp.on("message", (_, from) => udp.send("a service answers", from.port, from.address))
udp.on("listening", () => console.log("sentinel is up"))
`

/** Services on the addresses above, on loopback and on an abstract socket. */
export const services: Sentinel = {
  name: "services",
  program: ["/bin/sh", "-c", `${addresses.map(alias).join("; ")}; exec node -e '${serve}'`],
  user: "0:0",
  environment: [],
  host: { CapAdd: ["NET_ADMIN", "NET_BIND_SERVICE"] }
}

/** A process of the same user, with a secret in its environment, its memory and its files. */
export const neighbour: Sentinel = {
  name: "neighbour",
  program: [
    "/bin/sh",
    "-c",
    "echo secret of the neighbour > /tmp/secret; echo sentinel is up; while :; do sleep 1; done"
  ],
  user: "65534:65534",
  environment: ["NEIGHBOUR_SECRET=secret of the neighbour"],
  host: {}
}
