import { type RowKey, shardOf } from '../project/index.ts'
import type { Scale } from './scale.ts'

/**
 * Keys are divided into so many buckets, by the hash that divides them into shards. More would leave fewer rows to be looked
 * at one by one where a bucket differs, and each costs about a kilobyte while a snapshot is read.
 */
export const bucketCount = 4096

export const allBuckets: readonly number[] = Array.from({ length: bucketCount }, (_, bucket) => bucket)

export const bucketOf = (row: RowKey): number => shardOf(row, bucketCount)

/**
 * What is held of some buckets at a time. Where that becomes too much, the last of them leave, with all that is held of them:
 * to be taken up again by another pass.
 */
export interface Pass {
  /** Those that have not left, in their order. They may leave while this is iterated over. */
  readonly buckets: Iterable<number>
  holds(bucket: number): boolean
  /** More is held of a bucket, or less. `false`: it has left. */
  weigh(bucket: number, bytes: number): boolean
  /** Calls `forget` with each bucket that leaves. */
  onLeave(forget: (bucket: number) => void): void
  /** Nothing is held any more. Answers how many buckets had not left. */
  end(): number
}

export function makePass(buckets: readonly number[], scale: Scale): Pass {
  const left = [...buckets]
  const weights = new Map(left.map(bucket => [bucket, 0]))
  const forgets: ((bucket: number) => void)[] = []

  function leave(): void {
    const bucket = left.pop() as number
    scale.add(-(weights.get(bucket) as number))
    weights.delete(bucket)
    for (const forget of forgets) forget(bucket)
  }

  return {
    buckets: left,
    holds: bucket => weights.has(bucket),
    weigh: (bucket, bytes) => {
      while (bytes > 0 && weights.has(bucket) && !scale.fits(bytes)) {
        if (left.length === 1) throw scale.tooLarge()
        leave()
      }
      const weight = weights.get(bucket)
      if (weight === undefined) return false
      weights.set(bucket, weight + bytes)
      scale.add(bytes)
      return true
    },
    onLeave: forget => {
      forgets.push(forget)
    },
    end: () => {
      const { length } = left
      while (left.length > 0) leave()
      return length
    },
  }
}

/**
 * Passes, one after the other, until each bucket was in one to its end. Nothing has to be known of how much there is: the first
 * begins with all buckets, and each of the others with some more than were left of the one before it.
 */
export function* passesOver(buckets: readonly number[], scale: Scale): Generator<Pass> {
  let most = buckets.length
  for (let next = 0; next < buckets.length; ) {
    const pass = makePass(buckets.slice(next, next + most), scale)
    yield pass
    const ended = pass.end()
    next += ended
    most = Math.ceil(ended * 1.25)
  }
}
