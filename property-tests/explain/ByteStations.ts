/**
 * Bytes of a link, station by station: frames and what is in them, a record's header, envelopes, a message's JSON.
 * It never opens what is sealed: without a session's keys a record is a header, a length and a tag.
 * The verdict is that of the readers a node runs; where they only say `body-malformed`, the Schema's own words are added.
 */
import { Result, Schema } from "effect"
import { text as textOf } from "../../core/bytes/Bytes.ts"
import { Codec, Frame, Limits, Message, Rejection } from "../../core/index.ts"
import * as Preface from "../../core/session/Preface.ts"
import { concluded, type Explanation, no, open, refusedBy, type Station, shown, yes } from "./Explanation.ts"

const kindOnly = Schema.decodeUnknownResult(Schema.Struct({ kind: Schema.String }))

const inOneLine = (error: unknown): string => shown(String(error).replace(/\s+/g, " "), 160)

/** What a body breaks, at the first station that it does not pass. */
const messageFault = (place: string, body: Uint8Array): Station => {
  const json = textOf(body)
  if (json === undefined) return no(`${place}UTF-8`, "body-malformed", "the bytes are no UTF-8")
  const value: unknown = (() => {
    try {
      return JSON.parse(json)
    } catch {
      return undefined
    }
  })()
  if (value === undefined) return no(`${place}JSON`, "body-malformed", `no JSON: "${shown(json, 40)}"`)
  const named = kindOnly(value)
  if (Result.isFailure(named)) return no(`${place}kind`, "body-malformed", "no object with a kind")
  const { kind } = named.success
  const schema = Object.hasOwn(Message.kinds, kind) ? Message.kinds[kind as keyof typeof Message.kinds] : undefined
  if (schema === undefined) return no(`${place}kind`, "body-malformed", `a kind of ${kind.length} characters`)
  const decoded = Schema.decodeUnknownResult(schema as Schema.Codec<unknown>)(value)
  const why = Result.isFailure(decoded) ? inOneLine(decoded.failure) : "does not hold"
  return no(`${place}Schema of ${kind}`, "body-malformed", why)
}

const messageStations = (place: string, body: Uint8Array): ReadonlyArray<Station> => {
  const decoded = Codec.decode(body)
  if (Result.isFailure(decoded)) return [messageFault(place, body)]
  const message = decoded.success
  if (message.kind === "Ignored") return [yes(`${place}kind`, "unknown and without a number: ignored")]
  if (message.kind === "Unknown") {
    return [
      yes(`${place}kind`, `unknown: "${shown(message.name)}", number ${message.number}; answered unsupported-kind`)
    ]
  }
  const fields = Object.keys(message).filter((field) => field !== "kind")
  return [
    yes(`${place}UTF-8, JSON`, `${body.length} bytes`),
    yes(`${place}Schema`, `${message.kind} with ${fields.join(", ")}`)
  ]
}

/** Explains the body of one message. */
export const explainMessage = (body: Uint8Array): Explanation => concluded("message", messageStations("", body))

const signatureStation = (place: string, { body, signature }: Codec.Envelope): Station => {
  const decoded = Codec.decode(body)
  const wanted = Result.isSuccess(decoded) && Message.isSigned(decoded.success.kind)
  if (signature === undefined) {
    return wanted
      ? no(`${place}signature`, "signature-invalid", "this kind carries a signature of its own, and there is none")
      : yes(`${place}signature`, "none")
  }
  return open(`${place}signature`, "64 bytes; whether they hold takes the session's handshake hash")
}

/** Explains the plaintext of a record: its envelopes and the messages in them. */
export const explainEnvelopes = (bytes: Uint8Array): Explanation => {
  const unpacked = Codec.unpack(bytes)
  if (Result.isFailure(unpacked)) return concluded("envelopes", [refusedBy("lengths", unpacked.failure)])
  const stations = unpacked.success.flatMap((envelope, index) => {
    const place = `${index + 1}: `
    return [
      yes(`${place}length`, `${envelope.body.length} bytes of body`),
      ...messageStations(place, envelope.body),
      signatureStation(place, envelope)
    ]
  })
  return concluded("envelopes", [
    yes("lengths", `${unpacked.success.length} envelopes, nothing left over`),
    ...stations
  ])
}

