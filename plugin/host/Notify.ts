/**
 * What the owner has to know while away from the prompt, in the channel that the configuration names for it.
 * It never writes into the channel where something happened, and never takes the end of a notification for the word no:
 * chat systems end one that another replaces, or that got too old, exactly as if somebody had pressed "deny".
 * So a button can accept a request, and leave it open; turning it down takes /deny.
 */
import { ask, type Host, type Provider, providers } from "../../adapters/wopr/Host.ts"
import type { Event, Input } from "../../core/index.ts"
import * as Present from "../Present.ts"

export interface Settings {
  readonly host: Host
  /** Provider → the owner's channel there. */
  readonly channels: Readonly<Record<string, string>>
  /** Carries out a command; gives what became of it in words. */
  readonly command: (command: Input.Command) => Promise<string>
  readonly nowMs: () => number
}

/** Notifications in a minute; what comes beyond is in the log and in /requests. */
export const perMinute = 10

type Request = Extract<Event.Event, { _tag: "RequestReceived" }>

/** Whether an event is worth a notification: somebody has to decide, or be warned. */
export const isLoud = (event: Event.Event): boolean =>
  event._tag === "RequestReceived" ||
  event._tag === "ConnectAsked" ||
  event._tag === "InjectHeld" ||
  (event._tag === "IntroductionReceived" && Present.isAsked(event)) ||
  Present.event(event).tone === "alarm"

/** An event in words of our own: a stranger's note stays in the request, it would speak with the bot's voice here. */
const ourWords = (event: Event.Event): string => Present.event(Present.noteless(event)).text

const quietly = (act: () => Promise<unknown> | undefined): void => {
  Promise.resolve(ask(act)).catch(() => {})
}

const askOwner = (
  provider: Provider,
  channel: string,
  request: Request,
  settings: Settings,
  isNewest: () => boolean
): void => {
  const { identityKey, name } = request
  const plain = Present.harmless(name)
  const tell = (text: string) => quietly(() => provider.send?.(channel, Present.harmless(text)))
  const onAccept = async () => {
    const became = await settings.command({ _tag: "Accept", name, keyPrefix: identityKey }).catch(() => "it failed")
    tell(`@${plain}: ${became}`)
  }
  const onDeny = async () => {
    // One that a newer one has replaced was answered by nobody, so nobody waits for a word.
    if (isNewest()) tell(`@${plain}'s request stays open; /deny @${plain} turns it down`)
  }
  quietly(() =>
    provider.sendNotification?.(
      channel,
      { type: "friend-request", from: plain, pubkey: identityKey },
      { onAccept, onDeny }
    )
  )
}

/** Tells the owner of loud events; the rest is ignored. */
export const make = (settings: Settings): ((event: Event.Event) => void) => {
  let [sinceMs, told] = [0, 0]
  let newest: Event.Event | undefined
  return (event) => {
    if (!isLoud(event)) return
    const nowMs = settings.nowMs()
    if (nowMs - sinceMs > 60_000) [sinceMs, told] = [nowMs, 0]
    told++
    if (told > perMinute) return
    if (event._tag === "RequestReceived") newest = event
    for (const provider of providers(settings.host)) {
      const channel = Object.hasOwn(settings.channels, provider.id) ? settings.channels[provider.id] : undefined
      if (channel === undefined) continue
      quietly(() => provider.send?.(channel, ourWords(event)))
      if (event._tag === "RequestReceived" && typeof provider.sendNotification === "function") {
        askOwner(provider, channel, event, settings, () => newest === event)
      }
    }
  }
}
