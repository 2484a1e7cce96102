import { type AnyQuery, BifoldError, type Column, type ListRequest } from '../define/index.ts'
import {
  type ListedDoc,
  lowestOf,
  type Read,
  type RowKey,
  type Scalar,
  type Scan,
  shardOf,
  type View,
} from '../project/index.ts'
import { writeCursor } from './cursor.ts'
import type { GatheredGet } from './gather.ts'
import { problemOfText, scanOf } from './scan.ts'

/** As much of a view as the query side has: it can only be read. */
export type ReadableView = Pick<
  View,
  'projection' | 'generation' | 'shards' | 'checkpoints' | 'get' | 'list' | 'native'
>

/** A view, as queries use it. */
export interface Source {
  readonly view: ReadableView
  readonly columns: readonly Column[]
  /** `view.get`, gathered. */
  readonly get: GatheredGet
}

/** What a query read: documents as the text they are stored as, or what a native query made. */
export type Found =
  | { readonly verb: 'get'; readonly doc: string | null }
  | { readonly verb: 'many'; readonly docs: readonly (string | null)[] }
  | { readonly verb: 'list'; readonly docs: readonly string[]; readonly next: string | null }
  | { readonly verb: 'native'; readonly value: unknown }

const maxManyKeys = 1000

/** What answers a query. */
export interface Reading {
  readonly read: () => Promise<Read<Found>>
  /** The shards that its rows are in; absent: any. */
  readonly shards?: readonly number[]
}

/**
 * Makes of a query and its checked input the reading that answers it. What is wrong with the request is thrown here, before
 * anything is waited for.
 * @throws `query/invalid-request` · `query/invalid-cursor` · `query/failed`
 */
export function readOf(query: AnyQuery, sources: readonly Source[], input: unknown, tenant: string): Reading {
  const { ask } = query
  const source = sources[0] as Source
  switch (ask.verb) {
    case 'get': {
      const keys = [
        {
          tenant,
          key: checkedKey(
            query,
            own(query, () => ask.key(input)),
          ),
        },
      ]
      const read = async (): Promise<Read<Found>> => {
        const { value, asOf } = await source.get(keys)
        return { value: { verb: 'get', doc: value[0] ?? null }, asOf }
      }
      return { read, shards: shardsOf(keys, source) }
    }
    case 'many': {
      const keys = own(query, () => ask.keys(input)).map(key => ({ tenant, key: checkedKey(query, key) }))
      if (keys.length > maxManyKeys)
        throw invalid(query, `it asks for ${keys.length} keys, and ${maxManyKeys} are the limit`)
      const read = async (): Promise<Read<Found>> => {
        const { value, asOf } = await source.get(keys)
        return { value: { verb: 'many', docs: value }, asOf }
      }
      // No key is in no shard: such an answer is as of the whole view.
      return keys.length === 0 ? { read } : { read, shards: shardsOf(keys, source) }
    }
    case 'list': {
      const request: ListRequest<Record<string, unknown>> = own(query, () => ask.request(input))
      const target = { query: query.name, projection: query.from, columns: source.columns }
      const scan = scanOf(target, tenant, request)
      const read = async (): Promise<Read<Found>> => {
        const { value, asOf } = await source.view.list(scan)
        return { value: listed(query.name, scan, value), asOf }
      }
      return { read }
    }
    case 'native':
      return { read: () => readNative(query, sources, tenant, client => ask.run(client, input)) }
  }
}

function shardsOf(keys: readonly RowKey[], { view }: Source): readonly number[] {
  return [...new Set(keys.map(key => shardOf(key, view.shards)))]
}

function listed(query: string, scan: Scan, found: readonly ListedDoc[]): Found {
  const rows = found.slice(0, scan.limit - 1)
  const last = found.length < scan.limit ? undefined : rows.at(-1)
  return {
    verb: 'list',
    docs: rows.map(({ doc }) => doc),
    next: last === undefined ? null : writeCursor(query, scan, { key: last.key, values: valuesOf(scan, last.doc) }),
  }
}

function valuesOf({ index }: Scan, doc: string): readonly Scalar[] {
  const row = JSON.parse(doc) as Readonly<Record<string, Scalar>>
  return index.map(column => row[column] as Scalar)
}

/** The other views' checkpoints are read first: what the snapshot holds of them is at least that. */
async function readNative(
  query: AnyQuery,
  [first, ...others]: readonly Source[],
  tenant: string,
  run: (client: unknown) => Promise<unknown>,
): Promise<Read<Found>> {
  const before = await Promise.all(others.map(async ({ view }) => lowestOf(await view.checkpoints())))
  try {
    const read = await first?.view.native?.run(tenant, run)
    if (read === undefined) throw invalid(query, 'its view has no native client')
    return { value: { verb: 'native', value: read.value }, asOf: lowestOf([read.asOf, ...before]) }
  } catch (cause) {
    throw failed(query, cause)
  }
}

/** Runs what the query's definition brought. */
function own<T>(query: AnyQuery, run: () => T): T {
  try {
    return run()
  } catch (cause) {
    throw failed(query, cause)
  }
}

function failed(query: AnyQuery, cause: unknown): BifoldError {
  return cause instanceof BifoldError ? cause : new BifoldError('query/failed', { query: query.name }, { cause })
}

function checkedKey(query: AnyQuery, key: unknown): string {
  if (typeof key !== 'string') throw invalid(query, 'the key of a row is text')
  const problem = problemOfText(key)
  if (problem !== undefined) throw invalid(query, `the key of a row will not do: ${problem}`)
  return key
}

function invalid(query: AnyQuery, problem: string): BifoldError {
  return new BifoldError('query/invalid-request', { query: query.name, problem })
}
