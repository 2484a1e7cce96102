import { expect, test } from 'vitest'
import { app } from '../define/index.ts'
import { inMemory } from '../stores/memory/index.ts'
import { type RunOptions, run } from './run.ts'

const empty = app('empty', {})

test.each<[string, object, RegExp]>([
  ['projections.turnEvents', { projections: { turnEvents: 0 } }, /a whole number from 1 on/],
  ['projections.minBatchEvents', { projections: { minBatchEvents: 1.5 } }, /a whole number from 1 on/],
  ['projections.leaseMs', { projections: { leaseMs: Number.NaN } }, /a number from 100 on, up to 2147483647/],
  ['projections.maxShards', { projections: { maxShards: 0 } }, /a whole number from 1 on/],
  ['projections.foldAttempts', { projections: { foldAttempts: '3' } }, /a whole number from 1 on/],
  ['projections.retry.minDelayMs', { projections: { retry: { minDelayMs: -1, maxDelayMs: 1 } } }, /from 0 on/],
  ['projections.rebuild.share', { projections: { rebuild: { share: 0 } } }, /a number above 0, up to 1/],
  ['projections.rebuild.swap', { projections: { rebuild: { swap: 'never' } } }, /"auto" or "manual"/],
  ['projections.maxShard', { projections: { maxShard: 3 } }, /no such option; there are leaseMs, maxShards/],
  ['projections.rebuild', { projections: { rebuild: null } }, /an object/],
  ['log.queueEvents', { log: { queueEvents: undefined } }, /a whole number from 1 on/],
  ['commands.attempts', { commands: { attempts: 0 } }, /a whole number from 1 on/],
  ['queries.pollMs', { queries: { pollMs: -5 } }, /a number from 0 on/],
  ['roles.projections', { roles: { projections: 'no' } }, /true or false/],
  ['onWarning', { onWarning: 'log' }, /a function/],
  ['projection', { projection: {} }, /no such option/],
])('%s is refused at the start, with what it takes', async (option, options, rule) => {
  let isClosed = false
  const backend = inMemory()
  const on = {
    ...backend,
    close: async () => {
      isClosed = true
      await backend.close()
    },
  }
  const starting = run(empty, { on, ...options } as RunOptions)
  await expect(starting).rejects.toMatchObject({ code: 'setup/invalid-option', data: { option } })
  await expect(starting).rejects.toThrow(rule)
  expect(isClosed).toBe(true)
})

test('every bound may be as large as it will', async () => {
  const system = await run(empty, {
    on: inMemory(),
    projections: { maxShards: Number.POSITIVE_INFINITY, rebuild: { eventsPerSecond: Number.POSITIVE_INFINITY } },
  })
  await system.close()
})
