/**
 * Hostile programs in real containers, and engines that lie, hang, die or are not there.
 * It must never be read as proof against a flaw of the kernel: it shows that the flags hold, not that they suffice.
 * A false engine is part of it, because only that shows the inspection to be what stands between a peer and the host.
 */
import { Effect, Fiber } from "effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { assemble, defaultCommands } from "../../adapters/docker/Image.ts"
import { definition, hostConfig, notApplied, notEnforceable } from "../../adapters/docker/isolation.ts"
import { layer, type Options } from "../../adapters/docker/Sandbox.ts"
import { type Job, Sandbox, type SandboxCode } from "../../ports/Sandbox.ts"
import { docker, jobsOf, type Lie, withEngine, withLiar } from "./docker-engine.ts"
import { answered, job, refused, textOf, within } from "./Sandbox.suite.ts"

const image = "wopr-p2p-hostile:1"
const ownerId = `hostile-${process.pid}`
const shell = ["/bin/sh", "-c"]

/** A sandbox whose one program is the given shell script. */
const running = (script: string, options: Partial<Options> = {}) =>
  layer({ image, program: [...shell, `PATH=/bin:/usr/bin; ${script}`], ownerId, ...options })

const answerOf = (script: string, limits: Partial<Job> = {}) =>
  Effect.runPromise(Effect.provide(answered(job("", "", limits)), running(script))).then(({ output }) => textOf(output))

const failureOf = (script: string, limits: Partial<Job> = {}, rest: string | Uint8Array = "") =>
  Effect.runPromise(Effect.provide(refused(job("", rest, limits)), running(script)))

const nothingLeft = async () => expect(await Effect.runPromise(jobsOf(ownerId))).toEqual([])

