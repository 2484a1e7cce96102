import { describe, expect, test } from 'vitest'
import { Account, accountById, bank } from '../../test/support/bank.ts'
import { BifoldError } from '../define/index.ts'
import type { Backend } from '../project/index.ts'
import { inMemory } from '../stores/memory/index.ts'
import { closeInTurn } from './close.ts'
import { run } from './index.ts'

/** A backend that writes down what is closed, in order. */
function watched(backend: Backend = inMemory()) {
  const closed: string[] = []
  const watch = (name: string, close: () => Promise<void>) => async () => {
    closed.push(name)
    await close()
  }
  const on: Backend = {
    log: { ...backend.log, close: watch('log', backend.log.close) },
    views: { ...backend.views, close: watch('views', backend.views.close) },
    close: watch('backend', backend.close),
  }
  return { on, closed }
}

describe('closing', () => {
  test('finishes what was taken, then closes the log, the views and the backend, each once', async () => {
    const { on, closed } = watched()
    const system = await run(bank, { on })
    const taken = system.dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    await Promise.all([system.close(), system.close()])
    expect(await taken).toMatchObject({ version: 1 })
    expect(closed).toEqual(['log', 'views', 'backend'])
    await expect(system.dispatch(Account, 'a', 'Deposit', { amount: 1 })).rejects.toMatchObject({ code: 'log/closed' })
    await expect(system.query(accountById, { id: 'a' })).rejects.toMatchObject({ code: 'query/closed' })
  })

  test('goes on when something does not close, and tells of it', async () => {
    const { on, closed } = watched()
    const failing = {
      ...on,
      views: {
        ...on.views,
        close: async () => {
          throw new Error('stuck')
        },
      },
    }
    const system = await run(bank, { on: failing })
    await expect(system.close()).rejects.toThrow('stuck')
    expect(closed).toEqual(['log', 'backend'])
  })

  test('tells of the first of several errors', async () => {
    const fail = (message: string) => () => Promise.reject(new Error(message))
    await expect(closeInTurn([fail('one'), fail('two')])).rejects.toThrow('one')
  })
})

describe('a system that cannot start', () => {
  test('closes everything that was open', async () => {
    const { on, closed } = watched()
    const failing = { ...on, views: { ...on.views, open: () => Promise.reject(new Error('no room')) } }
    await expect(run(bank, { on: failing })).rejects.toThrow('no room')
    expect(closed).toEqual(['log', 'views', 'backend'])
  })

  test('whose log does not open leaves no backend open', async () => {
    const { on, closed } = watched()
    const failing = { ...on, log: { ...on.log, open: () => Promise.reject(new Error('no log')) } }
    await expect(run(bank, { on: failing })).rejects.toThrow('no log')
    expect(closed).toEqual(['views', 'backend'])
  })

  test('because its backend does not open says why', async () => {
    const missing = Promise.reject(new BifoldError('setup/missing-peer', { peer: 'pg', purpose: 'PostgreSQL' }))
    await expect(run(bank, { on: missing })).rejects.toMatchObject({ code: 'setup/missing-peer' })
  })
})

describe('roles', () => {
  test('a process without a role refuses what belongs to it', async () => {
    const reader = await run(bank, { on: inMemory(), roles: { commands: false } })
    const writer = await run(bank, { on: inMemory(), roles: { queries: false } })
    const code = 'run/no-role'
    await expect(reader.dispatch(Account, 'a', 'CloseAccount', {})).rejects.toMatchObject({ code })
    await expect(reader.dispatchByName('account', 'a', 'CloseAccount', {})).rejects.toMatchObject({ code })
    await expect(writer.query(accountById, { id: 'a' })).rejects.toMatchObject({ code })
    await expect(writer.queryText('account-by-id', { id: 'a' })).rejects.toMatchObject({ code })
    await Promise.all([reader.close(), writer.close()])
  })

  test('commands, projections and queries work in a process each', async () => {
    const backend = inMemory()
    const on: Backend = { ...backend, close: async () => undefined }
    const only = (role: 'commands' | 'projections' | 'queries') =>
      run(bank, { on, roles: { commands: false, projections: false, queries: false, [role]: true } })
    const [commands, queries] = [await only('commands'), await only('queries')]
    const { token } = await commands.dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    expect(await queries.status()).toMatchObject([
      { projection: 'accounts', state: 'catching-up', position: 0, head: 1, behind: 1 },
    ])
    expect(await commands.status()).toEqual([])
    const waiting = queries.query(accountById, { id: 'a' }, { after: token })
    const projections = await only('projections')
    expect(await waiting).toMatchObject({ value: { owner: 'Ada' }, stale: false })
    expect(await queries.status()).toMatchObject([{ projection: 'accounts', state: 'live', position: 1, behind: 0 }])
    await Promise.all([commands.close(), queries.close(), projections.close()])
  })
})
