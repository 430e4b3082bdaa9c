/**
 * The table of routes on Effect's http-api and @effect/platform-node, and as OpenAPI: the one file that knows either.
 * It never decides who may come in (`Door.ts` has) and never writes an error's own words: they may hold what was sent.
 * Both libraries are unstable, so what the rest of the room sees of them is one function and one text.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import { NodeHttpServer } from "@effect/platform-node"
import { Cause, Effect, Layer, type Schema, type Scope } from "effect"
import { HttpMiddleware, HttpRouter, HttpServerError, HttpServerResponse } from "effect/http"
import {
  HttpApi,
  HttpApiBuilder,
  HttpApiEndpoint,
  HttpApiError,
  HttpApiGroup,
  HttpApiSchema,
  OpenApi
} from "effect/http-api"
import type { Answers } from "./Answers.ts"
import * as Bounds from "./Bounds.ts"
import * as Contract from "./Contract.ts"
import { type Fault, fault, table as faults, written } from "./Fault.ts"
import * as Routes from "./Routes.ts"

type Bytes = Extract<Routes.Route["answer"], { readonly kind: string }>
const isBytes = (answer: Routes.Route["answer"]): answer is Bytes => "kind" in answer

const statuses: ReadonlyArray<number> = Object.values(faults)
  .map(({ status }) => status)
  .filter((status, index, all) => all.indexOf(status as never) === index)
const refusals = statuses.map((status) => Contract.Fault.pipe(HttpApiSchema.status(status)))

const success = ({ answer }: Routes.Route): Schema.Top => {
  if (!isBytes(answer)) return answer as Schema.Top
  return HttpApiSchema.asText({ contentType: answer.type })(Contract.Text) as unknown as Schema.Top
}

/** A route as the library wants it. Its types are lost here: `Answers` has held each route to them. */
const endpointOf = ([name, route]: readonly [string, Routes.Route]) => {
  const params = Object.fromEntries(
    [...route.path.matchAll(/:([a-z]+)/g)].map((match) => [match[1]!, Contract.Text] as const)
  )
  const options = {
    ...(Object.keys(params).length === 0 ? {} : { params }),
    ...(route.query === undefined ? {} : { query: route.query }),
    ...(route.body === undefined ? {} : { payload: route.body }),
    success: success(route),
    error: refusals
  }
  return HttpApiEndpoint.make(route.method)(name, route.path, options as never).annotate(
    OpenApi.Description,
    route.says
  )
}

const rows = Object.entries(Routes.table) as ReadonlyArray<readonly [Routes.Name, Routes.Route]>

const apiOf = (routes: typeof rows) => {
  const endpoints = routes.map(endpointOf) as unknown as readonly [HttpApiEndpoint.Top]
  return HttpApi.make("panel")
    .add(HttpApiGroup.make("panel").add(...endpoints))
    .annotate(OpenApi.Title, "wopr-p2p panel")
}

/** The description of every route, with who may ask, as JSON. */
export const openapi = (version: string): string => {
  const spec = OpenApi.fromApi(apiOf(rows).annotate(OpenApi.Version, version)) as unknown as {
    readonly paths: Record<string, Record<string, Record<string, unknown>>>
    components: Record<string, unknown>
  }
  for (const [, route] of rows) {
    const operation = spec.paths[route.path.replace(/:([a-z]+)/g, "{$1}")]?.[route.method.toLowerCase()]
    if (operation !== undefined) operation["security"] = route.who === "segment" ? [] : [{ bearer: [] }]
  }
  spec.components = { ...spec.components, securitySchemes: { bearer: { type: "http", scheme: "bearer" } } }
  return JSON.stringify(spec)
}

const asResponse = (one: Fault) => {
  const { headers, json, status } = written(one)
  return HttpServerResponse.jsonUnsafe(json, { status, headers })
}

/** What a handler that broke means. What a Schema says of a value may quote it, so it is kept out of answer and log. */
const broken = (cause: Cause.Cause<unknown>) => {
  const failure = Cause.squash(cause)
  if (failure instanceof HttpApiError.HttpApiSchemaError && failure.kind !== "Body")
    return Effect.succeed(asResponse(fault("wrong-shape")))
  // Whoever hung up in the middle of its body.
  if (failure instanceof HttpServerError.HttpServerError) return Effect.succeed(asResponse(fault("malformed")))
  if (Cause.hasInterruptsOnly(cause)) return Effect.failCause(cause as Cause.Cause<never>)
  const name = failure instanceof Error ? failure.name : typeof failure
  return Effect.as(Effect.logError(`the panel could not answer: ${name}`), asResponse(fault("internal")))
}

type Answer = (given: Record<string, unknown>) => Effect.Effect<unknown, Fault>

/** Answers requests that the door has let in, for the scope. */
export const make = (
  answers: Answers
): Effect.Effect<(request: IncomingMessage, response: ServerResponse) => void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const answered = rows.filter(([name]) => name !== "events")
    const api = apiOf(answered)
    const group = HttpApiBuilder.group(api, "panel", (handlers) => {
      let all = handlers as unknown as { handle(name: string, answer: Answer): typeof all }
      for (const [name, route] of answered) {
        const answer = answers[name as keyof Answers] as unknown as Answer
        all = all.handle(name, ({ params = {}, payload, query = {} }) =>
          answer({ params, query, body: payload }).pipe(
            Effect.map((value) =>
              isBytes(route.answer) ? HttpServerResponse.text(String(value), { contentType: route.answer.type }) : value
            ),
            Effect.timeoutOrElse({ duration: Bounds.answerMs, orElse: () => Effect.fail(fault("too-slow")) }),
            Effect.catchTag("Fault", (one) => Effect.succeed(asResponse(one)))
          )
        )
      }
      return all as never
    })
    const routes = HttpApiBuilder.layer(api).pipe(
      Layer.provide(group as Layer.Layer<never>),
      Layer.provide(NodeHttpServer.layerHttpServices)
    )
    const app = yield* HttpRouter.toHttpEffect(routes as Layer.Layer<never, never, HttpRouter.HttpRouter>)
    const scope = yield* Effect.scope
    // A span would name the address, and with it a segment.
    return yield* NodeHttpServer.makeHandler(Effect.catchCause(app, broken), { scope }).pipe(
      Effect.provideService(HttpMiddleware.TracerDisabledWhen, () => true)
    )
  })
