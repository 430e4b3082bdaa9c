/**
 * A model behind an HTTP API of the kind that OpenAI made common: `POST BASE/chat/completions`, answered as a stream.
 * The key must never be in a log, an error or an address; it leaves only in the header, and is not sent on to another host.
 * Many servers speak this: OpenAI, vLLM, llama.cpp, Ollama; so unknown fields are ignored, and tokens counted only if told.
 */
import { Effect, Layer, Redacted, Stream } from "effect"
import { Sse } from "effect/encoding"
import { Model, ModelError, type ModelShape, type Piece, type Request } from "../../ports/Model.ts"
import { type Answering, begin, type LimitName, next, requestBody } from "./Completion.ts"

export interface Options {
  /** Where the API lives, such as `https://api.example.com/v1`. Plain `http` only on this machine. */
  readonly baseUrl: string
  /** The model's name, as that server calls it. */
  readonly model: string
  readonly key?: Redacted.Redacted<string>
  /** How long the server may be silent, before and between pieces. 60 seconds. */
  readonly silenceLimitMs?: number
}

const silenceMs = 60_000
const eventCharactersMax = 4 * 1024 * 1024
const reasonCharactersMax = 300

const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/

/** Why these options cannot be used, or undefined. */
const objection = ({ baseUrl, model }: Options): string | undefined => {
  if (model.trim() === "") return "the model has no name"
  const url = URL.parse(baseUrl)
  if (url === null || !/^https?:$/.test(url.protocol)) return `"${baseUrl}" is not the address of an HTTP API`
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "")
    return "the address of the model's API must hold no user, query or fragment; a key goes into a file or the environment"
  if (url.protocol === "http:" && !loopback.test(url.hostname))
    return `plain http to ${url.hostname} would show the key and every word to the network; use https`
  return undefined
}

/** A model at `baseUrl`; options that cannot be used give one that refuses, and says why. Nothing is asked yet. */
export const layer = (options: Options): Layer.Layer<Model> => {
  const reason = objection(options)
  if (reason !== undefined) return Model.refuse(reason)
  const limit: Limit = { name: "max_tokens" }
  const shape: ModelShape = {
    status: { ready: true, name: options.model, reason: `${options.model} at ${new URL(options.baseUrl).host}` },
    complete: (request) => Stream.unwrap(answering(options, limit, request))
  }
  return Layer.succeed(Model, shape)
}

const failed = (code: ModelError["code"], message: string): ModelError => new ModelError({ code, message })

/** What a server or the network said, fit for one line of a screen, without the key. */
const shown = (text: string, { key }: Options): string => {
  const secret = key === undefined ? "" : Redacted.value(key)
  const hidden = secret === "" ? text : text.replaceAll(secret, "…")
  return Array.from(hidden.replace(/[\p{Cc}\p{Cf}\s]+/gu, " ").trim())
    .slice(0, reasonCharactersMax)
    .join("")
}

const causeOf = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause)
  const inner = cause.cause
  return inner instanceof Error && inner.message !== "" ? `${cause.message}: ${inner.message}` : cause.message
}

/** How this server wants the longest answer to be called: learnt from its first refusal, and used from then on. */
interface Limit {
  name: LimitName
}

/** Asks, and gives the stream of what is answered. The request is aborted when the scope closes. */
const answering = Effect.fnUntraced(function* (options: Options, limit: Limit, request: Request) {
  const limitMs = options.silenceLimitMs ?? silenceMs
  const late = () => failed("timed-out", `the model said nothing for ${limitMs} milliseconds`)
  const abort = yield* Effect.acquireRelease(
    Effect.sync(() => new AbortController()),
    (controller) => Effect.sync(() => controller.abort())
  )
  const broken = (cause: unknown) =>
    failed("unreachable", `the model is not reached: ${shown(causeOf(cause), options)}`)
  const ask = Effect.tryPromise({
    try: () => asked(options, limit.name, request, abort.signal),
    catch: broken
  }).pipe(Effect.timeoutOrElse({ duration: limitMs, orElse: () => Effect.fail(late()) }))
  let response = yield* ask
  if (response.status === 400 && limit.name === "max_tokens") {
    const said = yield* wordsOf(response)
    if (!said.includes("max_completion_tokens")) return yield* Effect.fail(refusal(400, said, options))
    limit.name = "max_completion_tokens"
    response = yield* ask
  }
  if (!response.ok) return yield* Effect.fail(refusal(response.status, yield* wordsOf(response), options))
  const { body } = response
  if (body === null) return yield* Effect.fail(failed("unreadable", "the model's answer is empty"))
  return Stream.fromReadableStream({ evaluate: () => body, onError: broken }).pipe(
    Stream.timeoutOrElse({ duration: limitMs, orElse: () => Stream.fail(late()) }),
    Stream.decodeText,
    Stream.pipeThroughChannel(Sse.decode({ maxEventSize: eventCharactersMax })),
    Stream.mapError((error) =>
      error instanceof ModelError ? error : failed("unreadable", "the answer is no event stream")
    ),
    Stream.map(({ data }): string | undefined => data),
    Stream.takeUntil((data) => data === "[DONE]"),
    Stream.concat(Stream.make(undefined)),
    Stream.mapAccumEffect(begin, pieces(options))
  )
})

const pieces =
  (options: Options) =>
  (
    before: Answering,
    data: string | undefined
  ): Effect.Effect<readonly [Answering, ReadonlyArray<Piece>], ModelError> => {
    const step = next(before, data)
    return "why" in step ? Effect.fail(failed(step.code, shown(step.why, options))) : Effect.succeed(step.taken)
  }

const asked = (
  { baseUrl, key, model }: Options,
  limit: LimitName,
  request: Request,
  signal: AbortSignal
): Promise<Response> =>
  fetch(`${baseUrl.replace(/\/+$/, "")}/chat/completions`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "text/event-stream",
      ...(key === undefined ? {} : { authorization: `Bearer ${Redacted.value(key)}` })
    },
    body: JSON.stringify(requestBody(model, limit, request)),
    // Another host has no business with the key.
    redirect: "error",
    signal
  })

/** What a server says instead of an answer; nothing if that takes too long. */
const wordsOf = (response: Response): Effect.Effect<string> =>
  Effect.promise(() => response.text().catch(() => "")).pipe(
    Effect.timeoutOrElse({ duration: 2_000, orElse: () => Effect.succeed("") })
  )

/** What an answer other than "here it is" means: busy servers may be asked again, others have refused. */
const refusal = (status: number, said: string, options: Options): ModelError =>
  failed(
    status === 429 || status >= 500 ? "unreachable" : "refused",
    `the model's server answered ${status}: ${shown(said, options)}`
  )
