import type { Column } from '../../define/index.ts'
import { origin } from '../../log/index.ts'
import {
  type Checkpoint,
  compareScalars,
  compareText,
  differingColumns,
  type ListedDoc,
  lowestOf,
  rowId,
  type Scalar,
  type Scan,
  type ShardCheckpoint,
  type StoredRow,
  sameColumns,
  type Upsert,
  type View,
  type ViewShape,
  type ViewStore,
} from '../../project/index.ts'

/** Keeps views in this process's memory: the readable specification of a `ViewStore`. They go when the process goes. */
export function memoryViewStore(): ViewStore {
  const generations: Generation[] = []
  const listeners = new Set<(projection: string) => void>()
  return {
    kind: 'memory',
    open: async shape => {
      const { name, version, shards } = shape.projection
      const own = generations.filter(({ view }) => view.projection === name)
      const known = own.find(
        candidate =>
          candidate.version === version &&
          candidate.view.shards === shards &&
          sameColumns(candidate.columns, shape.columns),
      )
      if (known !== undefined) return known.view
      const made = makeGeneration(shape, own.length + 1, () => {
        for (const listener of listeners) listener(name)
      })
      generations.push(made)
      return made.view
    },
    onMoved: listener => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close: async () => listeners.clear(),
  }
}

interface Generation {
  readonly version: number
  readonly columns: readonly Column[]
  readonly view: View
}

function makeGeneration({ projection, columns }: ViewShape, generation: number, moved: () => void): Generation {
  const { name, version, shards } = projection
  const checkpoints = new Map<number, Checkpoint>()
  const rows = new Map<string, Upsert>()
  const checkpointOf = (shard: number): Checkpoint => checkpoints.get(shard) ?? { ...origin, epoch: 0 }
  const all = (): readonly ShardCheckpoint[] =>
    Array.from({ length: shards }, (_, shard) => ({ shard, ...checkpointOf(shard) }))
  const view: View = {
    projection: name,
    generation,
    shards,
    claim: async shard => {
      const { epoch, ...anchor } = checkpointOf(shard)
      const claimed = { ...anchor, epoch: epoch + 1 }
      checkpoints.set(shard, claimed)
      return claimed
    },
    checkpoint: async shard => checkpointOf(shard),
    checkpoints: async () => all(),
    load: async keys => {
      const ids = keys.map(rowId)
      return new Map(ids.flatMap(id => (rows.has(id) ? [[id, (rows.get(id) as Upsert).doc]] : [])))
    },
    commit: async ({ shard, epoch, from, to, upserts, deletes }) => {
      const at = checkpointOf(shard)
      const holds = at.epoch === epoch && at.position === from.position && at.fingerprint === from.fingerprint
      if (!holds) return 'fenced'
      checkpoints.set(shard, { epoch, position: to.position, fingerprint: to.fingerprint })
      for (const row of deletes) rows.delete(rowId(row))
      for (const row of upserts) rows.set(rowId(row), row)
      moved()
      return 'committed'
    },
    get: async keys => ({
      value: keys.map(key => rows.get(rowId(key))?.doc ?? null),
      asOf: lowestOf(all()),
      shards: all().map(({ position, fingerprint }) => ({ position, fingerprint })),
    }),
    list: async scan => ({ asOf: lowestOf(all()), value: scanned([...rows.values()], columns, scan) }),
    snapshot: read => read({ checkpoints: all(), pages: pagesOf([...rows.values()], columns) }),
  }
  return { version, columns, view }
}

const pageRows = 1000

async function* pagesOf(rows: readonly Upsert[], columns: readonly Column[]): AsyncGenerator<readonly StoredRow[]> {
  const sorted = rows.toSorted((a, b) => compareText(a.tenant, b.tenant) || compareText(a.key, b.key))
  for (let at = 0; at < sorted.length; at += pageRows) {
    yield sorted.slice(at, at + pageRows).map(({ tenant, key, position, row, doc }) => ({
      tenant,
      key,
      position,
      doc,
      differing: differingColumns(columns, row, doc),
    }))
  }
}

/** What a scan means: the rows of the tenant that lie in its bounds, in the order of the index and then of their keys. */
function scanned(rows: readonly Upsert[], columns: readonly Column[], scan: Scan): readonly ListedDoc[] {
  const compareAt = (at: number, a: Scalar, b: Scalar): number => {
    const column = columns.find(({ name }) => name === scan.index[at])
    return compareScalars(column?.type ?? 'text', a, b)
  }
  const valuesOf = ({ row }: Upsert): readonly Scalar[] => scan.index.map(name => row[name] as Scalar)
  const compareRows = (a: End, b: End): number => {
    for (let at = 0; at < scan.index.length; at++) {
      const order = compareAt(at, a.values[at] as Scalar, b.values[at] as Scalar)
      if (order !== 0) return order
    }
    return compareText(a.key, b.key)
  }
  const { gt, gte, lt, lte } = scan.range
  const inRange = (value: Scalar): boolean => {
    const at = scan.equal.length
    return (
      (gt === undefined || compareAt(at, value, gt) > 0) &&
      (gte === undefined || compareAt(at, value, gte) >= 0) &&
      (lt === undefined || compareAt(at, value, lt) < 0) &&
      (lte === undefined || compareAt(at, value, lte) <= 0)
    )
  }
  const sign = scan.order === 'asc' ? 1 : -1
  return rows
    .filter(({ tenant }) => tenant === scan.tenant)
    .map(row => ({ key: row.key, doc: row.doc, values: valuesOf(row) }))
    .filter(({ values }) => scan.equal.every((value, at) => compareAt(at, values[at] as Scalar, value) === 0))
    .filter(({ values }) => inRange(values[scan.equal.length] as Scalar))
    .sort((a, b) => sign * compareRows(a, b))
    .filter(row => scan.after === undefined || sign * compareRows(row, scan.after) > 0)
    .slice(0, scan.limit)
    .map(({ key, doc }) => ({ key, doc }))
}

interface End {
  readonly values: readonly Scalar[]
  readonly key: string
}
