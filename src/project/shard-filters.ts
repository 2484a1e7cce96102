import type { Position } from '../define/index.ts'
import type { ShardFilter } from '../log/index.ts'

/** What of a page is of use to the shards of a projection that this process carries on, where their keys are the streams. */
export interface ShardFilters {
  /** For a page that `shard` reads after `from`. */
  of(shard: number, from: Position): ShardFilter
}

interface FilterContext {
  readonly count: number
  /** The shards that are carried on here just now. */
  readonly carried: ReadonlySet<number>
  /** Positions for which one filter holds. */
  readonly stretch: number
}

/** Stretches of which it is known how they were read: shards are seldom further from each other. */
const keptStretches = 64

/**
 * Shards that come on together share pages, which have to begin and end alike: so a filter is decided once for a stretch of
 * the log, at whose end pages end, whoever reads them. The first stretch is read whole, since this process takes its shards
 * one after the other.
 */
export function makeShardFilters({ count, carried, stretch }: FilterContext): ShardFilters {
  const all = Array.from({ length: count }, (_, shard) => shard)
  const decided = new Map<number, readonly number[]>()

  const decide = (shard: number, from: Position): readonly number[] => {
    const number = Math.floor(from / stretch)
    const known = decided.get(number)
    if (known?.includes(shard)) return known
    const own = decided.size === 0 ? all : all.filter(one => carried.has(one))
    decided.delete(number)
    decided.set(number, own)
    for (const oldest of decided.keys()) {
      if (decided.size <= keptStretches) break
      decided.delete(oldest)
    }
    return own
  }

  return {
    of: (shard, from) => {
      const own = decide(shard, from)
      const upTo = (Math.floor(from / stretch) + 1) * stretch
      const isWhole = own.length === count || !own.includes(shard)
      return isWhole ? { count: 1, own: [0], upTo } : { count, own, upTo }
    },
  }
}
