import { afterEach, expect, test } from 'vitest'
import { Account, Accounts, accountById, bank } from '../../test/support/bank.ts'
import { app } from '../define/index.ts'
import type { Backend } from '../project/index.ts'
import { inMemory } from '../stores/memory/index.ts'
import { type RunOptions, run, type System } from './index.ts'

let systems: System[] = []
afterEach(async () => {
  await Promise.all(systems.map(system => system.close()))
  systems = []
})

async function start(options: RunOptions, of = bank): Promise<System> {
  const system = await run(of, options)
  systems.push(system)
  return system
}

/** As the bank, with a second view whose `key` throws at a deposit. */
const broken = app('broken', {
  ...bank,
  projections: [
    Accounts,
    {
      ...Accounts,
      name: 'broken',
      key: {
        ...Object.fromEntries(
          Object.keys(Accounts.on).map(type => [type, ({ streamId }: { streamId: string }) => streamId]),
        ),
        MoneyDeposited: () => {
          throw new Error('no')
        },
      },
    },
  ],
})

test('draining answers when every view holds what was in the log, and says up to where', async () => {
  const system = await start({ on: inMemory() })
  expect(await system.drain()).toBe(0)
  await Promise.all(
    Array.from({ length: 50 }, async (_, n) => {
      await system.dispatch(Account, `a-${n}`, 'OpenAccount', { owner: 'Ada' })
      await system.dispatch(Account, `a-${n}`, 'Deposit', { amount: n + 1 })
    }),
  )
  expect(await system.drain()).toBe(100)
  const { value, asOf } = await system.query(accountById, { id: 'a-49' })
  expect(value).toMatchObject({ balance: 50 })
  expect(asOf).toBeGreaterThanOrEqual(100)
})

test('draining waits for nothing that is appended later', async () => {
  const system = await start({ on: inMemory() })
  await system.dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
  let writing = true
  const writer = (async () => {
    while (writing) await system.dispatch(Account, 'a', 'Deposit', { amount: 1 })
  })()
  const { position } = await system.log.head()
  expect(await system.drain()).toBeGreaterThanOrEqual(position)
  writing = false
  await writer
})

test('a view that does not get there in time is named, with the reason; the others are not', async () => {
  const system = await start({ on: inMemory() }, broken)
  await system.dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
  await system.dispatch(Account, 'a', 'Deposit', { amount: 1 })
  const error = await system.drain({ timeoutMs: 300 }).catch((error: unknown) => error)
  expect(error).toMatchObject({
    code: 'run/drain-timeout',
    data: {
      position: 2,
      behind: [{ projection: 'broken', reached: 1, state: 'stopped', failure: 'project/key-failed' }],
    },
  })
  expect(String(error)).toContain('"broken" is at 1 (stopped, project/key-failed)')
})

test('a process that carries no projection on has nothing to drain, and says so', async () => {
  const system = await start({ on: inMemory(), roles: { projections: false } })
  await expect(system.drain()).rejects.toMatchObject({ code: 'run/no-role', data: { role: 'projections' } })
})

test('a system that is closed meanwhile ends the wait', async () => {
  const system = await start({ on: inMemory() }, broken)
  await system.dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
  await system.dispatch(Account, 'a', 'Deposit', { amount: 1 })
  const draining = system.drain().catch((error: unknown) => error)
  await system.close()
  expect(await draining).toMatchObject({ code: 'run/closed' })
})

test('what another process has carried on counts', async () => {
  const backend = inMemory()
  const on: Backend = { ...backend, close: async () => undefined }
  const first = await start({ on })
  const second = await start({ on })
  await first.dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
  expect(await Promise.all([first.drain(), second.drain()])).toEqual([1, 1])
})
