/**
 * Makes what is on the page like what was drawn anew, changing only what differs.
 * It never touches what a person has typed, chosen or opened: values, selections, scroll positions and focus stay.
 * Views are drawn whole at each change, because a view that is a function of the state cannot forget to update a part.
 */

const listened = ["onclick", "onsubmit", "oninput", "onchange", "onkeydown", "onscroll"]

/** @param {Node | null} node */
const keyOf = (node) => (node instanceof Element ? node.getAttribute("data-key") : null)

/** @param {Element} live @param {Element} wanted */
const patchAttributes = (live, wanted) => {
  // A select shows what is so, until somebody chooses otherwise; and again once what is so has changed.
  const chosen = wanted.getAttribute("data-chosen")
  if (live instanceof HTMLSelectElement && chosen !== null && chosen !== live.getAttribute("data-chosen"))
    live.value = chosen
  for (const { name } of [...live.attributes]) {
    if (!wanted.hasAttribute(name) && !(name === "open" && live instanceof HTMLDetailsElement))
      live.removeAttribute(name)
  }
  for (const { name, value } of wanted.attributes) {
    if (live.getAttribute(name) !== value && !(name === "value" && live.tagName === "INPUT"))
      live.setAttribute(name, value)
  }
  for (const name of listened) {
    const [was, is] = [Reflect.get(live, name), Reflect.get(wanted, name)]
    if (was !== is) Reflect.set(live, name, is ?? null)
  }
}

/** Whether a node on the page can become the wanted one. @param {Node} live @param {Node} wanted */
const isAlike = (live, wanted) =>
  live.nodeType === wanted.nodeType && live.nodeName === wanted.nodeName && keyOf(live) === keyOf(wanted)

/** @param {Element} live @param {Element} wanted */
const patchChildren = (live, wanted) => {
  const wishes = [...wanted.childNodes]
  const wishedKeys = new Set(wishes.map(keyOf))
  /** @type {Map<string, ChildNode>} */
  const keyed = new Map()
  for (const one of live.childNodes) {
    const key = keyOf(one)
    if (key !== null) keyed.set(key, one)
  }
  let cursor = live.firstChild
  for (const wish of wishes) {
    // What is not wanted any more goes first, so that what stays need not move and keeps its focus.
    while (cursor !== null && keyOf(cursor) !== null && !wishedKeys.has(keyOf(cursor))) {
      const gone = cursor
      cursor = cursor.nextSibling
      gone.remove()
    }
    const key = keyOf(wish)
    const match = key === null ? cursor : (keyed.get(key) ?? null)
    if (match === null || !isAlike(match, wish)) {
      live.insertBefore(wish, cursor)
      continue
    }
    if (match === cursor) cursor = cursor.nextSibling
    else live.insertBefore(match, cursor)
    patch(match, wish)
  }
  while (cursor !== null) {
    const gone = cursor
    cursor = cursor.nextSibling
    gone.remove()
  }
}

/** Makes a node like another one of the same kind. @param {Node} live @param {Node} wanted */
export const patch = (live, wanted) => {
  if (live instanceof Element && wanted instanceof Element) {
    patchAttributes(live, wanted)
    // What a person types is the text of a textarea; what was drawn is only what it began with.
    if (!(live instanceof HTMLTextAreaElement)) patchChildren(live, wanted)
  } else if (live.nodeValue !== wanted.nodeValue) live.nodeValue = wanted.nodeValue
}
