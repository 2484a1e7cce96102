import { createHash } from 'node:crypto'

/** A name as SQL takes it, whatever is in it. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** The plain name of a projection's SQL view: `order-summaries` is `order_summaries`. */
function plainNameOf(projection: string): string {
  return projection.replaceAll('-', '_')
}

/** The table of one generation. No plain name has two underscores in a row, so it is never that of another view. */
export function tableNameOf(projection: string, generation: number): string {
  return `${plainNameOf(projection)}__g${generation}`
}

/** The table of what a generation's rows were. */
export function pastNameOf(table: string): string {
  return `${table}__past`
}

/** The table of the sums over a generation's rows. */
export function sumsNameOf(table: string): string {
  return `${table}__sums`
}

/** The column that holds the key to which a row refers. No column of a row begins with an underscore. */
export function refColumnOf(ref: string): string {
  return `_ref_${ref}`
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
