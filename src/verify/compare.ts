import { createHash } from 'node:crypto'
import type { Runtime } from '../log/index.ts'
import { compareText, rowId, type StoredRow } from '../project/index.ts'
import type { FoldedRow } from './fold-aside.ts'

/** One row that is not as the log makes it. */
export interface Difference {
  readonly tenant: string
  readonly key: string
  /** `missing`: only the log makes it. `extra`: only the store has it. `columns`: the row is right, its typed columns are not. */
  readonly kind: 'changed' | 'missing' | 'extra' | 'columns'
  /** As the store has it, with the columns that say something else than its document. */
  readonly stored?: { readonly position: number; readonly doc: string; readonly differing: readonly string[] }
  /** As the log makes it. */
  readonly folded?: { readonly position: number; readonly doc: string }
}

/** Rows compared before everything else in the process has its turn. */
const turnRows = 2000

/** How the stored rows differ from those that the log makes, key by key in the stores' order: to the byte, position included. */
export async function differencesOf(
  stored: readonly StoredRow[],
  folded: ReadonlyMap<string, FoldedRow>,
  { turn }: Pick<Runtime, 'turn'>,
): Promise<readonly Difference[]> {
  const found: Difference[] = []
  const seen = new Set<string>()
  for (const [n, row] of stored.entries()) {
    if (n % turnRows === turnRows - 1) await turn()
    const id = rowId(row)
    seen.add(id)
    const expected = folded.get(id)
    const kind = kindOf(row, expected)
    if (kind === undefined) continue
    const { tenant, key, position, doc, differing } = row
    const other = expected && { folded: { position: expected.position, doc: expected.doc } }
    found.push({ tenant, key, kind, stored: { position, doc, differing }, ...other })
  }
  let looked = 0
  for (const [id, { tenant, key, position, doc }] of folded) {
    if (++looked % turnRows === 0) await turn()
    if (!seen.has(id)) found.push({ tenant, key, kind: 'missing', folded: { position, doc } })
  }
  return found.sort((a, b) => compareText(a.tenant, b.tenant) || compareText(a.key, b.key))
}

function kindOf(stored: StoredRow, folded: FoldedRow | undefined): Difference['kind'] | undefined {
  if (folded === undefined) return 'extra'
  if (stored.doc !== folded.doc || stored.position !== folded.position) return 'changed'
  return stored.differing.length > 0 ? 'columns' : undefined
}

/**
 * A hash of rows that come in the stores' order: SHA-256 over each row as the JSON text `[tenant,key,position,doc]`,
 * `doc` as a string, and a newline. Two stores that hold the same rows have the same.
 */
export function makeRowsHash(): { add(row: FoldedRow): void; digest(): string } {
  const hash = createHash('sha256')
  return {
    add: ({ tenant, key, position, doc }) => {
      hash.update(`${JSON.stringify([tenant, key, position, doc])}\n`)
    },
    digest: () => hash.digest('hex'),
  }
}
