import type { Position } from '../define/index.ts'

/** How far something has come on, and how fast it does. */
export interface Rate {
  /** Up to where it has folded. */
  readonly position: Position
  /** How many positions of the log it passes a second. */
  readonly perSecond: number
}

/** How far something is; how fast it comes on is not known of what another process does that does not tell. */
export type Standing = Pick<Rate, 'position'> & Partial<Rate>

/** How far a generation is that catches up with the log. */
export interface Progress extends Rate {
  /** Of the log, 0 to 100. */
  readonly percent: number
  /** Until it has caught up, as fast as it went so far. Absent: not known yet. */
  readonly leftMs?: number
}

/**
 * The progress of a generation whose shards stand so; `undefined` where none is known to come on. It is as far as its lowest
 * shard, and done when its last one is. Where it is not known how fast one comes on, it is taken for as slow as the slowest.
 */
export function progressOf(shards: readonly Standing[], head: Position): Progress | undefined {
  const rates = shards.flatMap(({ perSecond }) => perSecond ?? [])
  if (rates.length === 0) return undefined
  const slowest = Math.min(...rates)
  const position = Math.min(...shards.map(shard => shard.position))
  const leftMs = Math.max(
    ...shards.map(shard => {
      const left = Math.max(0, head - shard.position)
      return left === 0 ? 0 : (left * 1000) / (shard.perSecond ?? slowest)
    }),
  )
  return {
    position,
    perSecond: slowest,
    percent: head === 0 ? 100 : Math.min(100, Math.floor((position * 1000) / head) / 10),
    ...(Number.isFinite(leftMs) && { leftMs: Math.round(leftMs) }),
  }
}
