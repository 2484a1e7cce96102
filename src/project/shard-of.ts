import { keyHash } from '../log/index.ts'
import type { RowKey } from './store.ts'

/** The shard, from 0, that a row of a view with so many shards belongs to: the hash of its key modulo their number, for ever. */
export function shardOf({ tenant, key }: RowKey, shards: number): number {
  return shards === 1 ? 0 : keyHash(tenant, key) % shards
}