const hostile = () => {
  it("writes nowhere but in a small /tmp, and runs nothing from there", async () => {
    const places =
      "/x /etc/x /bin/x /dev/x /proc/sysrq-trigger /proc/sys/kernel/hostname /sys/x /proc/1/oom_score_adj.x"
    const writes = `for place in ${places}; do (echo x > $place) 2>/dev/null && echo "wrote $place"; done`
    const execution = "cp /bin/cat /tmp/cat 2>/dev/null || cat /bin/cat > /tmp/cat; /bin/sh -c 'exec /tmp/cat' 2>&1"
    const filling = "dd if=/dev/zero of=/tmp/big bs=1M count=64 2>&1 | grep -c 'No space left'"
    const text = await answerOf(`${writes}; ${filling}; rm -f /tmp/big; ${execution}; echo done`)
    expect(text).not.toContain("wrote")
    expect(text).toMatch(/^1\n/)
    expect(text).toMatch(/Permission denied/)
    expect(text).toMatch(/done\n$/)
  })

  it("sees no network, and reaches none", async () => {
    const tries = `for to in 192.0.2.1 127.0.0.1 169.254.169.254; do
      if bash -c "echo x > /dev/tcp/$to/2375" 2>/dev/null; then echo "reached $to"; else echo "missed $to"; fi
    done`
    const text = await answerOf(
      `cat /proc/net/route; grep -c : /proc/net/dev; bash -c 'echo bash runs'; ${tries}; cat /etc/resolv.conf 2>/dev/null`
    )
    expect(text.split("\n").filter((line) => /^\w+\s+[0-9A-F]{8}\s/.test(line))).toEqual([])
    expect(text).toContain("\n1\n")
    expect(text).toContain("bash runs")
    expect(text).not.toContain("reached")
    expect(text.match(/missed/g)?.length).toBe(3)
    expect(text).not.toContain("nameserver")
  })

  it("gains no privilege: no capability, no new namespace, no mount, no raw device", async () => {
    const tries =
      "unshare -Ur true 2>&1; unshare -n true 2>&1; mount -t tmpfs x /tmp 2>&1; mkdir /tmp/d; mknod /tmp/sda b 8 0 2>&1"
    const text = await answerOf(
      `id -u; grep -E '^(Cap(Eff|Prm|Bnd)|NoNewPrivs|Seccomp):' /proc/self/status; ${tries}; ls /dev`
    )
    expect(text).toMatch(/^65534\n/)
    expect(text.match(/Cap(Eff|Prm|Bnd):\t0000000000000000/g)?.length).toBe(3)
    expect(text).toContain("NoNewPrivs:\t1")
    expect(text).toContain("Seccomp:\t2")
    expect(text.match(/not permitted|denied|superuser/gi)?.length).toBeGreaterThanOrEqual(4)
    expect(text).not.toMatch(/^(sda|vda|kmsg|mem|shm)$/m)
  })

  it("is under the limits the kernel itself shows", async () => {
    const files = ["memory/memory.limit_in_bytes memory.max", "pids/pids.max pids.max", "cpu/cpu.cfs_quota_us cpu.max"]
    const reads = files.map((pair) => `for f in ${pair}; do cat /sys/fs/cgroup/$f 2>/dev/null && break; done`)
    const [memory, pids, cpu] = (await answerOf(reads.join("; "))).split("\n")
    expect([memory, pids]).toEqual([`${512 * 1024 * 1024}`, "100"])
    expect(cpu).toMatch(/^50000( 100000)?$/)
  })

  it("cannot fork without end", async () => {
    const failure = await failureOf("i=0; while [ $i -lt 200 ]; do sleep 600 & i=$((i+1)); done; echo all >&2; exit 7")
    expect(failure).toMatchObject({ code: "exit-code", message: expect.stringMatching(/fork/i) as unknown })
    expect(failure.message).not.toContain("all")
    const bomb = await failureOf("bomb() { bomb | bomb & }; bomb; sleep 600", { timeLimitMs: 1_000 })
    expect(["timed-out", "exit-code", "output-too-long"]).toContain(bomb.code)
    await nothingLeft()
  })

  const ends: ReadonlyArray<[string, string, SandboxCode, Partial<Job>]> = [
    ["eats memory", "exec dd if=/dev/zero of=/dev/null bs=700M count=1", "out-of-memory", {}],
    ["eats memory in a child", "tail /dev/zero > /dev/null; exit $?", "out-of-memory", {}],
    [
      "ignores every polite signal",
      "trap '' TERM INT HUP QUIT; while :; do sleep 1; done",
      "timed-out",
      { timeLimitMs: 300 }
    ],
    ["burns the processor", "while :; do :; done", "timed-out", { timeLimitMs: 300 }],
    ["closes its outputs and stays", "exec >&- 2>&-; sleep 600", "timed-out", { timeLimitMs: 300 }],
    ["never reads its input", "exec sleep 600", "timed-out", { timeLimitMs: 300 }],
    ["prints errors for ever", "exec yes error >&2", "output-too-long", {}],
    ["prints one byte at a time", "while :; do printf x; done", "output-too-long", { outputBytesMax: 2_000 }],
    ["kills itself", "kill -9 $$; kill -SEGV $$; exit 139", "exit-code", {}]
  ]
  it.each(ends)("%s: refused with a code, and gone", async (_, script, code, limits) => {
    const failure = await failureOf(script, limits, new Uint8Array(1024 * 1024))
    expect(failure).toMatchObject({ code })
    await nothingLeft()
  })

  it("a child that stays behind dies with its parent and does not keep the answer", async () => {
    expect(await answerOf("sleep 600 & echo said")).toBe("said\n")
    await nothingLeft()
  })

  it("what it says as a reason cannot move an operator's cursor, and is short", async () => {
    const failure = await failureOf("yes a | head -c 9999 >&2; printf '\\033[2J\\007\\342\\200\\256end' >&2; exit 1")
    expect(failure.message).toMatch(/ending?$|end$/)
    expect(failure.message).not.toMatch(/[\p{Cc}\p{Cf}]/u)
    expect(failure.message.length).toBeLessThan(400)
  })
}

