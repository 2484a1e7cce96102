import { afterEach, beforeEach, expect, test } from 'vitest'
import { Account, AccountEvents, Accounts, accountById, bank } from '../../test/support/bank.ts'
import { type AnyProjection, app, projection } from '../define/index.ts'
import { type Backend, viewShapeOf } from '../project/index.ts'
import { inMemory } from '../stores/memory/index.ts'
import { explain, rowAt, verify } from '../verify/index.ts'
import { run, type System } from './index.ts'

let systems: System[] = []
let on: Backend
const start = async (roles: { readonly projections?: boolean; readonly queries?: boolean } = {}): Promise<System> => {
  const system = await run(bank, { on, roles })
  systems.push(system)
  return system
}

beforeEach(() => {
  on = { ...inMemory(), close: async () => undefined }
})
afterEach(async () => {
  await Promise.all(systems.map(system => system.close()))
  systems = []
})

test('a query that waits for a paused projection says so, in whatever process it is asked', async () => {
  const [carrying, asking, operator] = [
    await start(),
    await start({ projections: false }),
    await start({ projections: false, queries: false }),
  ]
  await operator.pause(Accounts)
  const { token } = await operator.dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
  for (const system of [carrying, asking]) {
    while ((await system.status())[0]?.state !== 'paused') await new Promise(resolve => setTimeout(resolve, 5))
    const failure = { code: 'query/timeout', data: { projection: 'accounts', reached: 0, failure: 'project/paused' } }
    await expect(system.query(accountById, { id: 'a' }, { after: token, waitMs: 10 })).rejects.toMatchObject(failure)
  }
  const [status] = await asking.status()
  expect(status).toMatchObject({ position: 0, behind: 1, failure: { code: 'project/paused' } })
  await expect(carrying.drain({ timeoutMs: 50 })).rejects.toMatchObject({
    code: 'run/drain-timeout',
    data: { behind: [{ projection: 'accounts', state: 'paused', failure: 'project/paused' }] },
  })
  await operator.resume(Accounts)
  expect(await asking.query(accountById, { id: 'a' }, { after: token })).toMatchObject({ value: { owner: 'Ada' } })
})

test('a query without a token is answered from a paused view as it stands', async () => {
  const system = await start()
  const { token } = await system.dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
  await system.query(accountById, { id: 'a' }, { after: token })
  await system.pause(Accounts)
  await system.dispatch(Account, 'a', 'Deposit', { amount: 1 })
  expect(await system.query(accountById, { id: 'a' })).toMatchObject({ value: { balance: 0 }, asOf: 1, stale: false })
})

test('a view that is reset holds everything again; a token is waited for until it does', async () => {
  const system = await start()
  await system.dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
  const { token } = await system.dispatch(Account, 'a', 'Deposit', { amount: 3 })
  await system.query(accountById, { id: 'a' }, { after: token })
  await system.reset(Accounts)
  expect(await system.query(accountById, { id: 'a' }, { after: token })).toMatchObject({
    value: { balance: 3 },
    asOf: 2,
  })
})

test('no operation takes anything but the very projections of the app', async () => {
  const system = await start()
  const { deadLetters } = system
  const operations: ((projection: AnyProjection) => Promise<unknown>)[] = [
    system.pause,
    system.resume,
    system.reset,
    system.rebuild,
    it => system.swap(it, 1),
    it => system.drop(it, 1),
    it => deadLetters.list({ projection: it }),
    it => deadLetters.show(it, 'a'),
    it => deadLetters.retry(it, 'a'),
    deadLetters.retryAll,
    it => deadLetters.skip(it, 'a', { reason: 'none' }),
  ]
  const Other = projection('other', { from: [AccountEvents], state: Accounts.state, on: {} })
  const Later = { ...Accounts, version: 8 }
  const byName: unknown = 'accounts'
  for (const operate of operations) {
    for (const one of [Other, Later, { ...Accounts }, byName as AnyProjection]) {
      const unknown = { code: 'run/unknown-projection', data: { projection: one.name ?? 'accounts' } }
      await expect(operate(one)).rejects.toMatchObject(unknown)
    }
  }
  expect((await on.views.generations('accounts')).length).toBe(1)
})

