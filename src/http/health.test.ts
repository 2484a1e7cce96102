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
  generations: [
    { generation: 1, version: 1, role: 'serving', position: 90, behind: 10, followed: true, state: 'live' },
  ],
}
const failed: ProjectionStatus = {
  ...live,
  state: 'failed',
  failure: { code: 'project/fold-failed', message: 'Ann lives in Bern', attempts: 3, retryInMs: 500 },
}
const standby: ProjectionStatus = {
  ...live,
  state: 'standby',
  shards: [{ shard: 0, state: 'standby', position: 90, owner: 'another' }],
}

test('ready says how far each view is behind', () => {
  expect(judge([live], false, {})).toEqual({
    status: 'ready',
    reasons: [],
    views: [{ projection: 'orders', state: 'live', position: 90, behind: 10 }],
  })
})

test('a failure that is tried again takes no server out of service at first', () => {
  const { status, views } = judge([{ ...failed, failure: { ...failed.failure!, attempts: 2 } }], false, {})
  expect(status).toBe('ready')
  expect(views[0]).toMatchObject({ state: 'failed', failure: 'project/fold-failed' })
  const { retryInMs: _, ...forGood } = failed.failure!
  expect(judge([{ ...failed, failure: { ...forGood, attempts: 1 } }], false, {}).status).toBe('not-ready')
})

test('ready tells how many keys stand still', () => {
  expect(judge([{ ...live, parkedKeys: 2 }], false, {})).toMatchObject({ status: 'ready', views: [{ parkedKeys: 2 }] })
})

test('ready tells of generations beside the one that serves', () => {
  const next = {
    generation: 2,
    version: 2,
    role: 'building',
    position: 10,
    behind: 90,
    followed: true,
    state: 'catching-up',
  } as const
  const { status, views } = judge([{ ...live, generations: [...live.generations, next] }], false, {})
  expect(status).toBe('ready')
  expect(views[0]?.generations).toEqual([
    { generation: 1, version: 1, role: 'serving', behind: 10 },
    { generation: 2, version: 2, role: 'building', behind: 90 },
  ])
})

test('a release whose own rows are being built is not ready', () => {
  const building = { generation: 2, version: 2, role: 'building', position: 90, followed: true } as const
  const own = (behind: number, answers: { readonly answers?: true }): ProjectionStatus => ({
    ...live,
    ...{ generation: 2, behind },
    generations: [...live.generations, { ...building, behind, ...answers }],
  })
  const reasons = ['view-building: orders']
  expect(judge([own(1001, { answers: true })], false, {})).toMatchObject({ status: 'not-ready', reasons })
  // One whose rows are those of the generation that serves may have rollups that are not.
  const rollups = { ...own(1001, { answers: true }), generation: 1, behind: 0 }
  expect(judge([rollups], false, {})).toMatchObject({ status: 'not-ready', reasons })
  expect(judge([own(1000, { answers: true })], false, {}).status).toBe('ready')
  expect(judge([own(1001, {})], false, {}).status).toBe('ready')
  expect(judge([own(1001, { answers: true })], false, { judgeViews: false }).status).toBe('ready')
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
