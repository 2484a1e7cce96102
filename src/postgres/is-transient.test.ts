import { expect, test } from 'vitest'
import { isTransient } from './is-transient.ts'

test('locks, serialization, time-outs and a lack of room may pass', () => {
  for (const state of ['40001', '40P01', '55P03', '57014', '53100', '53200', '25006']) {
    expect(isTransient(state), state).toBe(true)
  }
})

test('what the database refuses, it refuses again', () => {
  for (const state of ['22P05', '23505', '23514', '42P01', '42501', '54000', 'XX000', '', undefined]) {
    expect(isTransient(state), state).toBe(false)
  }
})
