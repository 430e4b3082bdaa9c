/**
 * Attempts to reach anything over any network.
 * The controls share the network of a sentinel that has these addresses on its own loopback, never the host's.
 * So a success in a control says that the attempt works as soon as there is a network at all.
 */

import type { Control } from "./Arena.ts"
import { type Attempt, call, inside, rootWith } from "./Attempt.ts"

const joined: Control = { joins: "network" }

const tcp = (host: string, port: number): string =>
  `node -e 'const s = require("net").connect({ host: "${host}", port: ${port}, timeout: 1500 }); s.on("data", (d) => console.log("GOT " + d)); s.on("error", (e) => console.log(e.code)); s.on("timeout", () => s.destroy())'`

const udp = (host: string, port: number): string =>
  `node -e 'const s = require("dgram").createSocket("udp4"); const end = () => { s.close() }; setTimeout(end, 1500).unref(); s.on("message", (m) => { console.log("GOT " + m); end() }); s.on("error", (e) => { console.log(e.code) }); s.send("x", ${port}, "${host}", (e) => { if (e) { console.log(e.code); end() } })'`

const reaches = (name: string, means: string, script: string): Attempt => inside(name, means, script, joined)

export const network: ReadonlyArray<Attempt> = [
  reaches("metadata of a cloud", "credentials of the machine", tcp("169.254.169.254", 80)),
  reaches("metadata of a container service", "credentials of a task", tcp("169.254.170.2", 80)),
  reaches("metadata of another cloud", "credentials of the machine", tcp("100.100.100.200", 80)),
  reaches("engine over TCP at the bridge", "command of the container engine", tcp("172.17.0.1", 2375)),
  reaches("private network 10/8", "services of the owner's network", tcp("10.0.0.1", 80)),
  reaches("private network 192.168/16", "services of the owner's network", tcp("192.168.1.1", 80)),
  reaches("the internet over TCP", "anything to anybody", tcp("192.0.2.80", 443)),
  reaches("the internet over DNS", "data in names, through any firewall that lets names through", udp("8.8.8.8", 53)),
  reaches("a service on loopback", "services of the host that trust this machine", tcp("127.0.0.1", 80)),
  reaches("a service on loopback, IPv6", "the same over IPv6", tcp("::1", 80)),
  reaches(
    "an abstract socket",
    "services of the host that listen without a file",
    `node -e 'const s = require("net").connect({ path: "\\0sentinel" }); s.on("data", (d) => console.log("GOT " + d)); s.on("error", (e) => console.log(e.code))'`
  ),
  inside(
    "a raw socket",
    "forged packets",
    'perl -e \'print socket(S, 2, 3, 1) ? "GOT\\n" : "$!\\n"\'',
    rootWith("NET_RAW")
  ),
  inside(
    "a packet socket",
    "all packets of a link",
    'perl -e \'print socket(S, 17, 3, 0) ? "GOT\\n" : "$!\\n"\'',
    rootWith("NET_RAW")
  ),
  inside(
    "an address of one's own",
    "a way to configure the network",
    `perl -e 'socket(S, 2, 2, 0); $a = pack("a16 S n C4 x8", "lo:9", 2, 0, 10, 9, 9, 9); print ioctl(S, 0x8916, $a) ? "GOT\\n" : "$!\\n"'`,
    rootWith("NET_ADMIN")
  ),
  inside(
    "the network's settings",
    "a node that forwards packets",
    "echo 1 2>/dev/null > /proc/sys/net/ipv4/ip_forward && echo GOT",
    { user: "0:0", host: { CapAdd: ["NET_ADMIN"], ReadonlyPaths: [] } }
  ),
  inside("another network namespace", "networks that are not ours", call(272, "0x40000000"), {
    user: "0:0",
    host: { CapAdd: ["SYS_ADMIN"], SecurityOpt: ["no-new-privileges", "seccomp=unconfined"] }
  })
]