test('what an operation cannot take is told by a code, before anything is done', async () => {
  const { swap, drop, drain, deadLetters } = await start()
  const { list, show, retry, retryAll, skip } = deadLetters
  const any = (value: unknown): never => value as never
  const reason = 'none'
  const wrong: [string, string, () => Promise<unknown>][] = [
    ['swap', 'generation', () => swap(Accounts, 1.5)],
    ['swap', 'generation', () => swap(Accounts, any(undefined))],
    ['drop', 'generation', () => drop(Accounts, 2 ** 31)],
    ['drain', 'options', () => drain(any(null))],
    ['drain', 'timeoutMs', () => drain({ timeoutMs: Number.NaN })],
    ['drain', 'timeoutMs', () => drain({ timeoutMs: -1 })],
    ['deadLetters.list', 'options', () => list(any(null))],
    ['deadLetters.list', 'limit', () => list({ limit: 1.5 })],
    ['deadLetters.list', 'limit', () => list({ limit: 0 })],
    ['deadLetters.list', 'after', () => list({ projection: Accounts, after: any('a') })],
    ['deadLetters.list', 'after', () => list({ projection: Accounts, after: { tenant: 'default', key: 'a\0' } })],
    ['deadLetters.list', 'after', () => list({ after: { tenant: 'default', key: 'a' } })],
    ['deadLetters.list', 'generation', () => list({ generation: 1 })],
    ['deadLetters.list', 'generation', () => list({ projection: Accounts, generation: any('1') })],
    ['deadLetters.show', 'key', () => show(Accounts, 'a\0')],
    ['deadLetters.show', 'key', () => show(Accounts, any(undefined))],
    ['deadLetters.show', 'maxEvents', () => show(Accounts, 'a', { maxEvents: -1 })],
    ['deadLetters.retry', 'tenant', () => retry(Accounts, 'a', { tenant: '\ud800' })],
    ['deadLetters.retry', 'timeoutMs', () => retry(Accounts, 'a', { timeoutMs: Number.NaN })],
    ['deadLetters.retryAll', 'generation', () => retryAll(Accounts, { generation: 0 })],
    ['deadLetters.skip', 'options', () => skip(Accounts, 'a', any('reason'))],
    ['deadLetters.skip', 'options', () => skip(Accounts, 'a', any(undefined))],
    ['deadLetters.skip', 'position', () => skip(Accounts, 'a', { reason, position: Number.NaN })],
  ]
  for (const [operation, argument, attempt] of wrong) {
    const invalid = { code: 'run/invalid-argument', data: { operation, argument } }
    await expect(attempt(), `${operation}: ${argument}`).rejects.toMatchObject(invalid)
  }
})

test('a system that is closed says so, also to who waits for a parked key', async () => {
  const system = await start({ projections: false })
  const { deadLetters } = system
  const view = await on.views.open(viewShapeOf(Accounts))
  const { epoch, ...from } = await view.claim(0)
  const row = { tenant: 'default', key: 'a' }
  const parked = { ...row, position: 1, code: 'project/fold-failed', message: '', attempts: 3, since: '' }
  const parking = { parked: [parked], letters: [], drained: [], skipped: [], answered: [], maxEvents: 9 }
  await view.commit({ shard: 0, epoch, from, to: from, upserts: [], deletes: [], parking })
  const closed = { code: 'run/closed' }
  const closing = (async () => {
    while ((await view.letters.openRequests()) === 0) await new Promise(resolve => setTimeout(resolve, 1))
    await system.close()
  })()
  await expect(deadLetters.retry(Accounts, 'a')).rejects.toMatchObject(closed)
  await closing
  const operations = [system.pause, system.resume, system.reset, system.rebuild, deadLetters.retryAll]
  for (const operate of operations) await expect(operate(Accounts)).rejects.toMatchObject(closed)
  await expect(deadLetters.list()).rejects.toMatchObject(closed)
  await expect(deadLetters.show(Accounts, 'a')).rejects.toMatchObject(closed)
})

test('a system that is closed says neither where it stands nor that it is drained, whatever its roles', async () => {
  for (const roles of [{}, { projections: false }, { projections: false, queries: false }]) {
    const { close, status, drain } = await start(roles)
    await close()
    for (const ask of [status, drain]) await expect(ask()).rejects.toMatchObject({ code: 'run/closed' })
  }
})

test('a process without views operates on them, and looks into them, without making any', async () => {
  const system = await start({ projections: false, queries: false })
  await system.dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
  const { deadLetters } = system
  expect(await deadLetters.list()).toEqual([])
  expect(await deadLetters.show(Accounts, 'a')).toBeUndefined()
  expect(await deadLetters.retryAll(Accounts)).toEqual({ keys: 0, parked: [] })
  await expect(deadLetters.retry(Accounts, 'a')).rejects.toMatchObject({ code: 'project/not-parked' })
  await expect(deadLetters.skip(Accounts, 'a', { reason: 'none' })).rejects.toMatchObject({
    code: 'project/not-parked',
  })
  const none = { code: 'project/no-generation', data: { projection: 'accounts', version: 1 } }
  for (const attempt of [system.reset, system.rebuild, (it: AnyProjection) => verify(system, it)]) {
    await expect(attempt(Accounts)).rejects.toMatchObject(none)
  }
  expect((await explain(system, Accounts, 'a')).row).toMatchObject({ owner: 'Ada' })
  expect(await rowAt(system, Accounts, 'a', 1)).toMatchObject({ owner: 'Ada' })
  await system.pause(Accounts)
  await system.resume(Accounts)
  expect(await on.views.generations('accounts')).toEqual([])
})

test('looking for what is parked does not bring back a generation that was dropped', async () => {
  const system = await start()
  const Later = { ...Accounts, version: 2 }
  const later = app('bank', { aggregates: [Account], projections: [Later] })
  const next = await run(later, { on, projections: { rebuild: { swap: 'manual' } } })
  systems.push(next)
  await next.drop(Later, 2)
  expect(await next.deadLetters.list()).toEqual([])
  await expect(next.reset(Later)).rejects.toMatchObject({ code: 'project/no-generation' })
  expect((await on.views.generations('accounts')).map(({ generation }) => generation)).toEqual([1])
  expect((await system.status())[0]?.generations).toMatchObject([{ generation: 1, role: 'serving' }])
})
