import type { LoadedRow, Upsert } from '../../project/index.ts'

/** What is folded on, of a row as it was written. */
export function loadedFrom({ position, doc, state }: Upsert): LoadedRow {
  return state === undefined ? { position, doc } : { position, doc, state }
}
