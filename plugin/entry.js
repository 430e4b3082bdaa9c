/**
 * The package's main module: the WOPR plugin, from dist where there is one, else from the sources.
 * It holds no logic, so that a git clone runs with no build step and an installed package runs what was built.
 */
import { load } from "./load.js"

const module = await load("index", import.meta.url)

export default module.default
