import { expect, test } from 'vitest'
import { BifoldError } from '../define/index.ts'
import { problemOf } from './problem.ts'

const bodyOf = (error: unknown): Record<string, unknown> => JSON.parse(problemOf(error).body)

test('an error of the catalogue says its code, its data and what to do', () => {
  const error = new BifoldError('command/version-mismatch', {
    category: 'order',
    streamId: 'o-1',
    expected: 2,
    version: 3,
  })
  expect(problemOf(error)).toMatchObject({ status: 412, unexpected: false })
  expect(bodyOf(error)).toEqual({
    type: 'urn:bifold:error:command/version-mismatch',
    title: 'The stream is at another version',
    status: 412,
    detail: error.message,
    code: 'command/version-mismatch',
    category: 'order',
    streamId: 'o-1',
    expected: 2,
    version: 3,
  })
})

test('a rejection speaks in the words of the domain', () => {
  const error = new BifoldError('command/rejected', {
    category: 'order',
    command: 'PayOrder',
    reason: 'order-not-payable',
    message: 'Order is paid',
    details: { status: 'paid' },
  })
  expect(problemOf(error).status).toBe(422)
  expect(bodyOf(error)).toMatchObject({
    code: 'command/rejected',
    detail: 'Order is paid',
    reason: 'order-not-payable',
    details: { status: 'paid' },
  })
  expect(bodyOf(error)).not.toHaveProperty('message')
})

test('an unknown outcome does not say that it failed, and names the id to ask with', () => {
  const error = new BifoldError('log/outcome-unknown', { commandId: 'c-1', waitedMs: 5000 })
  expect(problemOf(error).status).toBe(504)
  expect(bodyOf(error)).toMatchObject({ code: 'log/outcome-unknown', commandId: 'c-1' })
})

test('overload says when to come back', () => {
  const error = new BifoldError('command/overloaded', { pending: 10, limit: 10 })
  expect(problemOf(error)).toMatchObject({ status: 503, headers: { 'retry-after': '1' } })
})

test.each([
  new Error('password=hunter2'),
  new BifoldError('command/decide-failed', { category: 'order', command: 'PayOrder' }),
  Object.assign(new Error('secret'), { statusCode: 500 }),
  'hunter2',
  undefined,
])('what was not foreseen says nothing of itself: %s', error => {
  expect(problemOf(error)).toMatchObject({ status: 500, unexpected: true })
  expect(bodyOf(error)).toMatchObject({ code: 'http/internal', status: 500 })
  expect(problemOf(error).body).not.toMatch(/hunter2|secret|PayOrder/)
})

test('a refusal by a hook keeps its status and message', () => {
  const error = Object.assign(new Error('Log in first'), { statusCode: 401 })
  expect(problemOf(error)).toMatchObject({ status: 401, unexpected: false })
  expect(bodyOf(error)).toEqual({ type: 'about:blank', title: 'Unauthorized', status: 401, detail: 'Log in first' })
})
