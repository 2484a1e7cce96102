export interface BackoffLimits {
  /** The delay before the first retry. Default 100. */
  readonly minDelayMs: number
  /** The longest delay. Default 30000. */
  readonly maxDelayMs: number
}

export const defaultBackoff: BackoffLimits = { minDelayMs: 100, maxDelayMs: 30_000 }

/**
 * How long to wait after the `attempts`-th failure in a row: twice as long each time, and of that between a half and
 * all, by `chance` (0 up to 1), so that many that failed together do not come back together.
 */
export function backoffMs(attempts: number, chance: number, { minDelayMs, maxDelayMs }: BackoffLimits): number {
  const whole = Math.min(maxDelayMs, minDelayMs * 2 ** Math.min(attempts - 1, 30))
  return whole * (0.5 + chance / 2)
}
