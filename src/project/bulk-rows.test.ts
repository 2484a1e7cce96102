import { expect, test } from 'vitest'
import type { RecordedEvent } from '../define/index.ts'
import { makeBulkRows } from './bulk-rows.ts'
import type { Routed } from './fold.ts'

const large = { text: 'x'.repeat(10_000) }

test('rows are weighed whichever of the keys of an event they are', () => {
  const rows = makeBulkRows()
  const routed = Array.from({ length: 200 }, (_, n): Routed => {
    const [small, other] = [rows.slot('t', 'small'), rows.slot('t', `large-${n}`)]
    Object.assign(small, { state: { text: '' } })
    Object.assign(other, { state: large })
    return { event: { position: n + 1 } as RecordedEvent, slots: [small, other] }
  })
  rows.passed(routed)
  expect(rows.bytes()).toBeGreaterThan(200 * 10_000)
})
