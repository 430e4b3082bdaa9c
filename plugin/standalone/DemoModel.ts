/**
 * The model of the demo: a script that first asks for a command in the container, and then repeats what came of it.
 * No language model is behind it; everything between it and the friend is the real thing, bridge and tools included.
 * What the agent answers is thus what its shell printed inside the sandbox, which the demo compares with the engine's words.
 */
import { demoProgramText } from "../../adapters/docker/demo-program.sh.ts"
import type { Answer, Asked } from "../../adapters/openai/ScriptedServer.ts"

/** What it says first: that it wants to look around, with the shell. */
const look: Answer = {
  pieces: [
    {
      kind: "call",
      call: { id: "look-around", name: "shell", input: JSON.stringify({ command: demoProgramText }) }
    },
    { kind: "spent", tokens: 400 }
  ],
  end: "done"
}

/** The last thing that was said, if it is what came of a tool. */
const toolResult = ({ body }: Asked): string | undefined => {
  const { messages = [] } = body as {
    readonly messages?: ReadonlyArray<{ readonly role: string; readonly content: string }>
  }
  const last = messages.at(-1)
  return last?.role === "tool" ? last.content : undefined
}

/** The script. */
export const answer = (asked: Asked): Answer => {
  const result = toolResult(asked)
  if (result === undefined) return look
  return {
    pieces: [
      { kind: "text", text: result.split("\n")[0] ?? "" },
      { kind: "spent", tokens: 600 }
    ],
    end: "done"
  }
}
