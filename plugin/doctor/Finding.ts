/**
 * Everything the doctor can find: one closed table of codes, each with how bad it is and a sentence.
 * It never looks at anything; the checks beside it do, and name a row.
 * The command that mends a finding is a part of it, with the paths of this case, so that a person can paste it.
 */

/** `broken`: something does not work or is not safe. `notice`: worth knowing, and no fault. */
type Level = "broken" | "notice"

const broken = (sentence: string) => ({ level: "broken" as Level, sentence })
const notice = (sentence: string) => ({ level: "notice" as Level, sentence })

/** code → what it means. */
export const table = {
  // the folder and what is in it
  "folder-missing": broken("There is no data folder, so no node has run here yet."),
  "folder-open": broken("Other users of this machine can enter the data folder."),
  "identity-missing": broken("There is no identity in the folder."),
  "identity-open": broken(
    "Other users of this machine can read the keys; if one may have, rotate them as well: wopr-p2p identity rotate --compromise."
  ),
  "identity-damaged": broken("The identity file is not one of this program."),
  "file-open": broken("Other users of this machine could read a file of the node."),
  "journal-missing": broken("There is an identity, but its records are gone: a start would begin without any friend."),
  "journal-damaged": broken("The journal is damaged; a start would refuse it."),
  "journal-torn": notice("The journal ends in an unfinished commit of a crash; the next start cuts it off."),
  "records-damaged": broken(
    "A record does not parse, or is of a newer version or of another identity; a start would refuse it."
  ),
  "conversation-damaged": notice("A line of a conversation cannot be read; it is skipped."),
  "drafts-left": notice("A crash has left drafts of files behind; the next start sweeps them."),
  "disk-nearly-full": broken("The disk has next to no room left: nothing can be stored."),
  "identities-two": broken("Two folders hold an identity, and a start without --data refuses to choose."),
  // the process
  "lock-left": notice("A process that is dead has left its lock; the next start removes it."),
  "socket-left": notice("A process that is dead has left its control socket; the next start replaces it."),
  "socket-path": broken("No control socket can be made: the path of the folder is too long."),
  "control-key-open": broken("The control key could be read by other users, so nobody answers to it."),
  "control-key-damaged": broken("The control key is damaged: no other terminal can reach the node."),
  "node-silent": broken("A process holds the folder, but does not answer on the control socket."),
  "intents-waiting": notice("Commands wait for the next start of the node."),
  "intent-damaged": broken("A command that waits for a start cannot be read; it will not be carried out."),
  "not-listening": broken("The node runs, but announces none of its keys: friends cannot find it."),
  // the network
  "dht-unreachable": broken("No node of the DHT answers: friends can neither be found nor find us."),
  // the sandbox and the model
  "engine-refused": broken("DOCKER_HOST names an engine that is not on this machine, and it is not used."),
  "engine-missing": broken("No container engine answers, so nobody's questions are answered."),
  "image-record-damaged": broken(
    "The file that names the approved image is damaged, so nobody's questions are answered."
  ),
  "image-outdated": broken(
    "The approved image is of another version of this program, so nobody's questions are answered."
  ),
  "image-missing": broken("The engine no longer holds the approved image."),
  "canary-failed": broken("The sandbox was found loose, or could not be proven tight: questions are not answered."),
  "containers-left": broken("Containers of this node are left, and no node runs that would use them."),
  "model-missing": notice("No language model is configured, so nobody answers friends."),
  "model-key-unusable": broken("The file with the model's key is missing, or other users could have read it."),
  "model-unreachable": broken("The server of the language model does not answer."),
  // the host
  "host-config-damaged": broken("The host's configuration is not JSON, so the plugin runs without its settings."),
  "host-config-wrong": broken("A setting of the plugin in the host is wrong, so nothing is started there."),
  "host-config-unknown": notice("The host holds a setting that this plugin does not know."),
  "owners-missing": notice(
    "No owner is named in the host's configuration: nobody can command the node from a channel."
  ),
  "host-lenient": notice(
    "The host does not enforce permissions: any model that it runs may use every tool of the node."
  ),
  // time, and the former plugin
  "clock-behind": broken(
    "Files of the node are from the future: this machine's clock is behind, and friend lines will be refused."
  ),
  "former-files": notice("The former plugin's files are in the folder; a node does not start on them."),
  "former-security": broken(
    "The former plugin has left a security.json; the host fails on it at every start once it has settings of its own."
  )
} as const satisfies Record<string, ReturnType<typeof broken>>
export type Code = keyof typeof table

export interface Finding {
  readonly code: Code
  /** What of this case: a path, a number; never a secret. */
  readonly detail: string
  /** The command that mends it, to be pasted. */
  readonly mend: string
}

/** Something a check could not look at, and why: what is not known is said. */
export interface Unknown {
  readonly what: string
  readonly why: string
}

export interface Findings {
  readonly findings: ReadonlyArray<Finding>
  readonly unknown: ReadonlyArray<Unknown>
}

/** Nothing. */
export const none: Findings = { findings: [], unknown: [] }

/** One finding. */
export const found = (code: Code, detail: string, mend: string): Findings => ({
  findings: [{ code, detail, mend }],
  unknown: []
})

/** Something that could not be looked at. */
export const unknown = (what: string, why: string): Findings => ({ findings: [], unknown: [{ what, why }] })

/** Several checks' findings, in their order. */
export const all = (many: ReadonlyArray<Findings>): Findings => ({
  findings: many.flatMap(({ findings }) => findings),
  unknown: many.flatMap((one) => one.unknown)
})
