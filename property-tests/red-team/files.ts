/**
 * Attempts to read or write what is not the turn's own: files of the host, of the image, of the kernel, of the next turn.
 * What a control may see of a host is a folder and a socket that this kit made for it.
 * Files of the kernel whose content would change the host are opened only, never written.
 */
import type { Arena, Control } from "./Arena.ts"
import { type Attempt, call, inside } from "./Attempt.ts"

const writableRoot: Control = { user: "0:0", host: { ReadonlyRootfs: false } }
const unmasked: Control = { user: "0:0", host: { MaskedPaths: [], CapAdd: ["SYS_RAWIO", "SYSLOG"] } }
const mounting: Control = {
  user: "0:0",
  host: { CapAdd: ["SYS_ADMIN"], SecurityOpt: ["no-new-privileges", "seccomp=unconfined"] }
}
const given =
  (bind: string) =>
  ({ folder }: Arena): Control => ({ host: { Binds: [`${folder}${bind}`] } })
const writes = (path: string): string => `(echo x > ${path}) 2>/dev/null && echo GOT`

export const files: ReadonlyArray<Attempt> = [
  inside("write to the root", "something that stays in the image's layer", writes("/x"), writableRoot),
  inside("a user of one's own", "an account", writes("/etc/passwd"), writableRoot),
  inside("replace a program", "the next turn's tools", writes("/usr/bin/node"), writableRoot),
  inside("write beside the program", "the next turn's agent", writes("/runner.js"), writableRoot),
  inside("write to the devices' folder", "a place that is not counted", writes("/dev/x"), { user: "0:0" }),
  inside("shared memory", "room that is not counted, shared with others", writes("/dev/shm/x"), {
    host: { IpcMode: "private" }
  }),
  inside(
    "run a program from /tmp",
    "programs that the owner never put there",
    "cp /bin/true /tmp/t; chmod 755 /tmp/t; /tmp/t 2>/dev/null && echo GOT",
    { host: { Tmpfs: { "/tmp": "rw,exec,nosuid,nodev,size=16777216,mode=1777" } } }
  ),
  inside(
    "more than /tmp holds",
    "the host's memory and disk",
    "head -c 30000000 /dev/zero > /tmp/big 2>/dev/null && echo GOT",
    { host: { Tmpfs: { "/tmp": "rw,noexec,nosuid,nodev,size=64m,mode=1777" } } }
  ),
  inside("a file of root", "secrets of the image", "cat /root-secret 2>/dev/null && echo GOT", { user: "0:0" }),
  inside("a folder of the host", "files of the owner", "cat /host/secret 2>/dev/null && echo GOT", given(":/host:ro")),
  inside(
    "the engine's socket",
    "command of the container engine, which is root of the host",
    `node -e 'const s = require("net").connect("/var/run/docker.sock"); s.on("data", (d) => console.log("GOT " + d)); s.on("error", (e) => console.log(e.code)); s.write("GET /_ping HTTP/1.1\\r\\n\\r\\n")'`,
    given("/engine.sock:/var/run/docker.sock")
  ),
  inside(
    "leave something for the next turn",
    "a way to act when somebody else asks",
    "cat /tmp/left 2>/dev/null; (echo GOT from the turn before > /tmp/left); ls /tmp/shared/left 2>/dev/null && echo GOT; touch /tmp/shared/left 2>/dev/null; ls /tmp/shared/left 2>/dev/null && echo GOT",
    (arena) => ({ user: "0:0", host: { Binds: [`${arena.folder}:/tmp/shared`] } })
  ),
  inside(
    "a device of the host",
    "its disks",
    "for d in /dev/*; do case $d in */null|*/zero|*/full|*/random|*/urandom|*/tty|*/ptmx|*/pts|*/shm|*/mqueue|*/fd|*/std*|*/core|*/console) ;; *) echo GOT $d ;; esac; done",
    {
      host: { Devices: [{ PathOnHost: "/dev/full", PathInContainer: "/dev/disk-of-the-host", CgroupPermissions: "r" }] }
    },
    "the device that the control is given is /dev/full under another name, not a disk"
  ),
  inside("a device node", "a device by its number", call(133, '"/tmp/disk"', "0x6180", "0x7e00"), {
    user: "0:0",
    host: { CapAdd: ["MKNOD"] }
  }),
  inside(
    "what the kernel waits for",
    "what others do, and when",
    "grep -q Timer /proc/timer_list 2>/dev/null && echo GOT",
    unmasked
  ),
  inside(
    "the kernel's keys",
    "keys of others",
    "test -r /proc/keys && cat /proc/keys | grep -q . && echo GOT",
    unmasked
  ),
  inside(
    "the firmware",
    "facts and secrets of the machine",
    "ls /sys/firmware 2>/dev/null | grep -q . && echo GOT",
    unmasked
  ),
  inside(
    "the processors' interrupts",
    "the host's speed",
    "(: >> /proc/irq/default_smp_affinity) 2>/dev/null && echo GOT",
    { user: "0:0", host: { ReadonlyPaths: [] } },
    "the file is opened for writing, and nothing is written to it"
  ),
  inside(
    "the kernel's settings",
    "settings of the whole host",
    "(: >> /proc/sys/kernel/panic) 2>/dev/null && echo GOT",
    { user: "0:0", host: { ReadonlyPaths: [], CapAdd: ["SYS_ADMIN"] } },
    "the file is opened for writing, and nothing is written to it"
  ),
  inside("a mount", "file systems of one's own making", call(165, '"none"', '"/tmp"', '"tmpfs"', "0", "0"), mounting),
  inside("a root that can be written", "the image's layer", call(165, '"none"', '"/"', "0", "0x20", "0"), mounting),
  inside("a mask taken off", "what the engine hides of the kernel", call(166, '"/proc/timer_list"', "0"), mounting),
  inside("another root folder", "a way around what is mounted", call(161, '"/tmp"'), {
    user: "0:0",
    host: { CapAdd: ["SYS_CHROOT"] }
  }),
  inside(
    "a file by its handle",
    "files of the host by number",
    `perl -e '$h = pack("I i x8", 8, 1); $r = syscall(304, -100, $h, 0); $e = $!+0; print $e != 1 && $e != 38 ? "GOT errno $e\\n" : "errno $e\\n"'`,
    {
      user: "0:0",
      host: { CapAdd: ["DAC_READ_SEARCH"], SecurityOpt: ["no-new-privileges", "seccomp=unconfined"] }
    }
  ),
  inside(
    "the owner of a file",
    "files that look like somebody else's",
    'touch /tmp/f; perl -e \'print chown(7, 7, "/tmp/f") ? "GOT\\n" : "$!\\n"\'',
    {
      user: "0:0",
      host: { CapAdd: ["CHOWN"] }
    }
  )
]
