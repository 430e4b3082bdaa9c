/**
 * Elements of the page, made by one function, and the text of peers inside of them.
 * It never makes markup out of text: children are nodes or text nodes, whatever they spell.
 * A peer's text is isolated in its direction and shows what would be invisible, because both can make one thing look like another.
 */
/** @import { Attributes, Child } from "./shapes.js" */

const drawings = "http://www.w3.org/2000/svg"

/** @param {Element} parent @param {Child} child */
const append = (parent, child) => {
  if (child === null || child === undefined || child === false) return
  if (Array.isArray(child)) for (const one of child) append(parent, one)
  else parent.append(child instanceof Node ? child : String(child))
}

/**
 * An element. Attributes that are functions are event properties (`onclick`), true is an empty attribute, and null, undefined
 * and false are none.
 * @param {string} tag @param {Attributes} attributes @param {ReadonlyArray<Child>} children @returns {HTMLElement}
 */
export const element = (tag, attributes, ...children) => {
  const drawn = tag === "svg" || tag === "path"
  const made = /** @type {HTMLElement} */ (
    drawn ? document.createElementNS(drawings, tag) : document.createElement(tag)
  )
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") Object.assign(made, { [name]: value })
    else if (value !== null && value !== undefined && value !== false)
      made.setAttribute(name, value === true ? "" : String(value))
  }
  append(made, children)
  return made
}

/** A text in which what is invisible or turns the direction is a visible sign; line breaks and tabs may stay. @param {string} text @param {boolean} breaks */
const visible = (text, breaks) =>
  Array.from(text, (character) => {
    if (breaks && (character === "\n" || character === "\t")) return character
    const hidden = /[\p{C}\p{Zl}\p{Zp}]/u.test(character) || /[\u200b-\u200f\u202a-\u202e\u2066-\u2069]/.test(character)
    return hidden ? "\ufffd" : character
  }).join("")

/** A peer's name, tag or other short words. @param {string} text */
export const peerWords = (text) => element("bdi", { class: "peer", dir: "auto" }, visible(text, false))

/** A peer's text over several lines. @param {string} text */
export const peerText = (text) => element("div", { class: "peer text", dir: "auto" }, visible(text, true))
