/**
 * Receipts that leave together: what a later one does not say must not be lost with an earlier one.
 * Pure: a batch as the writer of a link sees it, and what it lets out.
 * Found by reading: a receipt speaks of nothing beyond the number it answers, so the last is not always the widest.
 */
import { expect, it } from "vitest"
import { withoutOldReceipts } from "../../core/node/Writer.ts"

const stream = "a".repeat(32)
const receipt = (mark: number, also: ReadonlyArray<number> = []) => ({
  message: { kind: "Receipt" as const, stream, mark, also }
})

it("drops a receipt that the newest repeats, and keeps one that says more", () => {
  expect(withoutOldReceipts([receipt(1), receipt(2), receipt(3)])).toEqual([receipt(3)])
  expect(withoutOldReceipts([receipt(3), receipt(7), receipt(3)])).toEqual([receipt(7), receipt(3)])
  expect(withoutOldReceipts([receipt(2, [5]), receipt(3)])).toEqual([receipt(2, [5]), receipt(3)])
  expect(withoutOldReceipts([receipt(2, [5]), receipt(6)])).toEqual([receipt(6)])
})
