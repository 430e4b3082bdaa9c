/**
 * The page around the panel: takes the secret out of the address, loads the module that it opens, and mounts it.
 * It never stores the secret, and never shows anything but words of its own.
 * The secret stands after the `#`, which browsers send to nobody; it leaves the address at once, so no history keeps it.
 */

/** Says something where the panel would be. */
const say = (heading, text) => {
  const notice = document.createElement("div")
  notice.className = "notice"
  notice.setAttribute("role", "alert")
  const title = document.createElement("h1")
  title.textContent = heading
  const words = document.createElement("p")
  words.textContent = text
  notice.append(title, words)
  document.getElementById("panel").replaceChildren(notice)
}

const segment = location.hash.slice(1)
history.replaceState(null, "", location.pathname)

const again = "Run wopr-p2p panel in a terminal and open the link that it prints, or load the page of your host again."

/** Why a module did not load: an import does not tell, a second request does. */
const sayWhyNot = async (address) => {
  const { status } = await fetch(address)
  if (status === 503)
    return say("There is no panel in this build", "The commands of the terminal do all that it would.")
  return say(status === 404 ? "This link is used up" : "The panel did not load", again)
}

/** Opens the panel with a segment, which is good for one page. */
const open = async () => {
  if (!/^[A-Za-z0-9_-]{22}$/.test(segment)) return say("This page is locked", again)
  const address = `/m/${segment}/panel.js`
  const module = await import(address).catch(() => undefined)
  if (module === undefined) return sayWhyNot(address)
  document.getElementById("panel").replaceChildren(module.default({}))
}

open().catch(() => say("The node does not answer", "See that it runs, then get a new link: wopr-p2p panel."))

// A link that is opened in a page that is open already changes only what stands after the `#`.
addEventListener("hashchange", () => location.reload())
