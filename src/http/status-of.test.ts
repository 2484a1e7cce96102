import { expect, test } from 'vitest'
import { type ErrorCode, errorCodes } from '../define/index.ts'
import { appearanceOf, visibleCodes } from './status-of.ts'

/** Faults of a definition or of the engine: the caller can do nothing about them, and learns nothing of them. */
const inside: readonly ErrorCode[] = [
  'log/invalid-event',
  'log/invalid-append',
  'log/storage-failed',
  'log/unknown-event-type',
  'log/undecodable-event',
  'project/store-failed',
  'command/decide-failed',
  'command/invalid-decision',
  'command/evolve-failed',
  'command/snapshot-failed',
  'run/unknown-projection',
  'run/invalid-argument',
  'run/closed',
  'run/drain-timeout',
  'query/failed',
  'query/wrong-store',
  'http/unreadable-input',
  'http/internal',
]

test('every error that a request can end in is shown with a status, or known to stay inside', () => {
  const reachable = errorCodes.filter(code => /^(log|token|project\/store-|command|query|run|http)/.test(code))
  const shown = reachable.filter(code => appearanceOf(code) !== undefined)
  expect([...shown, ...inside].sort()).toEqual([...reachable].sort())
})

test('overload and shutting down say when to come back', () => {
  for (const code of visibleCodes.filter(code => /overloaded|closed|closing/.test(code))) {
    expect(appearanceOf(code), code).toMatchObject({ status: 503, retryAfterSeconds: 1 })
  }
})
