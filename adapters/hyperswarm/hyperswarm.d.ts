/**
 * Types for hyperswarm 4.17 and hyperdht 6.34, which ship none: only what this folder and the bench use.
 * It must never describe a member that starts with an underscore: what is not public may change in a patch release.
 * Checked by hand against the sources, and by running: a wrong line here is a crash there, which no compiler sees.
 */
declare module "hyperdht" {
  import type { EventEmitter } from "node:events"
  import type { Duplex } from "node:stream"

  export interface KeyPair {
    readonly publicKey: Buffer
    readonly secretKey: Buffer
  }
  export interface Address {
    readonly host: string
    readonly port: number
  }
  /** A streamx duplex: close to Node's, but `read` drains message by message. */
  export interface NoiseSocket extends Duplex {
    readonly publicKey: Buffer
    readonly remotePublicKey: Buffer
    readonly handshakeHash: Buffer
    readonly isInitiator: boolean
    readonly destroying: boolean
    readonly rawBytesRead: number
    readonly rawBytesWritten: number
    /** The UDX stream beneath; null before it is open and after it has closed. */
    readonly rawStream: { readonly remoteHost: string; readonly remotePort: number } | null
    setKeepAlive(ms: number): void
    setTimeout(ms: number): void
    sendKeepAlive(): void
  }
  export interface Server extends EventEmitter {
    listen(keyPair?: KeyPair): Promise<unknown>
    refresh(): void
    close(): Promise<void>
  }
  export interface LookupReply {
    readonly peers: ReadonlyArray<{ readonly publicKey: Buffer; readonly relayAddresses: ReadonlyArray<Address> }>
  }
  export interface Query extends AsyncIterable<LookupReply> {
    finished(): Promise<void>
    destroy(): void
  }
  export interface DhtOptions {
    readonly bootstrap?: ReadonlyArray<Address>
    readonly host?: string
    readonly port?: number
    readonly anyPort?: boolean
    readonly ephemeral?: boolean
    readonly firewalled?: boolean
    readonly connectionKeepAlive?: number | false
  }
  export default class HyperDHT extends EventEmitter {
    constructor(options?: DhtOptions)
    static keyPair(seed?: Buffer): KeyPair
    static bootstrapper(port: number, host: string, options?: DhtOptions): HyperDHT
    readonly destroyed: boolean
    bind(): Promise<void>
    address(): { readonly host: string; readonly port: number } | null
    fullyBootstrapped(): Promise<void>
    ping(to: Address, options?: { readonly retry?: boolean }): Promise<unknown>
    lookup(topic: Buffer): Query
    connect(
      publicKey: Buffer,
      options?: {
        readonly keyPair?: KeyPair
        readonly relayAddresses?: ReadonlyArray<Address>
      }
    ): NoiseSocket
    destroy(options?: { readonly force?: boolean }): Promise<void>
  }
}
declare module "hyperdht/testnet.js" {
  import type HyperDHT from "hyperdht"
  import type { Address, DhtOptions } from "hyperdht"
  export interface Testnet {
    readonly bootstrap: ReadonlyArray<Address>
    createNode(options?: DhtOptions): HyperDHT
    destroy(): Promise<void>
  }
  export default function createTestnet(size?: number): Promise<Testnet>
}
declare module "hyperswarm" {
  import type { EventEmitter } from "node:events"
  import type HyperDHT from "hyperdht"
  import type { KeyPair, NoiseSocket, Server } from "hyperdht"

  export interface PeerInfo extends EventEmitter {
    readonly publicKey: Buffer
    readonly banned: boolean
    ban(banned: boolean): void
  }
  export interface DiscoverySession {
    flushed(): Promise<boolean>
    refresh(): Promise<boolean>
    destroy(): Promise<void>
  }
  export interface SwarmOptions {
    readonly dht: HyperDHT
    readonly keyPair?: KeyPair
    readonly firewall?: (remoteKey: Buffer, payload: unknown) => boolean
  }
  export default class Hyperswarm extends EventEmitter {
    constructor(options: SwarmOptions)
    readonly dht: HyperDHT
    readonly server: Server
    readonly keyPair: KeyPair
    on(event: "connection", listener: (socket: NoiseSocket, peer: PeerInfo) => void): this
    on(event: "ban", listener: (peer: PeerInfo, reason: Error) => void): this
    join(topic: Buffer, options?: { readonly server?: boolean; readonly client?: boolean }): DiscoverySession
    leave(topic: Buffer): Promise<void>
    flush(): Promise<boolean>
    listen(): Promise<unknown>
    destroy(options?: { readonly force?: boolean }): Promise<void>
  }
}
