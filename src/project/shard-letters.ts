import type { Position } from '../define/index.ts'
import { type Aside, makeAside, type SetAside } from './aside.ts'
import type { Parking } from './dead-letters.ts'
import { Failed } from './describe-failure.ts'
import { type Drained, drainLetters } from './drain-letters.ts'
import type { JoinedRows } from './join.ts'
import { parkingOf } from './parking.ts'
import type { SessionContext } from './shard-session.ts'

/** The dead letters of a shard, as the session that holds it has them. Nobody else adds to them while its epoch holds. */
export interface ShardLetters {
  readonly aside: Aside
  /**
   * What a batch has to write of what it set aside; `undefined` where that is nothing.
   * @throws `Failed` where it is to be folded again first
   */
  park(setAside: SetAside | undefined): Parking | undefined
  /** In how many milliseconds to look what is asked for; `undefined` where no key is parked. */
  dueInMs(): number | undefined
  /** What is asked for is looked at another time. */
  putOff(): void
  /** Carries out what is asked for: hands each part to `write`, which commits it. */
  carryOut(write: (drained: Drained) => Promise<void>): Promise<void>
}

/** Requests that are carried out before the next page is folded. */
const maxRequests = 100

/** Reads what is known of the shard's dead letters, once it is held. */
export async function openShardLetters(context: SessionContext, join?: JoinedRows): Promise<ShardLetters> {
  const { projection, view, shard, limits, runtime, progress, log } = context
  const aside = makeAside(projection, await view.letters.held(shard))
  let lookedAt = Number.NEGATIVE_INFINITY
  /** Where a batch is written in parts, keys may fail in several of them at one event: that is one attempt. */
  const tried = new Set<Position>()
  const count = (): void => {
    progress.parkedKeys = aside.parkedKeys()
  }
  count()

  return {
    aside,
    park: setAside => {
      const [failed] = (setAside?.failures ?? []).toSorted((a, b) => a.position - b.position)
      if (progress.failing.size === 0) tried.clear()
      let attempts = 0
      if (failed !== undefined) {
        attempts = (progress.failing.get(failed.position) ?? 0) + (tried.has(failed.position) ? 0 : 1)
        tried.add(failed.position)
        progress.failing.set(failed.position, attempts)
        if (attempts < limits.foldAttempts) throw new Failed(failed)
      }
      count()
      return parkingOf(setAside, { attempts, now: runtime.now(), maxEvents: limits.maxParkedEvents })
    },
    dueInMs: () =>
      aside.parkedKeys() === 0 ? undefined : Math.max(0, lookedAt + limits.requestPollMs - runtime.elapsed()),
    putOff: () => {
      lookedAt = runtime.elapsed()
    },
    carryOut: async write => {
      lookedAt = runtime.elapsed()
      const requests = await view.letters.requests(shard, maxRequests)
      if (requests.length === 0) return
      const { folding, turns, cache, types } = context
      for (const request of requests) {
        for (;;) {
          const now = runtime.now()
          const { letters } = view
          const drained = await drainLetters(request, {
            ...{ projection, letters, log, types, now, folding, view, cache, turns },
            ...(join !== undefined && { join }),
          })
          await write(drained)
          if (drained.isFree) aside.free(request)
          count()
          if (drained.isDone) break
          await runtime.turn()
        }
      }
      // More may be asked for than was looked at.
      if (requests.length === maxRequests) lookedAt = Number.NEGATIVE_INFINITY
    },
  }
}
