import { compareText } from './order.ts'
import type { Dependent, DependentsQuery } from './referred.ts'
import type { RowKey } from './store.ts'

/** Rows of another view that changed, and the reference by which rows refer to them. */
export interface ChangedRef {
  readonly ref: string
  readonly keys: readonly RowKey[]
}

/** The dependent that was reached last: the key referred to, and the dependent's own. */
export interface WalkPoint {
  readonly ref: string
  readonly tenant: string
  readonly of: string
  readonly key: string
}

export interface Walked {
  readonly dependents: readonly RowKey[]
  readonly last: WalkPoint
}

export interface Walk {
  readonly changed: readonly ChangedRef[]
  readonly find: (query: Omit<DependentsQuery, 'shard'>) => Promise<readonly Dependent[]>
  /** How many are found at once. */
  readonly limit: () => number
  /** Begin behind this one. */
  readonly after?: WalkPoint
}

/** Keys asked for at once: fewer where each has many dependents, since the store looks at that many of each. */
const maxKeys = 1000

/**
 * Finds all rows that refer to rows that changed, in an order that depends on their names alone: whoever goes on from a point
 * of it finds what another one has not. A row that refers to several of them is found several times.
 */
export async function* walkDependents({ changed, find, limit, after }: Walk): AsyncGenerator<Walked> {
  let together = maxKeys
  for (const { ref, keys } of changed.toSorted((a, b) => compareText(a.ref, b.ref))) {
    if (after !== undefined && compareText(ref, after.ref) < 0) continue
    let rest = distinct(keys)
    let behind: string | undefined
    if (after?.ref === ref) {
      const reached = { tenant: after.tenant, key: after.of }
      rest = rest.filter(key => compareKeys(key, reached) >= 0)
      if (rest[0] !== undefined && compareKeys(rest[0], reached) === 0) behind = after.key
    }
    while (rest.length > 0) {
      const most = limit()
      const asked = rest.slice(0, together)
      const found = await find({ ref, keys: asked, limit: most, ...(behind !== undefined && { after: behind }) })
      const end = found.at(-1)
      if (end !== undefined) {
        const of = asked[end.of] as RowKey
        const dependents = found.map(({ tenant, key }) => ({ tenant, key }))
        yield { dependents, last: { ref, tenant: of.tenant, of: of.key, key: end.key } }
      }
      const isFull = end !== undefined && found.length >= most
      rest = rest.slice(isFull ? end.of : asked.length)
      behind = isFull ? end.key : undefined
      together = Math.min(maxKeys, 2 * (isFull ? end.of + 1 : together))
    }
  }
}

function distinct(keys: readonly RowKey[]): readonly RowKey[] {
  return keys
    .toSorted(compareKeys)
    .filter((key, n, sorted) => n === 0 || compareKeys(key, sorted[n - 1] as RowKey) !== 0)
}

function compareKeys(a: RowKey, b: RowKey): number {
  return compareText(a.tenant, b.tenant) || compareText(a.key, b.key)
}
