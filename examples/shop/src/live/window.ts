/** Measured milliseconds, as the page shows them; `null` while there is none. */
export interface Spread {
  readonly samples: number
  readonly p50: number | null
  readonly p95: number | null
}

/** The measurements of the last `windowMs`, and of those at most the newest `maxSamples`. */
export interface Window {
  add(value: number): void
  spread(): Spread
}

export function slidingWindow(
  elapsed: () => number,
  { windowMs, maxSamples }: { readonly windowMs: number; readonly maxSamples: number },
): Window {
  const values = new Float64Array(maxSamples)
  const times = new Float64Array(maxSamples).fill(Number.NEGATIVE_INFINITY)
  let next = 0
  return {
    add(value) {
      values[next] = value
      times[next] = elapsed()
      next = (next + 1) % maxSamples
    },
    spread() {
      const since = elapsed() - windowMs
      return spreadOf(values.filter((_, i) => (times[i] ?? Number.NEGATIVE_INFINITY) >= since))
    },
  }
}

/** Nearest-rank percentiles: each is a value that was measured. */
export function spreadOf(values: Float64Array): Spread {
  const sorted = values.toSorted()
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null
  return { samples: sorted.length, p50: at(0.5), p95: at(0.95) }
}
