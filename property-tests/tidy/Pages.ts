/**
 * What pages and other files say about the project itself: links, named tests, error codes, and nothing of a machine.
 * It never judges a sentence; it looks whether the thing that a sentence points at is there.
 * Whether a file exists is an argument, so that a rule can be tested without files.
 */
import { posix } from "node:path"
import { at, type Finding, type Source } from "./Source.ts"

/** Whether a path of the project, a file or a folder, exists. */
export type Exists = (path: string) => boolean

const isPage = ({ path }: Source): boolean => path.endsWith(".md")

/** The text with fenced code blanked out: what stands there is an example. */
const prose = (text: string): string => text.replace(/^```[\s\S]*?^```/gm, (block) => block.replace(/[^\n]/g, " "))

/** Relative links of pages that lead nowhere. */
export const links =
  (exists: Exists) =>
  (source: Source): ReadonlyArray<Finding> =>
    !isPage(source)
      ? []
      : [...prose(source.text).matchAll(/\]\(([^)\s]+)\)/g)].flatMap((match) => {
          const target = (match[1] ?? "").replace(/#.*$/, "")
          if (target === "" || /^[a-z]+:/i.test(target)) return []
          const path = posix.normalize(posix.join(posix.dirname(source.path), target)).replace(/\/$/, "")
          return exists(path) ? [] : [at(source, match.index, `the link to ${target} leads nowhere; mend it`)]
        })

/** Tests that SECURITY.md names and that do not exist. */
export const namedTests =
  (exists: Exists) =>
  (source: Source): ReadonlyArray<Finding> =>
    source.path !== "SECURITY.md"
      ? []
      : [...source.text.matchAll(/`([\w./{},-]+\.test\.ts)`/g)].flatMap((match) =>
          exists(`property-tests/${match[1]}`)
            ? []
            : [at(source, match.index, `${match[1]} does not exist; a promise without its test is no promise`)]
        )

/** What else stands in backquotes with a hyphen and is not an error code. */
const otherNames = /^(no-new-privileges|sodium-native|tar-stream|fast-check|kill -9|wopr-p2p|x-.*)$/

/** Error codes that the pages at the root mention and that no table of the project has. */
export const codes =
  (isKnown: (code: string) => boolean) =>
  (source: Source): ReadonlyArray<Finding> =>
    source.path !== "README.md" && source.path !== "SECURITY.md"
      ? []
      : [...source.text.matchAll(/`([a-z]+(?:-[a-z]+)+)`|\brefused, ([a-z]+(?:-[a-z]+)+)/g)].flatMap((match) => {
          const code = match[1] ?? match[2] ?? ""
          return isKnown(code) || otherNames.test(code)
            ? []
            : [at(source, match.index, `${code} is no code of core/Rejection.ts; correct the page or the table`)]
        })

const machine =
  /(?<![\w.$}~-])\/(?:home|Users|root|work|workspace|workspaces|builds)\/[\w.-]+|[A-Z]:\\Users\\|\bregistry\.(?:npmjs|yarnpkg)\b|^\s*registry\s*=|https?:\/\/[^"\s]+\.tgz/gim

/** Paths of somebody's machine, and hosts from which packages were fetched. */
export const machines = (source: Source): ReadonlyArray<Finding> =>
  [...source.text.matchAll(machine)].map((match) =>
    at(source, match.index, `"${match[0].trim()}" is true on one machine only; take it out`)
  )
