import { expect, test } from 'vitest'
import { sumNamesOf } from './sum-names.ts'

type Sum = Parameters<typeof sumNamesOf>[0]

test.each<[string, string]>([
  ['row => ({ orders: 1, "revenue": row.total })', 'orders revenue'],
  ['({ total }) => ({ total, orders: total > 3 ? 1 : 0, })', 'orders total'],
  ['row => { return { orders: row.lines.map(line => ({ a: line })).length } }', 'orders'],
  ['row => { return ({ [`a`]: 1 }) }', ''],
  ['function sum(row) { return { b: f(row, { c: 1 }), a: 1 }; }', 'a b'],
  ['sum(row = { a: 1 }) { return { orders: 1 } }', 'orders'],
  ['row => ({})', ''],
])('the names of sums stand in %s', (source, names) => {
  const found = sumNamesOf({ toString: () => source } as unknown as Sum)
  expect(found?.join(' ')).toBe(names === '' && source.includes('[') ? undefined : names)
})

test.each([
  'row => row.paid ? { paid: 1 } : { open: 1 }',
  'row => (row.paid ? { paid: 1 } : { open: 1 })',
  'row => ({ ...more(row), orders: 1 })',
  'row => { if (row.paid) return { paid: 1 }; return { open: 1 } }',
  'row => ({ orders: 1 }, { open: 1 })',
  'row => ({ orders: 1 }).other',
  'row => sums(row)',
  'row => ({ orders() { return 1 } })',
  'row => { return { orders: 1 }.other }',
  'function () { [native code] }',
])('and are not to be told from %s', source => {
  expect(sumNamesOf({ toString: () => source } as unknown as Sum)).toBeUndefined()
})
