/**
 * The shapes that the panel's files share: what the server says, and what a page keeps.
 * It never reaches a browser; only the compiler reads it.
 * The server's shapes come from its own Schemas, so a change there is a fault here at the next check.
 */
import type * as Contract from "../Contract.ts"

export type View = Contract.View
export type Friend = View["friends"][number]
export type Answer = Contract.Answer
export type Qr = View["identity"]["qr"]
export type Conversation = typeof Contract.Conversation.Type
export type Entry = Conversation["entries"][number]
export type InviteMade = typeof Contract.InviteMade.Type
export type Told = Extract<typeof Contract.StreamEvent.Type, { kind: "news" }>
export type CommandRow = (typeof Contract.Commands.Type)["commands"][number]

export type Section = "overview" | "friends" | "invites" | "topics" | "activity" | "node"

/** A news of the stream, with its place in it. */
export interface News {
  readonly id: string
  readonly told: Told
}

/** What was loaded of a conversation. `earlier` are pages before the newest one. */
export interface Talk {
  earlier: ReadonlyArray<Entry>
  newest: ReadonlyArray<Entry>
  before: string | null
  phase: "loading" | "ready" | "failed"
  why: string
  search: string
  draft: string
}

/** Words for whoever pressed a button. */
export interface Notice {
  readonly tone: "good" | "bad"
  readonly text: string
  readonly code: string
}

export interface State {
  /** `locked`: this page's key is not good any more. `failed`: nothing was ever shown. */
  phase: "loading" | "ready" | "locked" | "failed"
  link: "connecting" | "live" | "lost"
  retryAtMs: number
  view: View | null
  /** What could not be read, if the last attempt failed. */
  why: string
  section: Section
  friend: string | null
  aspect: "talk" | "about"
  /** Which question is being asked in place. */
  asking: string | null
  /** The data-key of what is to have the focus after the next drawing. */
  focus: string | null
  busy: Set<string>
  notice: Notice | null
  /** What a screen reader is told next. */
  said: string
  news: ReadonlyArray<News>
  unread: Map<string, number>
  talks: Map<string, Talk>
  made: Extract<InviteMade, { ok: true }> | null
  drawn: Map<string, Qr>
  secretTopic: string | null
  commands: ReadonlyArray<CommandRow>
  output: ReadonlyArray<{ readonly tone: string; readonly text: string }>
  nowMs: number
}

export interface Wish {
  /** Which button is busy meanwhile. */
  readonly key: string
  /** What is said when it is done; a refusal speaks for itself. */
  readonly done?: string
}

/** What views may do. */
export interface Actions {
  readonly change: (mutate: (state: State) => void) => void
  readonly command: (name: string, rest: string, wish: Wish) => Promise<Answer | undefined>
  readonly line: (line: string) => Promise<void>
  readonly invite: (wish: Record<string, string | number>) => Promise<boolean>
  readonly draw: (text: string) => Promise<void>
  readonly look: () => Promise<void>
  readonly copy: (text: string, what: string) => Promise<void>
  readonly go: (section: Section) => void
  readonly open: (peerId: string | null, aspect: State["aspect"]) => void
  readonly talk: (peerId: string, how: "newest" | "earlier") => Promise<void>
  readonly search: (peerId: string, text: string) => Promise<void>
  readonly send: (friend: Friend, name: "message" | "inject", text: string) => Promise<boolean>
  readonly save: (friend: Friend, format: "jsonl" | "text") => Promise<void>
  readonly forget: (friend: Friend) => Promise<void>
  readonly reconnect: () => void
}

export interface App {
  readonly state: State
  readonly act: Actions
}

export type Child = Node | string | number | null | false | undefined | ReadonlyArray<Child>
export type Attributes = Readonly<Record<string, unknown>>
