/**
 * Puts something of ours on every channel provider, whenever it appears, and takes it off again.
 * It never puts the same thing on one provider twice, and leaves nothing behind when its scope ends.
 * The host tells nobody that a provider came: so it is looked at each plugin that comes or goes, and slowly besides; a
 * provider that was registered anew is another object, and one that has emptied its lists has lost what we put there.
 */
import { Effect, type Scope } from "effect"
import { ask, type Host, type Provider, providers } from "./Host.ts"

/** What was put on one provider. */
export interface Graft {
  /** Whether it is still there. */
  readonly isInPlace: () => boolean
  readonly remove: () => void
}

export interface Settings {
  readonly host: Host
  /** Puts it on. What it throws counts as not put on; the next look tries again. */
  readonly graft: (provider: Provider) => Graft
  /** How often it is looked without an event. Default 15 seconds. */
  readonly lookEveryMs?: number
}

const lookEveryDefaultMs = 15_000
const signals = ["plugin:activated", "plugin:deactivated"]

interface Held {
  readonly provider: Provider
  readonly graft: Graft
}

/** One look: what is gone or replaced is taken off, what is new or lost is put on. */
const look = ({ graft, host }: Settings, held: Map<string, Held>): void => {
  // The host keeps providers by id; of two under one id, which no host has, the last counts.
  const present = new Map(providers(host).map((provider) => [provider.id, provider]))
  for (const [id, { graft: one, provider }] of [...held]) {
    if (present.get(id) === provider && ask(one.isInPlace) === true) continue
    ask(one.remove)
    held.delete(id)
  }
  for (const [id, provider] of present) {
    const made = held.has(id) ? undefined : ask(() => graft(provider))
    if (made !== undefined) held.set(id, { provider, graft: made })
  }
}

/** Keeps the graft on every provider for as long as the scope is open. Never fails; the first look is done on return. */
export const keep = (settings: Settings): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { host, lookEveryMs = lookEveryDefaultMs } = settings
    const held = new Map<string, Held>()
    let open = true
    const again = () => {
      // An event bus may go on to deliver what was under way when we left.
      if (open) look(settings, held)
    }
    const onSignal = () => {
      again()
    }
    const listen = Effect.sync(() => {
      for (const signal of signals) ask(() => host.events?.on?.(signal, onSignal))
      again()
    })
    const leave = Effect.sync(() => {
      open = false
      for (const signal of signals) ask(() => host.events?.off?.(signal, onSignal))
      for (const { graft } of held.values()) ask(graft.remove)
      held.clear()
    })
    yield* Effect.acquireRelease(listen, () => leave)
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(lookEveryMs), Effect.sync(again))))
  })
