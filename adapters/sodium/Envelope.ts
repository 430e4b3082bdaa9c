/// <reference path="./sodium-native.d.ts" />
/**
 * Bytes under a passphrase: one line of JSON that says how (it is authenticated too), then the sealed bytes.
 * It never spends more memory or time on a file than its bounds say, whatever the file asks for.
 * The derivation gives a check besides the key, so that a mistyped passphrase is told from a damaged file; it helps a
 * guesser no more than the seal's own tag does.
 */
import { Data, Effect, Redacted, Result, Schema } from "effect"
import sodium from "sodium-native"

/** Why an envelope was not made or opened. `code` is stable; `message` names the next step for a person. */
export class EnvelopeError extends Data.TaggedError("EnvelopeError")<{
  readonly code: "not-an-envelope" | "version-unknown" | "too-costly" | "no-memory" | "wrong-passphrase" | "damaged"
  readonly message: string
}> {}

/** What one guess at the passphrase costs: passes over memory, and how much of it. */
export interface Cost {
  readonly opsLimit: number
  readonly memBytes: number
}
/** libsodium's MODERATE: about a second and 256 MiB. */
const moderate: Cost = { opsLimit: 3, memBytes: 256 << 20 }
/** The most a file may ask for: libsodium's SENSITIVE memory, and a few passes over it. */
const costMax: Cost = { opsLimit: 8, memBytes: 1 << 30 }

const format = "wopr-p2p/envelope"
const headBytesMax = 1_024
const newline = 0x0a
const tagBytes = 16
const keyBytes = 32
const checkBytes = 16

const base64url = (length: number) =>
  Schema.String.check(Schema.isPattern(new RegExp(`^[A-Za-z0-9_-]{${Math.ceil((length * 4) / 3)}}$`)))
const Head = Schema.fromJsonString(
  Schema.Struct({
    format: Schema.Literal(format),
    version: Schema.Literal(1),
    kdf: Schema.Literal("argon2id13"),
    opsLimit: Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)),
    memBytes: Schema.Int.check(Schema.isGreaterThanOrEqualTo(8_192)),
    salt: base64url(16),
    cipher: Schema.Literal("xchacha20-poly1305"),
    nonce: base64url(24),
    check: base64url(checkBytes)
  })
)
type Head = typeof Head.Type
const AnyHead = Schema.fromJsonString(Schema.Struct({ format: Schema.Literal(format), version: Schema.Int }))

const spell = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url")
const read = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "base64url"))
const random = (length: number): Uint8Array => {
  const bytes = new Uint8Array(length)
  sodium.randombytes_buf(bytes)
  return bytes
}
const refuse = (code: EnvelopeError["code"], message: string) => Effect.fail(new EnvelopeError({ code, message }))

/** Key and check of a passphrase. Keyboards spell one letter in two ways; both are the same passphrase. */
const derive = (passphrase: Redacted.Redacted<string>, salt: Uint8Array, { memBytes, opsLimit }: Cost) =>
  Effect.tryPromise({
    try: async () => {
      const secret = new TextEncoder().encode(Redacted.value(passphrase).normalize("NFC"))
      const output = new Uint8Array(keyBytes + checkBytes)
      await sodium.crypto_pwhash_async(output, secret, salt, opsLimit, memBytes, sodium.crypto_pwhash_ALG_ARGON2ID13)
      sodium.sodium_memzero(secret)
      return { key: output.subarray(0, keyBytes), check: output.subarray(keyBytes) }
    },
    catch: () =>
      new EnvelopeError({
        code: "no-memory",
        message: `the passphrase needs ${Math.ceil(memBytes / 2 ** 20)} MiB of memory for a moment; free some and try again`
      })
  })

/** Seals bytes under a passphrase: a whole file. */
export const seal = Effect.fnUntraced(function* (
  passphrase: Redacted.Redacted<string>,
  plaintext: Uint8Array,
  cost: Cost = moderate
) {
  const [salt, nonce] = [random(16), random(24)]
  const { check, key } = yield* derive(passphrase, salt, cost)
  const head = JSON.stringify({
    format,
    version: 1,
    kdf: "argon2id13",
    ...cost,
    salt: spell(salt),
    cipher: "xchacha20-poly1305",
    nonce: spell(nonce),
    check: spell(check)
  } satisfies Head)
  const headBytes = new TextEncoder().encode(`${head}\n`)
  const file = new Uint8Array(headBytes.length + plaintext.length + tagBytes)
  file.set(headBytes)
  const sealed = file.subarray(headBytes.length)
  sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, plaintext, headBytes, null, nonce, key)
  sodium.sodium_memzero(key)
  return file
})

/** The first line with its end, or undefined where there is none within its bound. */
const headOf = (file: Uint8Array): Uint8Array | undefined => {
  const end = file.subarray(0, headBytesMax).indexOf(newline)
  return end < 0 ? undefined : file.subarray(0, end + 1)
}

const parse = (line: Uint8Array | undefined): Effect.Effect<Head, EnvelopeError> => {
  const text = new TextDecoder().decode(line ?? new Uint8Array(0))
  const head = Schema.decodeUnknownResult(Head)(text)
  if (Result.isSuccess(head)) return Effect.succeed(head.success)
  const any = Schema.decodeUnknownResult(AnyHead)(text)
  if (Result.isFailure(any)) return refuse("not-an-envelope", "this is no file that an export of this program made")
  return any.success.version === 1
    ? refuse("damaged", "the file's first line is damaged; export again, or take another copy")
    : refuse("version-unknown", `the file is of version ${any.success.version}; upgrade this program to read it`)
}

const inMiB = ({ memBytes, opsLimit }: Cost): string => `${Math.ceil(memBytes / 2 ** 20)} MiB, ${opsLimit} passes`

/** The bytes in an envelope. Nothing is derived for one that asks for more than an honest one needs. */
export const open = Effect.fnUntraced(function* (passphrase: Redacted.Redacted<string>, file: Uint8Array) {
  const line = headOf(file)
  const head = yield* parse(line)
  if (line === undefined) return yield* Effect.die("a head was parsed that is not there")
  if (head.memBytes > costMax.memBytes || head.opsLimit > costMax.opsLimit) {
    const message = `the file asks for ${inMiB(head)} to be opened, more than ${inMiB(costMax)}: no export asks for that`
    return yield* refuse("too-costly", message)
  }
  const { check, key } = yield* derive(passphrase, read(head.salt), head)
  if (!sodium.sodium_memcmp(check, read(head.check))) {
    return yield* refuse("wrong-passphrase", "the passphrase is not the one that the file was made with; try again")
  }
  const sealed = file.subarray(line.length)
  const plaintext = new Uint8Array(Math.max(0, sealed.length - tagBytes))
  const opened = Effect.try({
    try: () => {
      sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(plaintext, null, sealed, line, read(head.nonce), key)
      return plaintext
    },
    catch: () =>
      new EnvelopeError({
        code: "damaged",
        message: "the passphrase is right, but the file was changed or cut off; take another copy, or export again"
      })
  })
  return yield* Effect.ensuring(
    opened,
    Effect.sync(() => sodium.sodium_memzero(key))
  )
})
