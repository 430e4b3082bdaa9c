/**
 * Words that say nothing, kept out of file names and exported names.
 * It never looks at prose or at names inside a function: there the reader has the context that a name alone lacks.
 * A name is looked at word by word, so `dataFolder` (a folder, whose kind is data) can be allowed where `data` is not.
 */
import { at, bound, child, type Finding, isShipped, list, nameOf, type Source, statements } from "./Source.ts"

const forbidden: ReadonlyArray<string> = [
  "util",
  "utils",
  "helper",
  "helpers",
  "manager",
  "handler",
  "data",
  "info",
  "token",
  "msg",
  "misc"
]

/** Terms of the project that contain a forbidden word and say something all the same. */
const terms: ReadonlyArray<string> = ["data folder", "invite token"]

/** The forbidden words in a name in camelCase, PascalCase, kebab-case or snake_case. */
export const wordsIn = (name: string): ReadonlyArray<string> => {
  const words = name
    .replace(/([a-z0-9])([A-Z])|([A-Z])(?=[A-Z][a-z])/g, "$1$3 $2")
    .split(/[^A-Za-z0-9]+/)
    .map((word) => word.toLowerCase())
  const rest = terms.reduce((text, term) => text.replace(term, ""), words.join(" "))
  return forbidden.filter((word) => rest.split(" ").includes(word))
}

const sentenceFor = (name: string, word: string): string => `"${word}" in ${name} says nothing; name what it is or does`

const exportedNames = (source: Source) =>
  statements(source).flatMap(({ declared, exported, whole }) => {
    if (!exported) return []
    const single = nameOf(child(declared, "id"))
    const many = list(declared, "declarations").flatMap((declarator) => bound(child(declarator, "id")))
    const renamed = list(whole, "specifiers").map((specifier) => nameOf(child(specifier, "exported")) ?? "")
    return [...(single === undefined ? [] : [single]), ...many, ...renamed].map((name) => ({ name, whole }))
  })

/** Empty words in the names of files and folders, and in exported names of shipped code. */
export const words = (source: Source): ReadonlyArray<Finding> => {
  const inPath = source.path
    .split("/")
    .flatMap((name) => wordsIn(name.replace(/\.[a-z]+$/, "")).map((word) => at(source, 0, sentenceFor(name, word))))
  if (!isShipped(source)) return source.tree === undefined ? [] : inPath
  const inNames = exportedNames(source).flatMap(({ name, whole }) =>
    wordsIn(name).map((word) => at(source, whole, sentenceFor(name, word)))
  )
  return [...inPath, ...inNames]
}