const inspection = () => {
  const loosenings: ReadonlyArray<[string, unknown]> = [
    ["NetworkMode", "bridge"],
    ["NetworkMode", "host"],
    ["ReadonlyRootfs", false],
    ["CapDrop", ["NET_RAW"]],
    ["CapAdd", ["SYS_ADMIN"]],
    ["SecurityOpt", ["no-new-privileges", "seccomp=unconfined"]],
    ["SecurityOpt", ["no-new-privileges:false"]],
    ["PidsLimit", 0],
    ["PidsLimit", 101],
    ["Memory", 0],
    ["MemorySwap", -1],
    ["NanoCpus", 1e9],
    ["IpcMode", "host"],
    ["IpcMode", "shareable"],
    ["CgroupnsMode", "host"],
    ["PidMode", "host"],
    ["UTSMode", "host"],
    ["UsernsMode", "host"],
    ["Privileged", true],
    ["Binds", ["/:/host"]],
    ["Mounts", [{ Type: "bind", Source: "/", Target: "/host" }]],
    ["VolumesFrom", ["other"]],
    ["Devices", [{ PathOnHost: "/dev/kmsg" }]],
    ["DeviceRequests", [{ Driver: "nvidia" }]],
    ["DeviceCgroupRules", ["c *:* rwm"]],
    ["GroupAdd", ["0"]],
    ["Sysctls", { "net.ipv4.ip_forward": "1" }],
    ["PortBindings", { "80/tcp": [{ HostPort: "80" }] }],
    ["PublishAllPorts", true],
    ["OomKillDisable", true],
    ["RestartPolicy", { Name: "always", MaximumRetryCount: 0 }],
    ["Tmpfs", { "/tmp": "rw,exec,size=16777216" }],
    ["Tmpfs", { ...hostConfig.Tmpfs, "/run": "rw" }],
    ["Ulimits", []],
    ["LogConfig", { Type: "json-file", Config: {} }],
    ["MaskedPaths", []],
    ["MaskedPaths", null],
    ["ReadonlyPaths", ["/proc/bus"]]
  ]
  const program = [...shell, "true"]
  let found: Record<string, unknown> & { HostConfig: Record<string, unknown>; Config: Record<string, unknown> }

  beforeAll(async () => {
    const container = await docker.createContainer(
      definition({ name: `wopr-p2p-inspected-${process.pid}`, image, program, labels: {} })
    )
    found = (await container.inspect()) as unknown as typeof found
    await container.remove({ force: true })
  })

  it("finds nothing to object to in what this engine made of our request", () => {
    expect(notApplied(found, program)).toEqual([])
  })

  it.each(loosenings)("notices %s = %j, and names it", (flag, value) => {
    const differences = notApplied({ ...found, HostConfig: { ...found.HostConfig, [flag]: value } }, program)
    expect(differences).toHaveLength(1)
    expect(differences[0]).toContain(flag)
  })

  it.each(Object.keys(hostConfig))("notices that %s is missing from the engine's answer", (flag) => {
    const { [flag]: _, ...rest } = found.HostConfig
    expect(notApplied({ ...found, HostConfig: rest }, program).join()).toContain(flag)
  })

  it("notices another user, another program, a terminal, and anything mounted", () => {
    const config = (changed: object) => notApplied({ ...found, Config: { ...found.Config, ...changed } }, program)
    expect(config({ User: "0" })).toHaveLength(1)
    expect(config({ User: "" })).toHaveLength(1)
    expect(config({ Entrypoint: ["/bin/evil"] })).toHaveLength(1)
    expect(config({ Cmd: ["more"] })).toHaveLength(1)
    expect(config({ Tty: true })).toHaveLength(1)
    expect(config({ Volumes: { "/v": {} } })).toHaveLength(1)
    expect(notApplied({ ...found, Mounts: [{ Type: "volume", Destination: "/v" }] }, program)).toHaveLength(1)
    for (const nonsense of [undefined, null, 7, "x", [], {}]) expect(notApplied(nonsense, program)).not.toEqual([])
  })

  it("notices an engine that cannot enforce a limit or has another seccomp profile", async () => {
    const facts = (await docker.info()) as Record<string, unknown>
    expect(notEnforceable(facts)).toEqual([])
    for (const flag of ["MemoryLimit", "SwapLimit", "PidsLimit", "CpuCfsQuota"]) {
      expect(notEnforceable({ ...facts, [flag]: false })).toHaveLength(1)
    }
    for (const options of [[], null, ["name=seccomp,profile=unconfined"], ["name=seccomp,profile=/etc/own.json"]]) {
      expect(notEnforceable({ ...facts, SecurityOptions: options })).toHaveLength(1)
    }
  })
}

