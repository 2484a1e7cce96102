import type { Column } from '../../define/index.ts'
import {
  compareScalars,
  compareText,
  type ListedDoc,
  type Scalar,
  type Scan,
  type Upsert,
} from '../../project/index.ts'

/** What a scan means: the rows of the tenant that lie in its bounds, in the order of the index and then of their keys. */
export function scanned(rows: readonly Upsert[], columns: readonly Column[], scan: Scan): readonly ListedDoc[] {
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
