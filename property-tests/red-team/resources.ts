/**
 * Attempts to use more than a turn may: processes, memory, processor, descriptors, time, words, disk.
 * A control's limits are larger, not absent: this kit must not exhaust a host to show that a host can be exhausted.
 * What only shows outside the container, such as a log that fills a disk, is looked for there.
 */
import type { HostConfig } from "dockerode"
import { hostConfig } from "../../adapters/docker/isolation.ts"
import { jobLabel } from "../../adapters/docker/Lifetime.ts"
import type { Arena } from "./Arena.ts"
import { type Attempt, inside, type Seen } from "./Attempt.ts"

const mebibyte = 1024 * 1024

/** The same job twice, with the limit and with a larger one; through if it ends well. */
const within = (name: string, means: string, script: string, tight: object, wide: object): Attempt => ({
  name,
  means,
  make: async ({ confined }) => {
    const seen = (output: string): Seen => ({ through: output.includes("GOT"), seen: output.slice(-200) })
    return { confined: seen(await confined(script, tight)), control: seen(await confined(script, wide)) }
  }
})

/** What the engine kept of a container's words. */
const logOf = async ({ docker, image, ownerId }: Arena, host: Partial<HostConfig>): Promise<Seen> => {
  const container = await docker.createContainer({
    Image: image,
    Entrypoint: ["/bin/sh", "-c", "yes logged | head -n 1000"],
    NetworkDisabled: true,
    Labels: { "wopr-p2p.owner": ownerId },
    HostConfig: { ...hostConfig, ...host }
  })
  try {
    await container.start()
    await container.wait()
    const kept = await container.logs({ stdout: true }).then(
      (log) => log.toString(),
      (error: unknown) => String(error)
    )
    return { through: (kept.match(/logged/g)?.length ?? 0) >= 1_000, seen: kept.slice(0, 100) }
  } finally {
    await container.remove({ force: true })
  }
}

/** Whether a job's container is there yet when a busy engine has had time to remove it. */
const outlives = async ({ docker }: Arena, id: string): Promise<boolean> => {
  for (let look = 0; look < 40; look++) {
    const left = await docker.listContainers({ all: true, filters: { label: [`${jobLabel}=${id}`] } })
    if (left.length === 0) return false
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
  return true
}

const bomb =
  "i=0; while [ $i -lt 250 ]; do i=$((i+1)); sleep 5 & done 2>/dev/null; [ $(ls -d /proc/[0-9]* | wc -l) -gt 150 ] && echo GOT"

export const resources: ReadonlyArray<Attempt> = [
  inside("a fork bomb", "a host that starts nothing more", bomb, { host: { PidsLimit: 400 } }),
  inside(
    "more memory",
    "the host's memory",
    `node -e 'console.log("GOT", Buffer.alloc(700 * 1024 * 1024, 1).length)'`,
    { host: { Memory: 1024 * mebibyte, MemorySwap: 1024 * mebibyte } }
  ),
  inside(
    "more of the processor",
    "the host's time",
    "stat=/sys/fs/cgroup/cpu.stat; [ -r $stat ] || stat=/sys/fs/cgroup/cpu/cpu.stat; perl -e '$e = time + 3; 1 while time < $e'; grep -q '^nr_throttled 0$' $stat && echo GOT",
    { host: { NanoCpus: 2e9 } }
  ),
  inside(
    "more descriptors",
    "the host's table of open files",
    'perl -e \'while (open(my $f, "<", "/dev/null")) { push @f, $f; last if @f > 2000 } print @f > 2000 ? "GOT\\n" : @f."\\n"\'',
    { host: { Ulimits: [{ Name: "nofile", Soft: 4096, Hard: 4096 }] } }
  ),
  inside("a higher limit of descriptors", "the same", "ulimit -n 8192 2>/dev/null && echo GOT", {
    host: { Ulimits: [{ Name: "nofile", Soft: 1024, Hard: 16_384 }] }
  }),
  inside("a core file", "the host's disk, and what was in memory", "ulimit -c unlimited 2>/dev/null && echo GOT", {
    host: { Ulimits: [{ Name: "core", Soft: 0, Hard: -1 }] }
  }),
  {
    name: "a flood of log",
    means: "the host's disk",
    make: async (arena) => ({
      confined: await logOf(arena, {}),
      control: await logOf(arena, { LogConfig: { Type: "json-file", Config: { "max-size": "1m" } } })
    })
  },
  within(
    "a flood of words",
    "the node's memory",
    "yes x | head -c 3000000; echo GOT",
    {},
    { outputBytesMax: 4 * mebibyte }
  ),
  within(
    "a turn without end",
    "the owner's machine for good",
    "sleep 3; echo GOT",
    { timeLimitMs: 1_000 },
    { timeLimitMs: 10_000 }
  ),
  {
    name: "a process that stays",
    means: "a foothold after the turn",
    make: async (arena) => {
      // By its own id: another attempt of this kit may have a container at the same moment.
      const id = `stays-${crypto.randomUUID()}`
      const printed = await arena.confined("(perl -e 'sleep 600' >/dev/null 2>&1 &) ; echo ended", { id })
      const stays = await outlives(arena, id)
      const control = await arena.control(
        "perl -e 'if (fork == 0) { sleep 1; exit } sleep 1'; echo GOT it lives as long as its container",
        {}
      )
      return {
        confined: { through: stays, seen: `${printed.trim()}; its container ${stays ? "is still there" : "is gone"}` },
        control: { through: control.includes("GOT"), seen: control }
      }
    },
    standIn: "a container that nobody removes is not left behind to show it; that its process lives until then is shown"
  }
]
