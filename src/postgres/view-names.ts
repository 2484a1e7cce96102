import { createHash } from 'node:crypto'

/** A name as SQL takes it, whatever is in it. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** The plain name of a projection's SQL view: `order-summaries` is `order_summaries`. */
export function plainNameOf(projection: string): string {
  return projection.replaceAll('-', '_')
}

/** The table of one generation. No plain name has two underscores in a row, so it is never that of another view. */
export function tableNameOf(projection: string, generation: number): string {
  return `${plainNameOf(projection)}__g${generation}`
}

/** `name` in the schema of the views. */
export function inViews(name: string): string {
  return `bifold_views.${quoteName(name)}`
}

/** The name of a declared index: a hash, since the names of its columns may be longer than PostgreSQL allows. */
export function indexNameOf(table: string, columns: readonly string[]): string {
  const hash = createHash('sha256').update(JSON.stringify(columns)).digest('hex')
  return `${table}_${hash.slice(0, 6)}`
}
