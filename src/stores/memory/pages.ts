import type { Column } from '../../define/index.ts'
import { compareText, differingColumns, type StoredRow, type Upsert } from '../../project/index.ts'

const pageRows = 1000

export async function* pagesOf(
  rows: readonly Upsert[],
  columns: readonly Column[],
): AsyncGenerator<readonly StoredRow[]> {
  const sorted = rows.toSorted((a, b) => compareText(a.tenant, b.tenant) || compareText(a.key, b.key))
  for await (const page of inPages(sorted)) {
    yield page.map(({ row, ...stored }) => ({ ...stored, differing: differingColumns(columns, row, stored.doc) }))
  }
}

export async function* inPages<T>(all: readonly T[]): AsyncGenerator<readonly T[]> {
  for (let at = 0; at < all.length; at += pageRows) yield all.slice(at, at + pageRows)
}
