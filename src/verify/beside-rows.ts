import { isDeepStrictEqual } from 'node:util'
import { decodeRow, makeFolding, type RefKeys, type StoredRow, shardOf, type ViewShape } from '../project/index.ts'
import { lastOf } from './last-of.ts'

type WithState = Pick<StoredRow, 'tenant' | 'position' | 'doc' | 'state'>

/** The keys that a row refers to. `undefined`: it is none of this definition, or there are no refs. */
export function makeKeysOf(shape: ViewShape): (row: WithState) => RefKeys | undefined {
  const refKeys = makeFolding(shape).stages?.refKeys
  return ({ tenant, position, doc, state = doc }) => {
    try {
      return refKeys?.(decodeRow(state), () => lastOf(tenant, position))
    } catch {
      // It is no state of this definition: that the row itself differs says so.
      return undefined
    }
  }
}

/**
 * Adds to what differs of a stored row what stands beside it, and is wrong: `refs.…`, by which it is found when a row changes
 * that it is made with, and `_shard`. Without them it would not be made anew, or in another shard.
 */
export function makeBesides(shape: ViewShape): (row: StoredRow) => StoredRow {
  const { projection } = shape
  if (Object.keys(projection.refs).length === 0) return row => row
  const keysOf = makeKeysOf(shape)

  return ({ refs, shard, ...row }) => {
    const keys = keysOf(row)
    const names = Object.keys(keys ?? {}).filter(name => !isDeepStrictEqual(refs?.[name], keys?.[name]))
    const besides = names.map(name => `refs.${name}`)
    if (shard !== undefined && shard !== shardOf(row, projection.shards)) besides.push('_shard')
    return besides.length === 0 ? row : { ...row, differing: [...row.differing, ...besides] }
  }
}
