import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { Account, AccountEvents } from '../../test/support/bank.ts'
import {
  type CommandProcess,
  closeCommandProcesses,
  codeOf,
  startCommands,
} from '../../test/support/command-process.ts'
import { aggregate, app } from '../define/index.ts'
import { type EventLog, memoryLogStorage } from '../log/index.ts'

afterEach(closeCommandProcesses)

const typesIn = async (log: EventLog): Promise<readonly string[]> =>
  (await log.read({ position: 0, fingerprint: '' })).events.map(({ type }) => type)

describe('a command with an id', () => {
  test('is carried out once, and answered alike each time, from another process too', async () => {
    const storage = memoryLogStorage()
    const [first, second] = [await startCommands(storage), await startCommands(storage)]
    await first.dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    const deposit = (process: CommandProcess) =>
      process.dispatch(Account, 'a', 'Deposit', { amount: 5 }, { commandId: 'd-1' })
    const once = await deposit(first)
    await first.dispatch(Account, 'a', 'Deposit', { amount: 1 })
    expect(await deposit(first)).toEqual({ ...once, repeated: true })
    expect(await deposit(second)).toEqual({ ...once, repeated: true })
    expect(await typesIn(first.log)).toEqual(['AccountOpened', 'MoneyDeposited', 'MoneyDeposited'])
  })

  test('that would be rejected the second time has the outcome of the first', async () => {
    const storage = memoryLogStorage()
    const first = await startCommands(storage)
    await first.dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    await first.dispatch(Account, 'a', 'Deposit', { amount: 5 })
    const withdraw = (process: CommandProcess) =>
      process.dispatch(Account, 'a', 'Withdraw', { amount: 5 }, { commandId: 'w-1' })
    const once = await withdraw(first)
    expect(await withdraw(first)).toEqual({ ...once, repeated: true })
    expect(await withdraw(await startCommands(storage))).toEqual({ ...once, repeated: true })
    expect(await codeOf(first.dispatch(Account, 'a', 'Withdraw', { amount: 5 }, { commandId: 'w-2' }))).toBe(
      'command/rejected',
    )
  })

  test('that would find its stream begun the second time has the outcome of the first', async () => {
    const storage = memoryLogStorage()
    const open = (process: CommandProcess) =>
      process.dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' }, { commandId: 'o-1' })
    const first = await startCommands(storage)
    const once = await open(first)
    expect(await open(first)).toEqual({ ...once, repeated: true })
    expect(await open(await startCommands(storage))).toEqual({ ...once, repeated: true })
  })

  test('that had nothing to do has nothing to do the second time, though there is something now', async () => {
    const storage = memoryLogStorage()
    const first = await startCommands(storage)
    const close = (process: CommandProcess) => process.dispatch(Account, 'a', 'CloseAccount', {}, { commandId: 'c-1' })
    const once = await close(first)
    expect(once).toMatchObject({ events: [], version: 0, repeated: false })
    await first.dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    expect(await close(first)).toEqual({ ...once, repeated: true })
    expect(await close(await startCommands(storage))).toEqual({ ...once, repeated: true })
  })

  test('that was rejected is decided again, since nothing was done', async () => {
    const { dispatch } = await startCommands(memoryLogStorage())
    await dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    const withdraw = () => dispatch(Account, 'a', 'Withdraw', { amount: 5 }, { commandId: 'w-1' })
    expect(await codeOf(withdraw())).toBe('command/rejected')
    await dispatch(Account, 'a', 'Deposit', { amount: 5 })
    expect(await withdraw()).toMatchObject({ version: 3, repeated: false })
  })

  test('is refused for another input or another stream, whatever would be decided', async () => {
    const storage = memoryLogStorage()
    const first = await startCommands(storage)
    for (const id of ['a', 'b']) await first.dispatch(Account, id, 'OpenAccount', { owner: 'Ada' })
    const options = { commandId: 'd-1' }
    await first.dispatch(Account, 'a', 'Deposit', { amount: 5 }, options)
    for (const process of [first, await startCommands(storage)]) {
      expect(await codeOf(process.dispatch(Account, 'a', 'Deposit', { amount: 6 }, options))).toBe('command/id-reused')
      expect(await codeOf(process.dispatch(Account, 'b', 'Deposit', { amount: 5 }, options))).toBe('command/id-reused')
      expect(await codeOf(process.dispatch(Account, 'c', 'Deposit', { amount: 5 }, options))).toBe('command/id-reused')
    }
  })

  test('is another one for another command or another tenant', async () => {
    const { dispatch } = await startCommands(memoryLogStorage())
    const options = { commandId: 'same' }
    await dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' }, options)
    expect(await dispatch(Account, 'a', 'Deposit', { amount: 1 }, options)).toMatchObject({ version: 2 })
    expect(
      await dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' }, { ...options, tenant: 'other' }),
    ).toMatchObject({ version: 1, repeated: false })
  })

  test('that is sent many times at once is decided once', async () => {
    let decisions = 0
    const counted = app('counted', {
      aggregates: [
        aggregate(AccountEvents, {
          ...Account,
          commands: {
            Deposit: {
              input: z.object({}),
              decide: () => {
                decisions++
                return [AccountEvents.MoneyDeposited({ amount: 1 })]
              },
            },
          },
        }),
      ],
    })
    const { dispatchByName } = await startCommands(memoryLogStorage(), { app: counted })
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, () => dispatchByName('account', 'a', 'Deposit', {}, { commandId: 'd-1' })),
    )
    expect(decisions).toBe(1)
    expect(new Set(outcomes.map(({ token }) => token)).size).toBe(1)
    expect(outcomes.filter(({ repeated }) => !repeated)).toHaveLength(1)
  })

  test('that is under way is refused for another input', async () => {
    const { dispatch } = await startCommands(memoryLogStorage())
    await dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    const deposit = (amount: number) => dispatch(Account, 'a', 'Deposit', { amount }, { commandId: 'd-1' })
    const first = deposit(1)
    expect(await codeOf(deposit(2))).toBe('command/id-reused')
    expect(await first).toMatchObject({ version: 2 })
  })
})
