/**
 * What the doctor looks at: a data folder, the machine around it, and the node that runs there, if one does.
 * It never holds a key.
 * Everything comes in here, so that a check is a function and a test can put any machine before it.
 */
import type { Describe } from "../../core/index.ts"
import type * as NodeFile from "../control/NodeFile.ts"
import type * as ModelSettings from "../ModelSettings.ts"

export interface Examined {
  readonly dataFolder: string
  readonly env: NodeJS.ProcessEnv
  readonly nowMs: number
  /** Nothing is asked of the network. */
  readonly offline: boolean
  /** What the node was last started as. */
  readonly node: NodeFile.NodeFile | undefined
  readonly model: ModelSettings.ModelSettings
  /** The process that holds the folder. */
  readonly holder: { readonly pid: number; readonly host: string } | undefined
  /** What the running node says of itself; a sentence if one runs and does not answer. */
  readonly running: Describe.Description | string | undefined
}
