import { BifoldError } from '../define/index.ts'
import type { Runtime } from '../log/index.ts'
import { type ShardRef, shardId } from './leases.ts'
import type { TurnPart } from './turns.ts'

/** Finds out when this process had no turn for longer than its leases last, and whose fold that was. */
export interface BlockWatch {
  /** A part of a shard's projection has just had the process for itself, for so long. */
  ran(shard: ShardRef, tookMs: number, part: TurnPart): void
  /** The next look is due after so long, or before, as was expected already: what hurries it does not excuse it. */
  expect(delayMs: number): void
  /** Looks, just before the leases are renewed. */
  look(): Blocked | undefined
  /** What was asked for at the last look has come to be: the leases are renewed. */
  renewed(): void
}

export interface Blocked {
  readonly warning: BifoldError<'project/lease-lost'>
  /** The shard whose fold it was. Absent: nothing that is known of, so that the process may have been stopped. */
  readonly by?: string
}

export function watchBlocks(runtime: Pick<Runtime, 'elapsed'>, leaseMs: number): BlockWatch {
  let longest: { readonly shard: ShardRef; readonly tookMs: number; readonly part: TurnPart } | undefined
  let dueAt = Number.POSITIVE_INFINITY
  let lookedAt = 0
  let renewedAt = Number.POSITIVE_INFINITY
  return {
    ran: (shard, tookMs, part) => {
      if (tookMs > (longest?.tookMs ?? 0)) longest = { shard, tookMs, part }
    },
    expect: delayMs => {
      dueAt = Math.min(dueAt, runtime.elapsed() + delayMs)
    },
    look: () => {
      lookedAt = runtime.elapsed()
      const found = longest
      longest = undefined
      // A store that does not answer keeps leases from being renewed too: then this look is not late.
      const lateMs = lookedAt - dueAt
      dueAt = Number.POSITIVE_INFINITY
      // A fold that blocks while the store is asked makes no look late, since none is due.
      const isBlocked = lateMs >= leaseMs / 2 || (found?.tookMs ?? 0) > leaseMs
      if (lookedAt - renewedAt <= leaseMs || !isBlocked) return undefined
      const by = found !== undefined && found.tookMs >= lateMs / 2 ? found : undefined
      const blockedMs = Math.round(by === undefined ? lateMs : by.tookMs)
      const warning = new BifoldError('project/lease-lost', {
        blockedMs,
        leaseMs,
        ...(by !== undefined && { projection: by.shard.projection, shard: by.shard.shard, part: by.part }),
      })
      return { warning, ...(by !== undefined && { by: shardId(by.shard) }) }
    },
    renewed: () => {
      renewedAt = lookedAt
    },
  }
}
