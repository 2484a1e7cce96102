import type { Position } from '../define/index.ts'
import type { Runtime } from '../log/index.ts'
import { type KeyedRead, type Letter, lowestOf, type Read, type RowKey, rowId, shardOf } from '../project/index.ts'

/** Rows by key, gathered; `asOf` is the checkpoint of the lowest of their shards. */
export type GatheredGet = (keys: readonly RowKey[]) => Promise<GatheredRead>

export interface GatheredRead extends Read<readonly (string | null)[]> {
  /** The lowest event at which one of the keys is parked: its row lacks that one and all later ones. Absent: none is. */
  readonly parkedAt?: Position
}

export interface GatherOptions {
  readonly runtime: Runtime
  /** Statements that are under way at once. Default 2: one is answered while the other is on its way. */
  readonly maxInFlight?: number
  /** Keys of one statement. Default 100. A look-up of more keys goes alone. */
  readonly maxKeys?: number
}

/**
 * Makes one statement of the look-ups that come at the same time: those of one turn of the event loop, and those that
 * arrive while as many statements as may be are under way. A look-up is never split, so that its rows are of one
 * snapshot. How many wait is bounded by the caller.
 */
export function gather(get: (keys: readonly RowKey[]) => Promise<KeyedRead>, options: GatherOptions): GatheredGet {
  const { runtime, maxInFlight = 2, maxKeys = 100 } = options
  let waiting: LookUp[] = []
  let inFlight = 0
  let scheduled = false

  const flush = (): void => {
    scheduled = false
    let at = 0
    while (at < waiting.length && inFlight < maxInFlight) {
      const from = at
      let keys = (waiting[at++] as LookUp).keys.length
      for (let next = waiting[at]; next !== undefined && keys + next.keys.length <= maxKeys; next = waiting[++at]) {
        keys += next.keys.length
      }
      send(waiting.slice(from, at))
    }
    waiting = waiting.slice(at)
  }

  const send = (lookUps: readonly LookUp[]): void => {
    inFlight++
    void get(lookUps.length === 1 ? (lookUps[0] as LookUp).keys : lookUps.flatMap(({ keys }) => keys))
      .then(
        read => handOut(lookUps, read),
        (error: unknown) => {
          for (const { reject } of lookUps) reject(error)
        },
      )
      .finally(() => {
        inFlight--
        schedule()
      })
  }

  const schedule = (): void => {
    if (scheduled || waiting.length === 0) return
    scheduled = true
    void runtime.turn().then(flush)
  }

  return keys =>
    new Promise((resolve, reject) => {
      waiting.push({ keys, resolve, reject })
      schedule()
    })
}

interface LookUp {
  readonly keys: readonly RowKey[]
  readonly resolve: (read: GatheredRead) => void
  readonly reject: (error: unknown) => void
}

function handOut(lookUps: readonly LookUp[], { value, asOf, shards, parked }: KeyedRead): void {
  let at = 0
  for (const { keys, resolve } of lookUps) {
    const own = shards.length === 1 ? [asOf] : keys.map(key => shards[shardOf(key, shards.length)] ?? asOf)
    const parkedAt = parked === undefined ? undefined : lowestParked(keys, parked)
    resolve({
      value: value.slice(at, at + keys.length),
      asOf: own.length === 0 ? asOf : lowestOf(own),
      ...(parkedAt !== undefined && { parkedAt }),
    })
    at += keys.length
  }
}

function lowestParked(keys: readonly RowKey[], parked: readonly Letter[]): Position | undefined {
  const own = new Set(keys.map(rowId))
  const positions = parked.filter(letter => own.has(rowId(letter))).map(({ position }) => position)
  return positions.length === 0 ? undefined : Math.min(...positions)
}
