import { createHash } from 'node:crypto'
import { type LoadedRow, rowId, type StoredRow } from '../project/index.ts'
import type { FoldedRow } from './held-rows.ts'
import type { Sides } from './side-by-side.ts'

/** One row that is not as the log makes it. */
export interface Difference {
  readonly tenant: string
  readonly key: string
  /** `missing`: only the log makes it. `extra`: only the store has it. `columns`: the row is right, its typed columns are not. */
  readonly kind: 'changed' | 'missing' | 'extra' | 'columns'
  /** As the store has it, with the columns that say something else than its document; or `refs.…` and `_shard`, which stand beside it. */
  readonly stored?: LoadedRow & { readonly differing: readonly string[] }
  /** As the log makes it. */
  readonly folded?: LoadedRow
}

/** How the rows of a bucket differ from those that the log makes: to the byte, position included. In no order. */
export async function differencesOf(
  { stored, folded }: Pick<Sides, 'stored' | 'folded'>,
  turns: () => Promise<void> | undefined,
): Promise<readonly Difference[]> {
  const found: Difference[] = []
  const seen = new Set<string>()
  for (const row of stored) {
    const turn = turns()
    if (turn !== undefined) await turn
    const id = rowId(row)
    seen.add(id)
    const expected = folded.get(id)
    const kind = kindOf(row, expected)
    if (kind === undefined) continue
    const { tenant, key, ...stored } = row
    found.push({ tenant, key, kind, stored, ...(expected && { folded: sideOf(expected) }) })
  }
  for (const [id, row] of folded) {
    const turn = turns()
    if (turn !== undefined) await turn
    const { tenant, key } = row
    if (!seen.has(id)) found.push({ tenant, key, kind: 'missing', folded: sideOf(row) })
  }
  return found
}

function sideOf({ tenant: _, key: __, ahead: ___, isAnyDoc: ____, ...row }: FoldedRow): LoadedRow {
  return row
}

function kindOf(stored: StoredRow, folded: FoldedRow | undefined): Difference['kind'] | undefined {
  if (folded === undefined) return 'extra'
  const isSame = folded.isAnyDoc === true || stored.doc === folded.doc || stored.doc === folded.ahead
  if (!isSame || stored.state !== folded.state || stored.position !== folded.position) return 'changed'
  return stored.differing.length > 0 ? 'columns' : undefined
}

export interface RowsHash {
  add(row: FoldedRow): void
  digest(): string
}

/**
 * A hash of rows that come in the stores' order: SHA-256 over each row as the JSON text `[tenant,key,position,doc]`,
 * `doc` as a string, with the state as a fifth where the view has states beside its rows, and a newline. Two stores that hold the same rows have the same.
 */
export function makeRowsHash(): RowsHash {
  const hash = createHash('sha256')
  return {
    add: ({ tenant, key, position, doc, state }) => {
      const row = [tenant, key, position, doc, ...(state === undefined ? [] : [state])]
      hash.update(`${JSON.stringify(row)}\n`)
    },
    digest: () => hash.digest('hex'),
  }
}
