import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { Account, AccountEvents, bank } from '../../test/support/bank.ts'
import { closeCommandProcesses, codeOf, startCommands } from '../../test/support/command-process.ts'
import { aggregate, app, type DecisionContext } from '../define/index.ts'
import { type EventLog, memoryLogStorage, systemRuntime } from '../log/index.ts'
import { createDispatcher } from './index.ts'

afterEach(closeCommandProcesses)

describe('a command', () => {
  test('answers with its events, the new version, the position and a token', async () => {
    const { dispatch, log } = await startCommands(memoryLogStorage())
    const first = await dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    const second = await dispatch(Account, 'a', 'Deposit', { amount: 5 })
    expect(first).toMatchObject({ version: 1, position: 1, repeated: false })
    expect(second).toMatchObject({ version: 2, position: 2, repeated: false })
    expect(second.events.map(({ type, data }) => [type, data])).toEqual([['MoneyDeposited', { amount: 5 }]])
    expect(second.token).toBe(`${log.id}.2.${second.events[0]?.id.slice(-12)}`)
  })

  test('is decided on all events of its stream, page by page, when none of them is held', async () => {
    const storage = memoryLogStorage()
    const first = await startCommands(storage)
    await first.dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    for (let count = 0; count < 10; count++) await first.dispatch(Account, 'a', 'Deposit', { amount: 1 })
    const second = await startCommands(storage, { pageEvents: 3 })
    expect(await codeOf(second.dispatch(Account, 'a', 'Withdraw', { amount: 11 }))).toBe('command/rejected')
    expect(await second.dispatch(Account, 'a', 'Withdraw', { amount: 10 })).toMatchObject({ version: 12 })
  })

  test('costs one append where its stream is held or begun, and one read before it where not', async () => {
    const { log } = await startCommands(memoryLogStorage())
    const calls: string[] = []
    const counting: EventLog = {
      ...log,
      append: request => {
        calls.push('append')
        return log.append(request)
      },
      readStream: (...request) => {
        calls.push('read')
        return log.readStream(...request)
      },
      versionOf: stream => {
        calls.push('version')
        return log.versionOf(stream)
      },
    }
    const make = () => createDispatcher({ app: bank, log: counting, runtime: systemRuntime })
    const first = make()
    await first.dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    await first.dispatch(Account, 'a', 'Deposit', { amount: 1 })
    await make().dispatch(Account, 'a', 'Deposit', { amount: 1 })
    expect(calls).toEqual(['append', 'append', 'read', 'append'])

    calls.length = 0
    const second = make()
    const withdraw = () => codeOf(second.dispatch(Account, 'a', 'Withdraw', { amount: 9 }))
    await withdraw()
    expect(calls, 'a rejection of what was just read is not confirmed').toEqual(['read'])
    await withdraw()
    expect(calls, 'a rejection of what is held is').toEqual(['read', 'version'])
    await first.dispatch(Account, 'a', 'Deposit', { amount: 1 })
    calls.length = 0
    await withdraw()
    expect(calls, 'what moved is read, and then decided for good').toEqual(['version', 'read'])
  })

  test('is decided with its tenant, its stream, the version and the time at which it was taken', async () => {
    const contexts: DecisionContext[] = []
    const Seen = aggregate(AccountEvents, {
      ...Account,
      commands: {
        See: {
          input: z.object({}),
          decide: (_state, _input, context) => {
            contexts.push({ ...context })
            return [AccountEvents.AccountClosed({})]
          },
        },
      },
    })
    const nowMs = Date.UTC(2026, 0, 2)
    const { dispatch } = await startCommands(memoryLogStorage(), {
      app: app('seen', { aggregates: [Seen] }),
      runtime: { ...systemRuntime, now: () => nowMs },
    })
    for (const id of ['a', 'a']) await dispatch(Seen, id, 'See', {}, { tenant: 't' })
    const context = { tenant: 't', streamId: 'a', now: '2026-01-02T00:00:00.000Z' }
    expect(contexts).toEqual([
      { ...context, version: 0 },
      { ...context, version: 1 },
    ])
  })

  test('carries its metadata, and its id where it has one, into its events', async () => {
    const { dispatch } = await startCommands(memoryLogStorage())
    const metadata = { actor: 'ada', correlationId: 'c-1' }
    const { events } = await dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' }, { commandId: 'id-1', metadata })
    expect(events[0]?.metadata).toEqual({ ...metadata, commandId: 'id-1' })
  })

  test('that has nothing to do answers with a token of what it saw', async () => {
    const { dispatch } = await startCommands(memoryLogStorage())
    await dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    const closed = await dispatch(Account, 'a', 'CloseAccount', {})
    expect(await dispatch(Account, 'a', 'CloseAccount', {})).toEqual({ ...closed, events: [] })
    expect(await dispatch(Account, 'none', 'CloseAccount', {})).toMatchObject({ version: 0, position: 0, events: [] })
  })

  test('of one tenant does not see the streams of another', async () => {
    const { dispatch } = await startCommands(memoryLogStorage())
    await dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    expect(await codeOf(dispatch(Account, 'a', 'Deposit', { amount: 1 }, { tenant: 'other' }))).toBe(
      'command/stream-not-found',
    )
    expect(await dispatch(Account, 'a', 'OpenAccount', { owner: 'Bo' }, { tenant: 'other' })).toMatchObject({
      version: 1,
      position: 2,
    })
  })
})

