/**
 * Attempts to become somebody else, to reach other processes, and to have the kernel do what only its administrator may.
 * Where a call would change the host it is made with arguments that no kernel accepts: that it looks at them is the success.
 * The neighbour whose processes a control may see is a container of this kit.
 */
import type { Control } from "./Arena.ts"
import { type Attempt, call, inside, reach, rootUnfiltered, rootWith, unfiltered } from "./Attempt.ts"

const withNeighbour: Control = { joins: "processes" }
const bad = "the call is made with arguments that no kernel accepts; that it looks at them counts"
const harmless = (name: string, means: string, script: string, control: Control): Attempt =>
  inside(name, means, script, control, bad)

/** Identities. */
const identities: ReadonlyArray<Attempt> = [
  inside("become another user", "files and processes of others", call(105, "1234"), rootWith("SETUID")),
  inside("become another group", "the same", call(106, "1234"), rootWith("SETGID")),
  inside(
    "more groups",
    "the same",
    `perl -e '$g = pack("I", 1234); $r = syscall(116, 1, $g); print $r != -1 ? "GOT\\n" : "$!\\n"'`,
    rootWith("SETGID")
  ),
  inside("a program that is root's", "root in the container", '[ "$(/root-id -u)" = 0 ] && echo GOT', {
    host: { SecurityOpt: [] }
  }),
  inside(
    "a user namespace",
    "root in a namespace of one's own, the start of most escapes",
    call(272, "0x10000000"),
    unfiltered
  ),
  inside("a mount namespace", "mounts of one's own", call(272, "0x00020000"), rootUnfiltered("SYS_ADMIN")),
  inside("a process namespace", "processes that are not counted", call(272, "0x20000000"), rootUnfiltered("SYS_ADMIN")),
  inside("the name of the machine", "other names for others", call(170, '"x"', "1"), rootUnfiltered("SYS_ADMIN"))
]

/** Other processes. */
const processes: ReadonlyArray<Attempt> = [
  inside(
    "see other processes",
    "what runs on the host",
    "cat /proc/1/cmdline | tr '\\0' ' ' | grep -q sentinel && echo GOT",
    withNeighbour
  ),
  inside(
    "signal other processes",
    "an end of the host's programs",
    'kill -0 1 2>/dev/null && [ "$(cat /proc/1/comm)" != "$(cat /proc/$$/comm)" -o $$ != 1 ] && echo GOT',
    withNeighbour
  ),
  inside(
    "another process's environment",
    "its secrets",
    "cat /proc/1/environ 2>/dev/null | grep -q NEIGHBOUR && echo GOT",
    withNeighbour
  ),
  inside("another process's files", "the host's root folder", "cat /proc/1/root/tmp/secret 2>/dev/null && echo GOT", {
    joins: "processes",
    user: "0:0",
    host: { CapAdd: ["SYS_PTRACE"] }
  }),
  inside("trace another process", "command of it", `[ $$ = 1 ] && echo alone || ${call(101, "16", "1", "0", "0")}`, {
    joins: "processes",
    user: "0:0",
    host: { CapAdd: ["SYS_PTRACE"] }
  }),
  inside(
    "another process's memory",
    "its secrets",
    `[ $$ = 1 ] && echo alone || perl -e 'open(M, "<", "/proc/1/maps"); $_ = <M>; /^([0-9a-f]+)/; open(P, "<", "/proc/1/mem") or die "$!\\n"; sysseek(P, hex($1), 0); print sysread(P, $b, 4) ? "GOT\\n" : "$!\\n"'`,
    withNeighbour
  )
]

/** The kernel. */
const kernel: ReadonlyArray<Attempt> = [
  inside(
    "a key in a keyring",
    "keyrings are shared with the host",
    `perl -e '$t = "user"; $d = "red"; $p = "x"; $r = syscall(248, $t, $d, $p, 1, -1); print $r != -1 ? "GOT\\n" : "errno ".($!+0)."\\n"'`,
    unfiltered
  ),
  inside("the keyring itself", "the same", call(250, "0", "-3", "1"), unfiltered),
  inside(
    "a program in the kernel",
    "sight of everything",
    `perl -e '$a = pack("I5 x100", 2, 4, 4, 1, 0); $r = syscall(321, 0, $a, 72); print $r != -1 ? "GOT\\n" : "errno ".($!+0)."\\n"'`,
    rootUnfiltered("SYS_ADMIN")
  ),
  inside(
    "performance counters",
    "what others compute",
    `perl -e '$a = pack("I I Q x100", 1, 112, 0); $r = syscall(298, $a, 0, -1, -1, 0); print $r != -1 ? "GOT\\n" : "errno ".($!+0)."\\n"'`,
    rootUnfiltered("SYS_ADMIN")
  ),
  inside(
    "faults in user space",
    "a tool of most kernel exploits",
    call(323, "0"),
    rootUnfiltered("SYS_PTRACE", "SYS_ADMIN")
  ),
  harmless(
    "a module of the kernel",
    "the kernel itself",
    reach(175, '"garbage"', "7", '""'),
    rootUnfiltered("SYS_MODULE")
  ),
  harmless("another kernel", "the machine", reach(246, "0", "1000", "0", "0"), rootUnfiltered("SYS_BOOT")),
  harmless("a restart", "the machine", reach(169, "1", "2", "3", "0"), rootUnfiltered("SYS_BOOT")),
  harmless(
    "the clock",
    "every signature's freshness",
    `perl -e '$t = pack("q q", 0, 9999999999); $r = syscall(227, 0, $t); $e = $!+0; print $e != 1 && $e != 38 ? "GOT errno $e\\n" : "errno $e\\n"'`,
    rootUnfiltered("SYS_TIME")
  ),
  harmless("swap", "memory that is not counted", reach(167, '"/nowhere"', "0"), rootUnfiltered("SYS_ADMIN")),
  harmless("accounting", "a file that the kernel writes", reach(163, '"/nowhere"'), rootUnfiltered("SYS_PACCT")),
  inside(
    "the kernel's log",
    "addresses and secrets of the kernel",
    call(103, "10", "0", "0"),
    rootUnfiltered("SYSLOG")
  ),
  inside("ports of the machine", "devices", reach(172, "3"), rootUnfiltered("SYS_RAWIO")),
  inside("watch all files", "what others open", call(300, "0", "0"), rootUnfiltered("SYS_ADMIN")),
  inside("a higher priority", "others' time", call(141, "0", "0", "-10"), rootWith("SYS_NICE")),
  inside("the disk first", "others' time at the disk", call(251, "1", "0", "0x2000"), rootWith("SYS_NICE", "SYS_ADMIN"))
]

export const privileges: ReadonlyArray<Attempt> = [...identities, ...processes, ...kernel]
