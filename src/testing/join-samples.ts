import type { AnyProjection, RecordedEvent } from '../define/index.ts'
import { type Anchor, origin, systemRuntime } from '../log/index.ts'
import {
  compareText,
  type Dependent,
  type DependentsQuery,
  type Join,
  makeAside,
  makeFolding,
  makeJoin,
  makeRowCache,
  makeTurns,
  prepareBatch,
  type ReferredView,
  type RowKey,
  rowId,
  shardOf,
  viewShapeOf,
} from '../project/index.ts'

/** A row of the one who refers, as far as it is found by what it refers to. */
export interface ReferringRow extends RowKey {
  readonly refs?: Readonly<Record<string, string | null>>
}

/** The views to which `projection` refers, folded from the samples, with all that they ever were. */
export async function referredIn(
  projection: AnyProjection,
  events: readonly RecordedEvent[],
  through: Anchor,
): Promise<readonly ReferredView[]> {
  const names = new Map<AnyProjection, string[]>()
  for (const [name, { to }] of Object.entries(projection.refs)) names.set(to, [...(names.get(to) ?? []), name])
  return Promise.all(
    [...names].map(async ([to, refs]) => ({
      refs,
      types: Object.keys(to.on),
      view: await viewOf(to, events, through),
    })),
  )
}

async function viewOf(
  to: AnyProjection,
  events: readonly RecordedEvent[],
  through: Anchor,
): Promise<ReferredView['view']> {
  const turns = makeTurns({ runtime: systemRuntime, turnEvents: 500 })
  const cache = makeRowCache(2 ** 30)
  cache.clear(true)
  const batch = await prepareBatch({ events, through, atHead: true }, origin, {
    ...{ folding: makeFolding(viewShapeOf(to)), cache, aside: makeAside(to.name), turns },
    ...{ view: { load: async () => new Map(), keepsPast: true } },
  })
  const failure = batch.setAside?.failures[0] ?? batch.failure
  if (failure !== undefined) throw failure.error
  const docs = new Map(batch.upserts.map(row => [rowId(row), row.doc]))
  return {
    projection: to.name,
    asOf: async (keys, position) => {
      const found = new Map<string, string>()
      for (const id of keys.map(rowId)) {
        const change = batch.past.find(entry => entry.position > position && rowId(entry) === id)
        const doc = change === undefined ? docs.get(id) : change.doc
        if (doc != null) found.set(id, doc)
      }
      return found
    },
    changes: async ({ after, through: last }) => ({
      asOf: through,
      pastFrom: 0,
      changed: batch.past.filter(({ position }) => position > after && position <= last),
    }),
  }
}

/** How the rows of a shard are made with those of others. */
export function joinOf(
  projection: AnyProjection,
  shard: number,
  referred: readonly ReferredView[],
  rows: ReadonlyMap<string, ReferringRow>,
  events: readonly RecordedEvent[],
): Join | undefined {
  const refKeys = makeFolding(viewShapeOf(projection)).stages?.refKeys
  if (refKeys === undefined) return undefined
  const dependents = async ({ ref, keys, after, limit }: DependentsQuery): Promise<readonly Dependent[]> =>
    keys
      .flatMap((wanted, of) =>
        [...rows.values()]
          .filter(({ tenant, refs }) => tenant === wanted.tenant && refs?.[ref] === wanted.key)
          .filter(row => shardOf(row, projection.shards) === shard)
          .filter(({ key }) => of > 0 || after === undefined || compareText(key, after) > 0)
          .sort((a, b) => compareText(a.key, b.key))
          .map(({ tenant, key }) => ({ tenant, key, of })),
      )
      .slice(0, limit)
  const log = {
    read: async () => ({ events: [], through: origin, atHead: true }),
    readAt: async (positions: readonly number[]) => events.filter(({ position }) => positions.includes(position)),
  }
  const turns = makeTurns({ runtime: systemRuntime, turnEvents: 500 })
  return makeJoin({
    ...{ referred, refKeys, dependents, shard, log, turns, runtime: systemRuntime },
    limits: { maxChangedRefs: 1000, presentRows: 1000, refPollMs: 20 },
    onMoved: () => () => undefined,
  })
}