describe('what is wrong is told by its code', () => {
  test('a rejection carries the reason, the message and the details of the domain', async () => {
    const { dispatch } = await startCommands(memoryLogStorage())
    await dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    const error = await dispatch(Account, 'a', 'Withdraw', { amount: 1 }).catch((error: unknown) => error)
    expect(error).toMatchObject({
      code: 'command/rejected',
      data: { reason: 'insufficient-funds', message: 'The balance is 0', details: { balance: 0 } },
    })
    expect(String(error)).not.toContain('balance is')
  })

  test('an input that its schema does not take, with the issues', async () => {
    const { dispatchByName } = await startCommands(memoryLogStorage())
    await expect(dispatchByName('account', 'a', 'Deposit', { amount: 'much' })).rejects.toMatchObject({
      code: 'command/invalid-input',
      data: { issues: [{ path: 'amount' }] },
    })
  })

  test('a command or an aggregate that the app does not have', async () => {
    const { dispatch, dispatchByName } = await startCommands(memoryLogStorage())
    const stranger = aggregate(AccountEvents, { ...Account, commands: Account.commands })
    expect(await codeOf(dispatchByName('account', 'a', 'Rob', {}))).toBe('command/unknown')
    expect(await codeOf(dispatchByName('toString', 'a', 'Rob', {}))).toBe('command/unknown')
    expect(await codeOf(dispatch(stranger, 'a', 'CloseAccount', {}))).toBe('command/unknown')
  })

  test('a stream that must exist and does not, or must not and does', async () => {
    const { dispatch } = await startCommands(memoryLogStorage())
    expect(await codeOf(dispatch(Account, 'a', 'Deposit', { amount: 1 }))).toBe('command/stream-not-found')
    await dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    expect(await codeOf(dispatch(Account, 'a', 'OpenAccount', { owner: 'Bo' }))).toBe('command/stream-exists')
  })

  test('a version that the caller expected and that is not there', async () => {
    const { dispatch } = await startCommands(memoryLogStorage())
    await dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    const deposit = (expectedVersion: number) => dispatch(Account, 'a', 'Deposit', { amount: 1 }, { expectedVersion })
    expect(await codeOf(deposit(2))).toBe('command/version-mismatch')
    expect(await deposit(1)).toMatchObject({ version: 2 })
    expect(await codeOf(deposit(1))).toBe('command/version-mismatch')
  })

  test.each([
    ['a stream id', 'log/invalid-stream', 'a\nb', undefined],
    ['an empty stream id', 'log/invalid-stream', '', undefined],
    ['a command id', 'command/invalid-id', 'a', 'x\u0000'],
    ['an empty command id', 'command/invalid-id', 'a', ''],
  ])('%s that no log can hold', async (_, code, streamId, commandId) => {
    const { dispatchByName } = await startCommands(memoryLogStorage())
    const options = commandId === undefined ? {} : { commandId }
    expect(await codeOf(dispatchByName('account', streamId, 'OpenAccount', { owner: 'Ada' }, options))).toBe(code)
  })

  test('more commands at once than the process takes', async () => {
    const { dispatch } = await startCommands(memoryLogStorage(), { maxPending: 2 })
    const codes = await Promise.all(['a', 'b', 'c'].map(id => codeOf(dispatch(Account, id, 'CloseAccount', {}))))
    expect(codes.filter(code => code === 'command/overloaded')).toHaveLength(1)
    expect(await dispatch(Account, 'c', 'CloseAccount', {})).toMatchObject({ version: 0 })
  })

  test('a process that is closing; it finishes what it has taken', async () => {
    const { dispatch, close, log } = await startCommands(memoryLogStorage())
    const taken = dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    const closing = Promise.all([close(), close()])
    expect(await codeOf(dispatch(Account, 'b', 'OpenAccount', { owner: 'Bo' }))).toBe('log/closed')
    await closing
    expect((await log.head()).position).toBe(1)
    await taken
  })
})

describe('held states', () => {
  test('are as many as allowed, and a stream that is not held is read again', async () => {
    const storage = memoryLogStorage()
    const { dispatch, log } = await startCommands(storage)
    let reads = 0
    const counting: EventLog = {
      ...log,
      readStream: (...request) => {
        reads++
        return log.readStream(...request)
      },
    }
    for (const id of ['a', 'b', 'c']) await dispatch(Account, id, 'OpenAccount', { owner: 'Ada' })
    const small = createDispatcher({ app: bank, log: counting, runtime: systemRuntime, cacheStates: 2 })
    const deposit = (id: string) => small.dispatch(Account, id, 'Deposit', { amount: 1 })
    for (const id of ['a', 'b', 'a', 'c', 'a']) await deposit(id)
    expect(reads).toBe(3)
    await deposit('b')
    expect(reads).toBe(4)
  })

  test('are forgotten when the connection was lost', async () => {
    const { log } = await startCommands(memoryLogStorage())
    let reads = 0
    let reconnected = (): void => undefined
    const counting: EventLog = {
      ...log,
      readStream: (...request) => {
        reads++
        return log.readStream(...request)
      },
      onReconnect: listener => {
        reconnected = listener
        return () => undefined
      },
    }
    const { dispatch } = createDispatcher({ app: bank, log: counting, runtime: systemRuntime })
    await dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    await dispatch(Account, 'a', 'Deposit', { amount: 1 })
    expect(reads).toBe(0)
    reconnected()
    await dispatch(Account, 'a', 'Deposit', { amount: 1 })
    expect(reads).toBe(1)
  })
})