type HostFields = Record<string, unknown>
const host = (body: Record<string, unknown>) => body["HostConfig"] as HostFields

const lies: ReadonlyArray<[string, Lie]> = [
  ["ReadonlyRootfs", { create: (body) => delete host(body)["ReadonlyRootfs"] }],
  ["NetworkMode", { create: (body) => Object.assign(host(body), { NetworkMode: "host" }) }],
  ["CapDrop", { create: (body) => delete host(body)["CapDrop"] }],
  ["SecurityOpt", { create: (body) => Object.assign(host(body), { SecurityOpt: ["seccomp=unconfined"] }) }],
  ["Memory", { create: (body) => Object.assign(host(body), { Memory: 0, MemorySwap: 0 }) }],
  ["Binds", { create: (body) => Object.assign(host(body), { Binds: ["/tmp:/host:ro"] }) }],
  ["User", { create: (body) => Object.assign(body, { User: "0:0" }) }]
]

const throughLiar = (lie: Lie, script: string, wanted: Job, options: Partial<Options> = {}) => {
  let code: string | undefined
  let message = ""
  return withLiar(lie, async (liar) => {
    const sandbox = running(script, { socketPath: liar.socketPath, ...options })
    const failure = await Effect.runPromise(Effect.provide(refused(wanted), sandbox))
    code = failure.code
    message = failure.message
  }).then(() => ({ code, message }))
}

