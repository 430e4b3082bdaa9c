/**
 * Whether a node of one's own serves the panel, and on which port: read from the options, and done.
 * It never prints a link: whoever reads along at the terminal's log would have it; `wopr-p2p panel` asks for one.
 * Apart from `Run.ts` because it is all of the panel that a node without one has to know.
 */
import { Effect } from "effect"
import type { Node } from "../../core/index.ts"
import { version } from "../Version.ts"
import { portUsual } from "../web/Bounds.ts"
import * as Loading from "../web/Loading.ts"

/** The options as given. */
export interface Given {
  readonly panel?: boolean | undefined
  readonly "panel-port"?: string | undefined
}

/** The port on which the panel is served; absent: there is none. */
export interface Chosen {
  readonly panelPort?: number
}

/** What was chosen; a mistake names the option, the value and what is allowed. */
export const read = ({ panel, "panel-port": text }: Given): Chosen | { readonly mistake: string } => {
  if (text === undefined) return panel === true ? { panelPort: portUsual } : {}
  return /^\d{1,5}$/.test(text) && Number(text) <= 65_535
    ? { panelPort: Number(text) }
    : { mistake: `--panel-port "${text}": a number from 0 to 65535 is expected` }
}

/** The panel of a node, for the scope, where one was asked for. */
export const serve = Effect.fnUntraced(function* (
  { panelPort: port }: Chosen,
  dataFolder: string,
  node: Node.Node,
  channel: string | undefined
) {
  const Panel = port === undefined ? undefined : yield* Loading.load
  if (Panel === undefined || port === undefined) return undefined
  return yield* Panel.serve({ dataFolder, port, origins: [], version: version() }, node, channel)
})
