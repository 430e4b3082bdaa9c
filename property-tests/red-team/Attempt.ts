/**
 * One attempt to get out of the sandbox, or to get more than it gives: what it tries, and how it is proven to be a real one.
 * It is made twice: in our sandbox, where it must not get through, and where the protection is missing, where it must.
 * An attempt that gets through nowhere proves nothing, and counts as a fault of this kit.
 */
import type { Arena, Control } from "./Arena.ts"

/** Whether it got through, and what was seen. */
export interface Seen {
  readonly through: boolean
  readonly seen: string
}

export interface Attempt {
  readonly name: string
  /** What it would mean if it got through. */
  readonly means: string
  /** What stands in for a control that cannot be had safely, in a sentence. */
  readonly standIn?: string
  readonly make: (arena: Arena) => Promise<{ readonly confined: Seen; readonly control: Seen }>
}

const seenIn = (output: string): Seen => ({ through: /^GOT\b/m.test(output), seen: output.trim().slice(0, 200) })

/** A shell script that prints a line beginning with GOT if it gets through. */
export const inside = (
  name: string,
  means: string,
  script: string,
  control: Control | ((arena: Arena) => Control),
  standIn?: string
): Attempt => ({
  name,
  means,
  ...(standIn === undefined ? {} : { standIn }),
  make: async (arena) => ({
    confined: seenIn(await arena.confined(`${script}\n`)),
    control: seenIn(await arena.control(`${script}\n`, typeof control === "function" ? control(arena) : control))
  })
})

/** Perl that makes a system call: texts go into variables, since the kernel may want to write to them. */
const made = (number: number, args: ReadonlyArray<string>): string => {
  const texts = args.map((arg, index) => (arg.startsWith('"') ? `$t${index} = ${arg}; ` : ""))
  const words = args.map((arg, index) => (arg.startsWith('"') ? `$t${index}` : arg))
  return `${texts.join("")}$r = syscall(${[number, ...words].join(", ")}); $e = $!+0`
}

/** A system call by its number on x86-64; GOT if it is carried out. Arguments are numbers and quoted texts. */
export const call = (number: number, ...args: ReadonlyArray<string>): string =>
  `perl -e '${made(number, args)}; print $r != -1 ? "GOT $r\\n" : "errno $e\\n"'`

/**
 * The same with arguments that no kernel accepts, for calls whose success would change the host: GOT if the kernel was
 * asked at all, whatever it says (also that it was built without that), which EPERM (1) says it was not.
 */
export const reach = (number: number, ...args: ReadonlyArray<string>): string =>
  `perl -e '${made(number, args)}; print $r != -1 || $e != 1 ? "GOT errno $e\\n" : "errno $e\\n"'`

/** Root with one capability; the default seccomp profile lets through what the capability is for. */
export const rootWith = (...capabilities: ReadonlyArray<string>): Control => ({
  user: "0:0",
  host: { CapAdd: [...capabilities] }
})

/** The same without any seccomp profile, for calls that the profile refuses whatever the capability. */
export const rootUnfiltered = (...capabilities: ReadonlyArray<string>): Control => ({
  user: "0:0",
  host: { CapAdd: [...capabilities], SecurityOpt: ["no-new-privileges", "seccomp=unconfined"] }
})

export const unfiltered: Control = { host: { SecurityOpt: ["no-new-privileges", "seccomp=unconfined"] } }
