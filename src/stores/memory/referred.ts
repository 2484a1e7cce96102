import type { Position } from '../../define/index.ts'
import {
  type ChangedRow,
  type Changes,
  type ChangesQuery,
  compareText,
  type Dependent,
  type DependentsQuery,
  lowestOf,
  type PastRow,
  type RowKey,
  rowId,
  type ShardCheckpoint,
  shardOf,
  type Upsert,
  type ViewCommit,
} from '../../project/index.ts'

/** A generation, as far as joins look into it. */
export interface Joinable {
  readonly shards: number
  readonly rows: ReadonlyMap<string, Upsert>
  readonly checkpoints: () => readonly ShardCheckpoint[]
  readonly past: PastRow[]
  pastFrom: Position
  /** Those whose rows are made with this one's. */
  readonly dependents: Set<Joinable>
}

const byPosition = (a: PastRow, b: PastRow): number => a.position - b.position

export function keepPast({ past }: Joinable, { past: more = [] }: ViewCommit): void {
  for (const entry of more) {
    const known = past.findIndex(one => one.position === entry.position && rowId(one) === rowId(entry))
    if (known === -1) past.push(entry)
    else past[known] = entry
  }
  past.sort(byPosition)
}

/** Before the first change beyond `position` a row was what it was then; one that did not change is what it is. */
export function asOf({ past, rows }: Joinable, keys: readonly RowKey[], position: Position): Map<string, string> {
  const found = new Map<string, string>()
  for (const key of keys) {
    const id = rowId(key)
    const change = past.find(entry => entry.position > position && rowId(entry) === id)
    const doc = change === undefined ? rows.get(id)?.doc : change.doc
    if (doc != null) found.set(id, doc)
  }
  return found
}

export function changesOf({ past, pastFrom, checkpoints }: Joinable, { after, through, limit }: ChangesQuery): Changes {
  const within = past.filter(({ position }) => position > after && position <= through)
  const last = within[limit - 1]?.position ?? through
  const changed = within.filter(({ position }) => position <= last).map(({ doc: _, ...change }): ChangedRow => change)
  const held = checkpoints().filter(({ parked }) => parked !== undefined)
  return { asOf: lowestOf(checkpoints()), changed, pastFrom, ...(held.length > 0 && { heldAt: lowestOf(held) }) }
}

export function dependentsOf(
  { rows, shards }: Pick<Joinable, 'rows' | 'shards'>,
  query: DependentsQuery,
): readonly Dependent[] {
  const { shard, ref, keys, after, limit } = query
  return keys
    .flatMap((wanted, of) =>
      [...rows.values()]
        .filter(row => row.tenant === wanted.tenant && row.refs?.[ref] === wanted.key)
        .filter(row => shardOf(row, shards) === shard)
        .filter(({ key }) => of > 0 || after === undefined || compareText(key, after) > 0)
        .sort((a, b) => compareText(a.key, b.key))
        .map(({ tenant, key }) => ({ tenant, key, of })),
    )
    .slice(0, limit)
}

/** What nobody refers to is needed by nobody behind its own checkpoint. */
export function prunePast(view: Joinable, limit: number): number {
  const standing = view.dependents.size === 0 ? [view] : [...view.dependents]
  const passed = Math.min(...standing.map(({ checkpoints }) => lowestOf(checkpoints()).position))
  const later = view.past.findIndex(({ position }) => position > passed)
  const gone = view.past.splice(0, Math.min(limit, later === -1 ? view.past.length : later))
  view.pastFrom = Math.max(view.pastFrom, gone.at(-1)?.position ?? 0)
  return gone.length
}
