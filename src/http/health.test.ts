import { expect, test } from 'vitest'
import type { ProjectionStatus } from '../project/index.ts'
import { judge } from './health.ts'

const live: ProjectionStatus = {
  projection: 'orders',
  generation: 1,
  state: 'live',
  position: 90,
  head: 100,
  behind: 10,
  shards: [{ shard: 0, state: 'live', position: 90 }],
}
const failed: ProjectionStatus = {
  ...live,
  state: 'failed',
  failure: { code: 'project/fold-failed', message: 'Ann lives in Bern', attempts: 3, retryInMs: 500 },
}
const standby: ProjectionStatus = {
  ...live,
  state: 'stopped',
  failure: { code: 'project/superseded', message: '', attempts: 0 },
}

test('ready says how far each view is behind', () => {
  expect(judge([live], false, {})).toEqual({
    status: 'ready',
    reasons: [],
    views: [{ projection: 'orders', state: 'live', position: 90, behind: 10 }],
  })
})

test('a view behind its bound is not ready', () => {
  expect(judge([live], false, { maxBehindEvents: 10 }).status).toBe('ready')
  expect(judge([live], false, { maxBehindEvents: 9 })).toMatchObject({
    status: 'not-ready',
    reasons: ['view-behind: orders'],
  })
})

test('a failed view is not ready, and its message stays inside', () => {
  const health = judge([failed], false, {})
  expect(health).toMatchObject({ status: 'not-ready', reasons: ['view-failed: orders'] })
  expect(health.views[0]?.failure).toBe('project/fold-failed')
  expect(JSON.stringify(health)).not.toContain('Bern')
})

test('a process that stands by is ready', () => {
  expect(judge([standby], false, {}).status).toBe('ready')
})

test('a server of commands alone is ready whatever the views do', () => {
  expect(judge([failed], false, { judgeViews: false })).toMatchObject({ status: 'ready', views: [{ state: 'failed' }] })
})

test('a log that does not answer, and a server that closes, are not ready', () => {
  expect(judge(undefined, false, {}).reasons).toEqual(['log-unreachable'])
  expect(judge([live], true, {}).reasons).toEqual(['closing'])
})
