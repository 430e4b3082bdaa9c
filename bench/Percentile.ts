/**
 * Percentiles over samples, the one bit of statistics that every row of the bench needs.
 * It never interpolates: what it gives was measured.
 * The nearest rank is used, so that two columns of one run are cut in the same way.
 */

/** The sample below which this part (0 to 1) of them lies; NaN for none. */
export const percentile = (samples: ReadonlyArray<number>, part: number): number =>
  [...samples].sort((a, b) => a - b)[Math.min(samples.length - 1, Math.floor(samples.length * part))] ?? Number.NaN
