import { expect, test } from 'vitest'
import { figureOf, median, percentile, tableOf } from './figure.ts'

test('a percentile is a value that was measured', () => {
  const values = [5, 1, 4, 2, 3]
  expect(median(values)).toBe(3)
  expect(percentile(values, 0.99)).toBe(5)
  expect(percentile(values, 0.2)).toBe(1)
  expect(percentile(values, 0)).toBe(1)
})

test('the table shows each figure beside its reference', () => {
  const figure = figureOf('appends, 64 callers', 61_234.5, 'appends/s', 'COPY', 100_000)
  expect(tableOf([figure])).toBe(
    [
      'measure               value  unit       reference    value  ratio',
      '-------------------  ------  ---------  ---------  -------  -----',
      'appends, 64 callers  61,235  appends/s  COPY       100,000   0.61',
    ].join('\n'),
  )
})
