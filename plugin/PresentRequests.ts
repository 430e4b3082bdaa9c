/**
 * Who wants to be friends, in words: requests, introductions, and what we have asked for.
 * It never says that somebody is who they claim to be; it says what is proven and whose word the rest is.
 * Apart from `Present` because that page is long enough.
 */
import type { Describe } from "../core/index.ts"
import * as PresentIntroductions from "./PresentIntroductions.ts"
import * as PresentTrust from "./PresentTrust.ts"
import { at, harmless } from "./Words.ts"

/** What says that it was them: the account that posted a line, or the key that was proven where nothing was posted. */
const byWhom = ({ author, channel, introducedBy }: Describe.RequestView): string =>
  channel.startsWith("topic") || introducedBy !== null
    ? `its key is proven, its name is its ${introducedBy === null ? "own" : "introducer's"} word`
    : `posted by ${author === null ? "unknown" : `@${harmless(author)}`}`

/** The answer to `/requests`, a line each: who asks, whom friends introduce, whom we asked. */
export const requestLines = (node: Describe.Description): ReadonlyArray<string> => {
  const open = node.requests.map(
    (request) =>
      `@${harmless(request.name)}#${request.identityKey.slice(0, 8)} asked in ${harmless(request.channel)}, ` +
      `${byWhom(request)}, ${PresentTrust.state(request)}: ${request.fingerprint.words}` +
      (request.note === null || request.note === "" ? "" : `; says: ${harmless(request.note)}`)
  )
  const asked = node.asked.map(({ channel, to }) => `you asked @${harmless(to)} in ${harmless(channel)}`)
  const wished = node.errands
    .filter(({ kind }) => kind === "connect")
    .map(
      ({ expiresAtMs, id, identityKey, name, reached }) =>
        `${id.slice(0, 8)}  you asked @${harmless(name ?? "")}#${identityKey.slice(0, 8)} to connect: no answer yet` +
        `${reached ? "" : "; it is asked again when it is reached"}, until ${at(expiresAtMs)}; ` +
        `/cancel ${id.slice(0, 8)} takes it back`
    )
  const all = [...open, ...PresentIntroductions.lines(node), ...asked, ...wished]
  return all.length === 0 ? ["no open requests"] : all
}
