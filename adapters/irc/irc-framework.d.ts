/**
 * Types for irc-framework 4.14, which ships none: only what this folder uses.
 * It must never describe what the library does not document, but for the parts of `network` that its own README shows.
 * Checked by hand against the sources, and by running: a wrong line here is a crash there, which no compiler sees.
 */
declare module "irc-framework" {
  import type { EventEmitter } from "node:events"

  /** A line of the server, taken apart. */
  export interface Message {
    readonly command: string
    readonly params: ReadonlyArray<string>
    readonly tags: Readonly<Record<string, string>>
    /** Empty where the line came from a server. */
    readonly nick: string
    readonly ident: string
    readonly hostname: string
  }
  /** What carries lines to a server and back; emits `open`, `line` and `close`. */
  export interface Carrier extends EventEmitter {
    connect(): void
    writeLine(line: string, done?: () => void): void
    close(force?: boolean): void
    disposeSocket(): void
    setEncoding(encoding: string): boolean
  }
  export interface ClientOptions {
    readonly host: string
    readonly port: number
    readonly nick: string
    readonly username: string
    readonly gecos: string
    readonly password?: string
    /** With a name: SASL PLAIN. An empty object: no SASL, whatever the password is. */
    readonly account: { readonly account?: string; readonly password?: string }
    readonly version: string
    readonly auto_reconnect: boolean
    readonly enable_chghost: boolean
    readonly sasl_disconnect_on_fail: boolean
    readonly ping_interval: number
    readonly ping_timeout: number
    readonly transport: new () => Carrier
  }
  export interface Network {
    /** What the server said of itself (ISUPPORT). */
    supports(name: string): unknown
    readonly cap: { isEnabled(name: string): boolean }
  }
  type Middleware = (command: string, message: Message, line: string, client: Client, next: () => void) => void
  export class Client extends EventEmitter {
    readonly network: Network
    connect(options: ClientOptions): void
    /** Writes a line as it is. */
    raw(line: string): void
    quit(reason: string): void
    caseLower(text: string): string
    use(register: (client: Client, raw: { use(middleware: Middleware): void }) => void): this
  }
}
