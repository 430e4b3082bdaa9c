/**
 * Builds the agent's image on an image that the owner names, such as `node:24-slim`, for those who would rather have that.
 * It never runs a step with a network; the engine itself may fetch the named image, because the owner named it.
 * Where no registry can be reached it fails, and says that the image can be made of this machine's own files instead.
 */

import { Readable } from "node:stream"
import { buffer } from "node:stream/consumers"
import type Docker from "dockerode"
import { Effect } from "effect"
import { pack } from "tar-stream"
import * as Agent from "./Agent.ts"
import { connect, defaultSocketPath, faultOf, refusedBy } from "./Engine.ts"
import { ImageError } from "./Image.ts"

/** What an image reference may look like: nothing that could be taken for another line of a Dockerfile. */
const reference = /^[A-Za-z0-9][A-Za-z0-9._/:@-]{0,254}$/

const contextOf = (base: string): Promise<Buffer> => {
  const tar = pack()
  const common = { mtime: new Date(0), uid: 0, gid: 0, mode: 0o644 }
  for (const { path, text } of Agent.files()) tar.entry({ ...common, name: path.slice(1) }, text)
  tar.entry({ ...common, name: "Dockerfile" }, Agent.dockerfile(base))
  tar.finalize()
  return buffer(tar)
}

const built = async (docker: Docker, base: string): Promise<string> => {
  await docker.ping()
  const { tag } = Agent.recipe({})
  const named = `${tag}-built`
  const progress = await docker.buildImage(Readable.from([await contextOf(base)]), { t: named, networkmode: "none" })
  await new Promise<void>((resolve, reject) => {
    // The engine's answer is a stream of JSON lines, in which a failure is one more line.
    docker.modem.followProgress(progress, (failure, lines: ReadonlyArray<{ readonly error?: string }> = []) => {
      const error = lines.find((line) => line.error !== undefined)?.error
      if (failure) reject(failure)
      else if (error !== undefined) reject(new Error(error))
      else resolve()
    })
  })
  return (await docker.getImage(named).inspect()).Id
}

/** The id of the agent's image, built on `base`. Fails with the engine's reason, and what to do without a registry. */
export const build = (base: string, socketPath = defaultSocketPath): Effect.Effect<string, ImageError> => {
  if (!reference.test(base))
    return Effect.fail(new ImageError({ code: "no-image", message: `"${base}" is no name of an image` }))
  return Effect.flatMap(connect(socketPath), (docker) =>
    Effect.tryPromise({
      try: () => built(docker, base),
      catch: (cause) => {
        const { code, message } = refusedBy(socketPath, "no-image")(faultOf(cause))
        const instead = "without --from the image is made of this machine's own files, and no registry is needed"
        return new ImageError({
          code,
          message: code === "no-engine" ? message : `cannot build on ${base}: ${message}; ${instead}`
        })
      }
    })
  )
}