const recordStations = (place: string, body: Uint8Array): ReadonlyArray<Station> => {
  const record = Frame.splitRecord(body)
  if (Result.isFailure(record)) return [refusedBy(`${place}header`, record.failure)]
  const { header, sealed } = record.success
  return [
    yes(`${place}header`, `epoch ${header.epoch}, counter ${header.counter}`),
    open(`${place}seal`, `${sealed.length - 16} bytes under a tag of 16: only the session's key opens them`)
  ]
}

/** Explains the body of a record frame. */
export const explainRecord = (body: Uint8Array): Explanation => concluded("record", recordStations("", body))

const prefaceStations = (place: string, body: Uint8Array): ReadonlyArray<Station> => {
  const offered = Preface.decode(body)
  if (Result.isFailure(offered)) return [no(`${place}preface`, "frame-malformed", "magic, count or length is wrong")]
  const version = Preface.highestCommon(Codec.versions, offered.success)
  const says = `offers ${offered.success.join(", ")}`
  return [
    version === undefined
      ? no(`${place}versions`, "no-common-version", `${says}; we speak ${Codec.versions.join(", ")}`)
      : yes(`${place}versions`, `${says}; ${version} is chosen`)
  ]
}

/** Message 1 is a bare ephemeral key; 2 and 3 carry at least a sealed static key and an empty sealed payload. */
const handshakeStation = (place: string, body: Uint8Array): Station => {
  const station = `${place}handshake`
  if (body.length < 32) return no(station, "handshake-failed", `${body.length} bytes are too short for any message`)
  const which = body.length === 32 ? "message 1: an ephemeral key" : body.length < 64 ? "message 1 with a payload" : ""
  const sealed = "message 2 or 3: keys and a sealed proof, which takes the handshake's keys"
  return which === "" ? open(station, sealed) : yes(station, which)
}

const rejectStation = (place: string, body: Uint8Array): Station => {
  const code = textOf(body) ?? ""
  return yes(`${place}reject`, Rejection.isCode(code) ? `the far end says ${code}` : `unknown code "${shown(code)}"`)
}

const inFrame = (place: string, { body, type }: Frame.Frame): ReadonlyArray<Station> => {
  switch (type) {
    case "preface":
      return prefaceStations(place, body)
    case "handshake":
      return [handshakeStation(place, body)]
    case "record":
      return recordStations(place, body)
    case "reject":
      return [rejectStation(place, body)]
  }
}

/** Explains bytes as they come from a link, from its first byte on. */
export const explainFrames = (bytes: Uint8Array): Explanation => {
  let reader = Frame.push(Frame.reader, bytes)
  const stations: Array<Station> = []
  for (let number = 1; ; number++) {
    const next = Frame.next(reader, Limits.frameBytesMax)
    if (next.rejection !== undefined)
      return concluded("frames", [...stations, refusedBy(`${number}: frame`, next.rejection)])
    if (next.frame === undefined) break
    reader = next.reader
    const place = `${number}: `
    const { body, type } = next.frame
    const long = body.length + 1 > Limits.openingFrameBytesMax ? ", too long for an opening" : ""
    stations.push(yes(`${place}length, type`, `${body.length} bytes of ${type}${long}`), ...inFrame(place, next.frame))
  }
  const explained = concluded("frames", stations)
  if (reader.waiting === 0 || explained.verdict === "refused") return explained
  const left = open("rest", `${reader.waiting} bytes are the beginning of a frame that is not complete`)
  return { ...explained, verdict: "incomplete", stations: [...stations, left] }
}

export type Form = "frames" | "record" | "envelopes" | "message"

/** What bytes look like; several forms fit some bytes, so an operator can say which is meant. */
export const formOf = (bytes: Uint8Array): Form => {
  if (bytes[0] === 0x7b) return "message"
  if (bytes.length > 5 && Result.isSuccess(Codec.unpack(bytes))) return "envelopes"
  const noFrame = bytes.length >= 28 && bytes[0] === 0 && bytes[1] === 0 && (bytes[4] === 0 || (bytes[4] ?? 0) > 4)
  return noFrame ? "record" : "frames"
}

/** Explains bytes in a form. */
export const explainBytes = (bytes: Uint8Array, form: Form = formOf(bytes)): Explanation =>
  form === "message"
    ? explainMessage(bytes)
    : form === "envelopes"
      ? explainEnvelopes(bytes)
      : form === "record"
        ? explainRecord(bytes)
        : explainFrames(bytes)
