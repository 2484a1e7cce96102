/** One measured value beside what it is to be compared with, taken in the same run. */
export interface Figure {
  readonly measure: string
  readonly value: number
  readonly unit: string
  /** What `referenceValue` is: in the same unit, on the same machine, in the same run. */
  readonly reference: string
  readonly referenceValue: number
  /** `value / referenceValue` */
  readonly ratio: number
}

export function figureOf(
  measure: string,
  value: number,
  unit: string,
  reference: string,
  referenceValue: number,
): Figure {
  return { measure, value, unit, reference, referenceValue, ratio: value / referenceValue }
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5)
}

/** The smallest value that at least `share` (0 to 1) of all values do not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}

/** The figures as a table for people. */
export function tableOf(figures: readonly Figure[]): string {
  const rows = figures.map(({ measure, value, unit, reference, referenceValue, ratio }) => [
    measure,
    written(value),
    unit,
    reference,
    written(referenceValue),
    ratio.toFixed(2),
  ])
  const table = [['measure', 'value', 'unit', 'reference', 'value', 'ratio'], ...rows]
  const widths = table[0]?.map((_, column) => Math.max(...table.map(row => row[column]?.length ?? 0))) ?? []
  const numbers = new Set([1, 4, 5])
  const lines = table.map(row =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0
        return numbers.has(column) ? cell.padStart(width) : cell.padEnd(width)
      })
      .join('  ')
      .trimEnd(),
  )
  lines.splice(1, 0, widths.map(width => '-'.repeat(width)).join('  '))
  return lines.join('\n')
}

function written(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toFixed(2)
}
