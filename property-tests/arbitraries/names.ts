/**
 * Display names as people choose them, names that look like an attack and are none, and names that must be refused.
 * It never repairs a name; a drawn valid name is what PROTOCOL.md §3 allows, spelled as NFC.
 * The harmless ones that look hostile matter most: what reads text leniently must not change them.
 */
import { Result } from "effect"
import fc from "fast-check"
import { Name } from "../../core/index.ts"

/** Allowed by the rule, although they look like paths, links, entities, escapes, prototypes or lines. */
export const oddButValid: ReadonlyArray<string> = [
  "__proto__",
  "constructor",
  "../../etc/passwd",
  "x)(y",
  "a&amp;b",
  "&lt;script&gt;",
  "&vert;",
  "\\_x",
  "\\\\*",
  "<https://example.org/x>",
  "<mailto:a@example.org>",
  "[x](https://example.org)",
  "FRIEND_REQUEST",
  "to:bob",
  "sig:AAAA",
  "`code`",
  "**bold**",
  "na\u00efve\u2603",
  "\u03a9mega",
  "李小龙",
  "🦊",
  "x\u0331\u030d\u030e"
]

/** Why a name is refused, with names that are. */
export const refused: Readonly<Record<string, ReadonlyArray<string>>> = {
  empty: ["", "@"],
  "two signs": ["@@bob"],
  "white space": ["two words", " bob", "bob\n", "a\tb", "a\u00a0b", "a\u2003b", "a\u3000b", "a\u2028b", "a\u0085b"],
  bar: ["a|b", "|"],
  control: ["a\u0000b", "a\u001bb", "a\u007fb", "a\u009bb"],
  bidi: ["\u202ebob", "bob\u202c", "a\u2066b", "a\u2069b", "\u200ebob", "bob\u200f", "\u061cbob"],
  "zero width": ["a\u200bb", "a\u200cb", "a\u200db", "a\u2060b", "\ufeffbob", "a\u00adb", "a\u180eb", "x\ufe0f"],
  invisible: ["\u115f", "\u3164", "\uffa0", "\u2800", "\u034f", "a\u{e0041}b", "a\u{e0100}b", "\u{1d173}"],
  "private and unassigned": ["\ue000", "\u{10ffff}", "\uffff", "\u0378"],
  "lone surrogate": ["\ud800", "a\udfffb", "\udc00\ud800"],
  "combining stack": [`a${"\u030d".repeat(4)}`, `x${"\u0489".repeat(20)}`, "\u0301bob"],
  "not NFC": ["e\u0301", "\u212b", "\u1100\u1161", "\u2126"],
  "too long": ["a".repeat(65), "🦊".repeat(65), "a".repeat(100_000)]
}

const unit = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(..."abcXYZ019-_.~!?#$%&'()*+,/:;<=>[]\\^`{}@\"") },
  { weight: 2, arbitrary: fc.constantFrom(..."äßçñøłЖяΣσς漢字🦊한") },
  { weight: 1, arbitrary: fc.constantFrom("x\u0331", "&amp;", "&#124;", "\\_") },
  { weight: 1, arbitrary: fc.string({ unit: "grapheme", minLength: 1, maxLength: 1 }) }
)

/** A name that may be used. */
export const validName: fc.Arbitrary<string> = fc.oneof(
  { weight: 1, arbitrary: fc.constantFrom(...oddButValid) },
  {
    weight: 4,
    arbitrary: fc
      .array(unit, { minLength: 1, maxLength: 64 })
      .map((units) => Array.from(units.join("").normalize("NFC").replace(/^@+/, "")).slice(0, 64).join(""))
      .filter((name) => Result.isSuccess(Name.parse(name)))
  }
)

/** A name of letters, digits, `-`, `_` and `.` only: what chat software leaves alone. */
export const plainName = (charactersMax: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(..."abcdefgxyzABC0123456789-_."), minLength: 1, maxLength: charactersMax })
