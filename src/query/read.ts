import { type AnyQuery, BifoldError, type Column, type ListRequest, type Position } from '../define/index.ts'
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
import { groupIndexes } from './rollup-groups.ts'
import { problemOfText, scanOf } from './scan.ts'

/** As much of a view as the query side has: it can only be read. */
export interface ReadableView
  extends Pick<View, 'projection' | 'generation' | 'shards' | 'checkpoints' | 'get' | 'list' | 'rollups' | 'native'> {
  /** Rollups that are read from other generations of it, by their names. Absent: none is. */
  readonly sumsFrom?: ReadonlyMap<string, ReadableView>
}

/** A view, as queries use it. */
export interface Source {
  readonly view: ReadableView
  readonly columns: readonly Column[]
  /** `view.get`, gathered. */
  readonly get: GatheredGet
  /** Its rollups by their names: the groups are then the rows. */
  readonly rollups?: ReadonlyMap<string, Source>
}

/** What a query read: documents as the text they are stored as, or what a native query made. */
export type Found =
  | { readonly verb: 'get'; readonly doc: string | null }
  | { readonly verb: 'many'; readonly docs: readonly (string | null)[] }
  | { readonly verb: 'list'; readonly docs: readonly string[]; readonly next: string | null }
  | { readonly verb: 'native'; readonly value: unknown }

const maxManyKeys = 1000

export interface FoundRead extends Read<Found> {
  /** The lowest event at which a row that was asked for by key stands still. Absent: none does. */
  readonly parkedAt?: Position
}

/** What answers a query. */
export interface Reading {
  readonly read: () => Promise<FoundRead>
  /** Does it read rows by their keys? Then it can be told that one of them stands still. */
  readonly isKeyed?: boolean
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
  if (query.rollup !== undefined) return { read: readGroups(query, query.rollup, source, input, tenant).read }
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
      const read = async (): Promise<FoundRead> => {
        const { value, ...rest } = await source.get(keys)
        return { value: { verb: 'get', doc: value[0] ?? null }, ...rest }
      }
      return { read, isKeyed: true, shards: shardsOf(keys, source) }
    }
    case 'many': {
      const keys = own(query, () => ask.keys(input)).map(key => ({ tenant, key: checkedKey(query, key) }))
      if (keys.length > maxManyKeys)
        throw invalid(query, `it asks for ${keys.length} keys, and ${maxManyKeys} are the limit`)
      const read = async (): Promise<FoundRead> => {
        const { value, ...rest } = await source.get(keys)
        return { value: { verb: 'many', docs: value }, ...rest }
      }
      // No key is in no shard: such an answer is as of the whole view.
      return keys.length === 0 ? { read } : { read, isKeyed: true, shards: shardsOf(keys, source) }
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

/** Every shard adds to every group: the reading is of all of them. */
function readGroups(
  { rollup: _, ...query }: AnyQuery,
  rollup: string,
  { rollups }: Source,
  input: unknown,
  tenant: string,
): Reading {
  const from = { ...query.from, indexes: groupIndexes }
  return readOf({ ...query, from }, [rollups?.get(rollup) as Source], input, tenant)
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
  sources: readonly Source[],
  tenant: string,
  run: (client: unknown) => Promise<unknown>,
): Promise<Read<Found>> {
  const [first, ...others] = sources
  const serving = new Map(sources.map(({ view }) => [view.projection, view.generation]))
  if (sources.some(({ view }) => view.native === undefined))
    throw invalid(query, 'not all of its views can be asked by the client of their store')
  const before = await Promise.all(others.map(async ({ view }) => lowestOf(await view.checkpoints())))
  try {
    const read = await first?.view.native?.run(tenant, serving, run)
    if (read === undefined) throw invalid(query, 'it names no view')
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