const engines = () => {
  it.each(lies)("an engine that drops %s runs nothing", async (flag, lie) => {
    // Had it been started, this program would have answered, and `refused` would have failed.
    const failure = await throughLiar(lie, "echo ran", job(""))
    expect(failure).toEqual({ code: "flags-not-applied", message: expect.stringContaining(flag) as unknown })
    await nothingLeft()
  })

  it("the liar relays faithfully what it does not lie about", async () => {
    await withLiar({}, async ({ socketPath }) => {
      const sandbox = running("cat", { socketPath })
      const { output } = await Effect.runPromise(Effect.provide(answered(job("echo", "x")), sandbox))
      expect(textOf(output)).toBe("echo\nx")
    })
  })

  it("an engine that never answers a start is given up in time", async () => {
    const failure = await throughLiar({ hangStart: true }, "echo", job(""), { engineLimitMs: 500 })
    expect(failure.code).toBe("start-failed")
    await nothingLeft()
  })

  it("an engine that answers nothing does not keep the status, nor a run, nor the layer", async () => {
    await withLiar({ hangAll: true }, async ({ socketPath }) => {
      const body = Effect.gen(function* () {
        const sandbox = yield* Sandbox
        const status = yield* sandbox.status.pipe(Effect.timeout("2 seconds"))
        expect(status.ready).toBe(false)
        expect((yield* refused(job(""))).code).toBe("engine-failed")
      })
      const sandbox = running("echo", { socketPath, engineLimitMs: 300 })
      await Effect.runPromise(Effect.provide(body, sandbox).pipe(Effect.timeout("8 seconds")))
    })
  })

  it("an engine that dies midway fails the run; what it leaves is removed when the next layer starts", async () => {
    const orphan = job("", "", { timeLimitMs: 20_000 })
    await withLiar({}, async ({ socketPath, die }) => {
      const body = Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(refused(orphan), { startImmediately: true })
        yield* within(
          5_000,
          Effect.map(started, (ids) => ids.includes(orphan.id))
        )
        yield* Effect.promise(die)
        expect((yield* Fiber.join(fiber).pipe(Effect.timeout("5 seconds"))).code).toBe("engine-failed")
      })
      await Effect.runPromise(Effect.provide(body, running("sleep 600", { socketPath })))
    })
    expect(await Effect.runPromise(jobsOf(ownerId))).toEqual([orphan.id])
    await Effect.runPromise(Effect.provide(Sandbox, running("true")))
    await nothingLeft()
  })

  it("leftovers of this owner go at the start, and nobody else's", async () => {
    const left = async (owner: string) => {
      const labels = { "wopr-p2p.owner": owner, "wopr-p2p.job": "old" }
      const name = `wopr-p2p-left-${owner}`
      const container = await docker.createContainer(
        definition({ name, image, program: ["/bin/sleep", "600"], labels })
      )
      await container.start()
    }
    await left(ownerId)
    await left(`${ownerId}-other`)
    await Effect.runPromise(Effect.provide(Sandbox, running("true")))
    await nothingLeft()
    expect(await Effect.runPromise(jobsOf(`${ownerId}-other`))).toEqual(["old"])
    await docker.getContainer(`wopr-p2p-left-${ownerId}-other`).remove({ force: true })
  })

  it("no engine, no image, no such program, no fit name: each has its code and its next step", async () => {
    const code = (options: Partial<Options>, wanted: Job = job("")) =>
      Effect.runPromise(Effect.provide(refused(wanted), running("echo", options)))
    expect(await code({ socketPath: "/nowhere/engine.sock" })).toMatchObject({
      code: "no-engine",
      message: expect.stringContaining("start") as unknown
    })
    expect(await code({ image: "wopr-p2p-nowhere:1" })).toMatchObject({
      code: "no-image",
      message: expect.stringContaining("wopr-p2p-nowhere:1") as unknown
    })
    expect((await code({ program: ["/no/such"] })).code).toBe("start-failed")
    expect((await code({}, { ...job(""), id: "../etc" })).code).toBe("create-refused")
    await nothingLeft()
  })

  it("says without an engine, and without an image, why nothing can run", async () => {
    const status = (options: Partial<Options>) =>
      Effect.runPromise(
        Effect.provide(
          Effect.flatMap(Sandbox, (sandbox) => sandbox.status),
          running("echo", options)
        )
      )
    expect(await status({ socketPath: "/nowhere/engine.sock" })).toMatchObject({ ready: false, engine: "none" })
    expect(await status({ image: "wopr-p2p-nowhere:1" })).toMatchObject({ ready: false })
    expect(await status({})).toMatchObject({ ready: true, engine: expect.stringMatching(/^docker \d/) as unknown })
  })

  it("a second job of the same id does not touch the first", async () => {
    const twin = job("", "", { timeLimitMs: 4_000 })
    const body = Effect.gen(function* () {
      const first = yield* Effect.forkChild(answered(twin), { startImmediately: true })
      yield* within(
        5_000,
        Effect.map(jobsOf(ownerId), (ids) => ids.includes(twin.id))
      )
      expect((yield* refused(twin)).code).toBe("create-refused")
      expect(textOf((yield* Fiber.join(first)).output)).toBe("first\n")
    })
    await Effect.runPromise(Effect.provide(body, running("sleep 1; echo first")))
  })
}

/** The jobs whose container runs. */
const started = Effect.promise(async () => {
  const listed = await docker.listContainers({ filters: { label: [`wopr-p2p.owner=${ownerId}`] } })
  return listed.map(({ Labels }) => Labels["wopr-p2p.job"] ?? "")
})

withEngine("Docker under attack", () => {
  beforeAll(async () => {
    const commands = [...defaultCommands, "bash", "unshare", "mount", "mknod", "cp"]
    await Effect.runPromise(assemble({ tag: image, commands }))
  })

  afterAll(async () => {
    await nothingLeft()
    await docker.getImage(image).remove()
  })

  describe("a hostile program", hostile)
  describe("the inspection before the start", inspection)
  describe("an engine", engines)
})
