/**
 * Outputs of topics as port calls: announced and withdrawn, looked through, members dialled, our profiles signed.
 * It never decides whom to dial; what it found and what is over comes back as an input.
 * An announcement is tried again until it is made or not wanted any more, whichever comes first.
 */
import { Effect } from "effect"
import * as Base64url from "../bytes/Base64url.ts"
import * as Profile from "../discovery/Profile.ts"
import * as Topic from "../discovery/Topic.ts"
import * as Keys from "../identity/Keys.ts"
import * as Limits from "../Limits.ts"
import * as Table from "../Table.ts"
import type { World } from "./Ingress.ts"
import type { Output } from "./Output.ts"

const bytesOf = (topic: string): Uint8Array => Base64url.decode(topic) ?? new Uint8Array(0)

const isWanted = (world: World, topic: string): boolean => Table.has(world.state().durable.topics, topic)

/** Announces us in a topic, again and again until it is done, or we have left. */
export const announce = (world: World, topic: string): Effect.Effect<void> =>
  Effect.suspend(() => (isWanted(world, topic) ? world.transport.announce(bytesOf(topic)) : Effect.void)).pipe(
    // We may have left while it was under way: the later word counts.
    Effect.andThen(Effect.suspend(() => (isWanted(world, topic) ? Effect.void : withdraw(world, topic)))),
    Effect.catch((error) =>
      Effect.logWarning("cannot announce a topic yet", error.message).pipe(
        Effect.andThen(Effect.sleep(Limits.retryPauseMs)),
        Effect.andThen(announce(world, topic))
      )
    )
  )

/** Takes our announcement in a topic back, unless we have joined again. */
export const withdraw = (world: World, topic: string): Effect.Effect<void> =>
  Effect.suspend(() => (isWanted(world, topic) ? Effect.void : world.transport.withdraw(bytesOf(topic))))

/** Asks who announces a topic. Nobody, where the network does not answer. */
export const lookUp = (world: World, topic: string): Effect.Effect<void> =>
  world.transport.lookup(bytesOf(topic)).pipe(
    Effect.catch(() => Effect.succeed<ReadonlyArray<Uint8Array>>([])),
    Effect.flatMap((keys) => world.offer({ _tag: "TopicFound", topic, keys: keys.map(Base64url.encode) }))
  )

/** Dials a member; the link, if one comes of it, appears like any. */
export const dial = (world: World, swarmKey: Keys.RemoteSwarmKey): Effect.Effect<void> =>
  world.transport.dial({ kind: "key", key: Keys.keyBytes(swarmKey) }).pipe(
    Effect.catch(() => Effect.void),
    Effect.andThen(world.offer({ _tag: "MemberDialed", swarmKey }))
  )

/** Signs a profile of ours, here where our secrets are. */
export const sign = (world: World, output: Extract<Output, { _tag: "SignProfile" }>): Effect.Effect<void> =>
  Effect.suspend(() => world.offer({ _tag: "ProfileSigned", profile: signed(world, output) }))

/** A profile of ours as the turn wanted it. */
export const signed = (
  { crypto, keys }: Pick<World, "crypto" | "keys">,
  { content, issuedMs, joined }: Omit<Extract<Output, { _tag: "SignProfile" }>, "_tag">
): Profile.Profile =>
  Profile.sign(crypto, keys, Topic.of(joined), {
    topic: joined.hash,
    identityKey: Base64url.encode(keys.identityKey) as Keys.RemoteIdentityKey,
    swarmKey: Base64url.encode(Keys.swarmKey(crypto, keys)) as Keys.RemoteSwarmKey,
    version: joined.version,
    issuedMs,
    expiresMs: issuedMs + Limits.profileAgeMs,
    content
  })
