/**
 * Frames of every type and streams of them, with bytes that are no frame yet at the end.
 * It never draws a frame beyond the bound that the laws read with.
 * Bodies are mostly small and sometimes near the bound, because that is where a reader counts wrongly.
 */
import fc from "fast-check"
import { Frame } from "../../core/index.ts"

/** The bound under which drawn frames are read: small, so that frames at the bound are cheap. */
export const frameBytesMax = 300

export const frameTypes = Object.keys(Frame.types) as ReadonlyArray<Frame.FrameType>

export const frame: fc.Arbitrary<Frame.Frame> = fc.record({
  type: fc.constantFrom(...frameTypes),
  body: fc.oneof(
    { weight: 4, arbitrary: fc.uint8Array({ maxLength: 40 }) },
    { weight: 1, arbitrary: fc.uint8Array({ minLength: frameBytesMax - 3, maxLength: frameBytesMax - 1 }) }
  )
})

/** Whole frames, then the beginning of one more that never completes. */
export const frameStream: fc.Arbitrary<{
  readonly frames: ReadonlyArray<Frame.Frame>
  readonly trailing: Uint8Array
}> = fc.tuple(fc.array(frame, { maxLength: 12 }), frame, fc.nat(frameBytesMax)).map(([frames, last, length]) => {
  const bytes = Frame.encode(last)
  return { frames, trailing: bytes.slice(0, length % bytes.length) }
})
