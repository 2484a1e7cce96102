import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Account, AccountEvents, Accounts, accountById, bank } from '../../test/support/bank.ts'
import { app, projection, query } from '../define/index.ts'
import { tokenOf } from '../log/index.ts'
import type { Backend } from '../project/index.ts'
import { inMemory } from '../stores/memory/index.ts'
import { run, type System, session } from './index.ts'

/** As `Accounts`, in a view of its own that can be behind it. */
const Owners = projection('owners', {
  from: [AccountEvents],
  state: Accounts.state,
  on: { AccountOpened: (_, { data }) => ({ owner: data.owner, balance: 0, open: true }) },
})
const ownerById = query('owner-by-id', { from: Owners, input: accountById.input, get: ({ id }) => id })
const two = app('two', { ...bank, projections: [Accounts, Owners], queries: [accountById, ownerById] })

let backend: Backend
/** Commands and queries, and the projection of `accounts` alone. */
let system: System
const systems: System[] = []
const start = async (of: typeof two, projections: boolean): Promise<System> => {
  const on: Backend = { ...backend, close: async () => undefined }
  const started = await run(of, { on, roles: { projections } })
  systems.push(started)
  return started
}

beforeEach(async () => {
  backend = inMemory()
  system = await start(two, false)
})
afterEach(async () => {
  await Promise.all(systems.splice(0).map(one => one.close()))
})

describe('a session', () => {
  test('reads what was dispatched through it, with no token passed on', async () => {
    await start(two, true)
    const { dispatch, query } = session(system)
    await dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    for (let balance = 1; balance <= 20; balance++) {
      await dispatch(Account, 'a', 'Deposit', { amount: 1 })
      expect((await query(accountById, { id: 'a' })).value?.balance).toBe(balance)
    }
  })

  test('having read something in one view, reads nothing older in another', async () => {
    await start(app('accounts', { ...two, projections: [Accounts], queries: [] }), true)
    const { token } = await system.dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    const own = session(system)
    // As somebody else wrote it: the session has seen nothing yet, and takes what there is.
    expect(await own.query(ownerById, { id: 'a' })).toMatchObject({ value: null, asOf: 0 })
    await system.query(accountById, { id: 'a' }, { after: token })
    expect(await own.query(accountById, { id: 'a' })).toMatchObject({ asOf: 1 })
    expect(own.token()).toBe(token)
    const late = { waitMs: 0, onTimeout: 'stale' } as const
    expect(await own.query(ownerById, { id: 'a' }, late)).toMatchObject({ asOf: 0, stale: true })
    const reading = own.query(ownerById, { id: 'a' })
    await start(app('owners', { ...two, projections: [Owners], queries: [] }), true)
    expect(await reading).toMatchObject({ value: { owner: 'Ada' }, asOf: 1, stale: false })
  })

  test('goes on in another process from its token', async () => {
    const first = session(system)
    await first.dispatchByName('account', 'a', 'OpenAccount', { owner: 'Ada' })
    const second = session(await start(two, true), first.token())
    expect(await second.queryText('account-by-id', { id: 'a' })).toMatchObject({ asOf: 1, stale: false })
  })

  test('heeds a token that is named, where it is the later one', async () => {
    await start(two, true)
    const { token: early } = await system.dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    const own = session(system, early)
    const { token: later, position } = await system.dispatch(Account, 'a', 'Deposit', { amount: 1 })
    expect((await own.query(accountById, { id: 'a' }, { after: later })).asOf).toBe(position)
    expect((await own.query(accountById, { id: 'a' }, { after: early })).asOf).toBe(position)
    expect(own.token()).toBe(later)
  })

  test('has no token before anything was seen, and takes none that is not of this log', () => {
    expect(session(system).token()).toBeUndefined()
    expect(() => session(system, 'x')).toThrow(expect.objectContaining({ code: 'token/invalid' }))
    const other = tokenOf('00', { position: 1, fingerprint: '0123456789ab' })
    expect(() => session(system, other)).toThrow(expect.objectContaining({ code: 'token/other-log' }))
  })
})

describe('the token of an answer', () => {
  test('is that of its position, and that of `after` where the view has not come so far', async () => {
    const { token } = await system.dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    const stale = await system.query(accountById, { id: 'a' }, { after: token, waitMs: 0, onTimeout: 'stale' })
    expect(stale).toMatchObject({ asOf: 0, token, stale: true })
    const { position } = await system.dispatch(Account, 'a', 'Deposit', { amount: 1 })
    await (await start(two, true)).drain()
    const answer = await system.query(accountById, { id: 'a' }, { after: token })
    expect(answer.asOf).toBe(position)
    expect(answer.token).toContain(`.${position}.`)
  })
})
