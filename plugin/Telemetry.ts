/**
 * What a node tells OpenTelemetry, where the environment names a collector: its logs, spans of what it does, and numbers.
 * It never tells what anybody said, and in spans and numbers not who: kinds, codes, counts and durations; nothing at all unasked.
 * The variables are OpenTelemetry's own (`OTEL_EXPORTER_OTLP_ENDPOINT` and its kin), so that every collector's page holds here.
 */
import { Cause, ConfigProvider, Effect, Layer, Metric, PubSub, type Scope } from "effect"
import { FetchHttpClient } from "effect/http"
import { Otlp, OtlpSerialization } from "effect/observability"
import type { Node } from "../core/index.ts"
import { version } from "./Version.ts"

const present = (env: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(Object.entries(env).filter((one): one is [string, string] => (one[1] ?? "") !== ""))

const variable = "OTEL_EXPORTER_OTLP_ENDPOINT"

/** Whether the environment names a collector. */
export const isWanted = (env: NodeJS.ProcessEnv): boolean => (env[variable] ?? "") !== ""

/** What OpenTelemetry says is so where its variables say nothing, and Effect's reader of them does not. */
const defaults = { OTEL_LOGS_EXPORTER: "otlp", OTEL_METRICS_EXPORTER: "otlp", OTEL_TRACES_EXPORTER: "otlp" }

const exporting = (env: NodeJS.ProcessEnv): Layer.Layer<never> =>
  Otlp.layerFromConfig({ resource: { serviceName: "wopr-p2p", serviceVersion: version() } }).pipe(
    Layer.provide(OtlpSerialization.layerJson),
    Layer.provide(FetchHttpClient.layer),
    Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env: { ...defaults, ...present(env) } }))),
    Layer.catchCause((cause) =>
      Layer.effectDiscard(Effect.logError(`nothing is told to OpenTelemetry: ${Cause.pretty(cause)}`))
    )
  ) as Layer.Layer<never>

/** The export that the environment asks for; nothing where it asks for none. Give it inside of the program's own logger. */
export const layer = (env: NodeJS.ProcessEnv): Layer.Layer<never> => (isWanted(env) ? exporting(env) : Layer.empty)

const counter = (name: string, description: string) => Metric.counter(name, { description, incremental: true })
const events = counter("wopr_p2p_events", "what the node told, by kind")
const decisions = counter("wopr_p2p_decisions", "what the gate decided, by what was asked and the code")
const gauges = {
  friends: Metric.gauge("wopr_p2p_friends", { description: "friends" }),
  connected: Metric.gauge("wopr_p2p_sessions", { description: "friends with an open session" }),
  waiting: Metric.gauge("wopr_p2p_waiting", { description: "messages of ours without an outcome" }),
  held: Metric.gauge("wopr_p2p_held", { description: "questions that wait for the owner" })
}
const lookMs = 10_000

const looking = (node: Node.Node) =>
  Effect.flatMap(node.describe, ({ friends, held, queue }) =>
    Effect.all(
      [
        Metric.update(gauges.friends, friends.length),
        Metric.update(gauges.connected, friends.filter(({ connected }) => connected).length),
        Metric.update(gauges.waiting, queue.length),
        Metric.update(gauges.held, held.length)
      ],
      { discard: true }
    )
  )

/** Counts what a node tells and decides, for the scope. */
export const count = (node: Node.Node): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const [told, decided] = [yield* node.events, yield* node.decisions]
    const onEvent = Effect.flatMap(PubSub.take(told), ({ _tag }) =>
      Metric.update(Metric.withAttributes(events, { event: _tag }), 1)
    )
    const onDecision = Effect.flatMap(PubSub.take(decided), ({ asked, code }) =>
      Metric.update(Metric.withAttributes(decisions, { asked, verdict: code ?? "admitted" }), 1)
    )
    yield* Effect.forkScoped(Effect.forever(onEvent))
    yield* Effect.forkScoped(Effect.forever(onDecision))
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(looking(node), Effect.sleep(lookMs))))
  })

/** The node with a span for each command; of the command its kind alone, of the reply the code. */
export const traced = (node: Node.Node): Node.Node => ({
  ...node,
  command: (command, intent) =>
    node.command(command, intent).pipe(
      Effect.tap((reply) => Effect.annotateCurrentSpan("code", reply.ok ? "done" : reply.rejection.code)),
      Effect.withSpan("command", { attributes: { command: command._tag } })
    )
})
