import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { Account, bank } from '../../test/support/bank.ts'
import { closeCommandProcesses, codeOf, startCommands } from '../../test/support/command-process.ts'
import { aggregate, app, BifoldError, events } from '../define/index.ts'
import { type EventLog, memoryLogStorage, systemRuntime } from '../log/index.ts'
import { createDispatcher } from './index.ts'

afterEach(closeCommandProcesses)

describe('commands that meet', () => {
  test('in one process are decided one after the other, without a conflict', async () => {
    const { dispatch } = await startCommands(memoryLogStorage(), { attempts: 1 })
    await dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, () => dispatch(Account, 'a', 'Deposit', { amount: 1 })),
    )
    expect(outcomes.map(({ version }) => version)).toEqual(Array.from({ length: 50 }, (_, at) => at + 2))
  })

  test('in two processes are decided again on what the other one wrote', async () => {
    const storage = memoryLogStorage()
    const both = [await startCommands(storage), await startCommands(storage)]
    await both[0]?.dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    await Promise.all(
      both.flatMap(({ dispatch }) =>
        Array.from({ length: 50 }, () => dispatch(Account, 'a', 'Deposit', { amount: 1 })),
      ),
    )
    expect(await codeOf(both[0]!.dispatch(Account, 'a', 'Withdraw', { amount: 101 }))).toBe('command/rejected')
    expect(await both[1]?.dispatch(Account, 'a', 'Withdraw', { amount: 100 })).toMatchObject({ version: 102 })
  })

  test('keep the process alive between two attempts', async () => {
    const from = (path: string) => new URL(path, import.meta.url).href
    const program = `
      import { bank } from '${from('../../test/support/bank.ts')}'
      import { createLog, memoryLogStorage, systemRuntime } from '${from('../log/index.ts')}'
      import { createDispatcher } from '${from('./index.ts')}'
      const log = await createLog(memoryLogStorage(), { eventTypes: bank.eventTypes })
      const losing = { ...log, append: async () => ({ kind: 'conflict', version: 0 }) }
      const runtime = { ...systemRuntime, random: () => 1 }
      const { dispatchByName } = createDispatcher({ app: bank, log: losing, runtime, attempts: 4 })
      dispatchByName('account', 'a', 'OpenAccount', { owner: 'Ada' }).catch(error => console.log(error.code))`
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program])
    expect(stdout.trim()).toBe('command/conflict')
  })

  test('again and again end in a conflict that says how often', async () => {
    const storage = memoryLogStorage()
    const [first, other] = [await startCommands(storage, { attempts: 3 }), await startCommands(storage)]
    await other.dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    let reads = 0
    const racing: EventLog = {
      ...first.log,
      readStream: async (...request) => {
        const read = await first.log.readStream(...request)
        reads++
        await other.dispatch(Account, 'a', 'Deposit', { amount: 1 })
        return read
      },
    }
    const { dispatch } = createDispatcher({ app: bank, log: racing, runtime: systemRuntime, attempts: 3 })
    await expect(dispatch(Account, 'a', 'Deposit', { amount: 1 })).rejects.toMatchObject({
      code: 'command/conflict',
      data: { attempts: 3 },
    })
    expect(reads).toBe(3)
  })

  test('what would be rejected on a state that is out of date is decided again', async () => {
    const storage = memoryLogStorage()
    const [first, second] = [await startCommands(storage), await startCommands(storage)]
    await first.dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    await second.dispatch(Account, 'a', 'Deposit', { amount: 5 })
    expect(await first.dispatch(Account, 'a', 'Withdraw', { amount: 5 })).toMatchObject({ version: 3 })
  })

  test('what would be nothing to do on a state that is out of date is decided again', async () => {
    const Switches = events('switch', { TurnedOn: z.object({}), TurnedOff: z.object({}) })
    const Switch = aggregate(Switches, {
      initial: (): boolean => false,
      evolve: { TurnedOn: () => true, TurnedOff: () => false },
      commands: {
        TurnOn: { input: z.object({}), decide: on => (on ? [] : [Switches.TurnedOn({})]) },
        TurnOff: { input: z.object({}), decide: on => (on ? [Switches.TurnedOff({})] : []) },
      },
    })
    const storage = memoryLogStorage()
    const switches = app('switches', { aggregates: [Switch] })
    const [first, second] = [
      await startCommands(storage, { app: switches }),
      await startCommands(storage, { app: switches }),
    ]
    await first.dispatch(Switch, 's', 'TurnOn', {})
    await second.dispatch(Switch, 's', 'TurnOff', {})
    expect(await first.dispatch(Switch, 's', 'TurnOn', {})).toMatchObject({ version: 3 })
  })

  test('a stream that was begun elsewhere is found by the command that would begin it', async () => {
    const storage = memoryLogStorage()
    const [first, second] = [await startCommands(storage), await startCommands(storage)]
    await first.dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    expect(await codeOf(second.dispatch(Account, 'a', 'OpenAccount', { owner: 'Bo' }))).toBe('command/stream-exists')
  })

  test('to the last, and whose id another process carried out meanwhile, are answered as it was', async () => {
    const storage = memoryLogStorage()
    const [{ log }, other] = [await startCommands(storage), await startCommands(storage)]
    await other.dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    const late: EventLog = {
      ...log,
      append: async request => {
        await other.dispatch(Account, 'a', 'Deposit', { amount: 1 })
        const outcome = await log.append(request)
        await other.dispatch(Account, 'a', 'Deposit', { amount: 5 }, { commandId: 'd-1' })
        return outcome
      },
    }
    const { dispatch } = createDispatcher({ app: bank, log: late, runtime: systemRuntime, attempts: 1 })
    expect(await dispatch(Account, 'a', 'Deposit', { amount: 5 }, { commandId: 'd-1' })).toMatchObject({
      version: 3,
      repeated: true,
    })
  })

  test('with a log that holds less than was folded are decided on what it holds', async () => {
    const [before, restored] = [await startCommands(memoryLogStorage()), await startCommands(memoryLogStorage())]
    for (const { dispatch } of [before, restored]) await dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    let { log } = before
    const changing: EventLog = {
      ...log,
      append: request => log.append(request),
      readStream: (...request) => log.readStream(...request),
      versionOf: stream => log.versionOf(stream),
    }
    const { dispatch } = createDispatcher({ app: bank, log: changing, runtime: systemRuntime, attempts: 2 })
    await dispatch(Account, 'a', 'Deposit', { amount: 5 })
    log = restored.log
    expect(await codeOf(dispatch(Account, 'a', 'Withdraw', { amount: 5 }))).toBe('command/rejected')
  })

  test('an append of unknown outcome is told as such, and whatever became of it, the next command is right', async () => {
    const { log } = await startCommands(memoryLogStorage())
    let answers = true
    const losing: EventLog = {
      ...log,
      append: async request => {
        const outcome = await log.append(request)
        if (answers) return outcome
        throw new BifoldError('log/outcome-unknown', { commandId: 'x', waitedMs: 1 })
      },
    }
    const { dispatch } = createDispatcher({ app: bank, log: losing, runtime: systemRuntime })
    await dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    const deposit = () => dispatch(Account, 'a', 'Deposit', { amount: 1 }, { commandId: 'd-1' })
    answers = false
    expect(await codeOf(deposit())).toBe('log/outcome-unknown')
    answers = true
    expect(await deposit()).toMatchObject({ version: 2, repeated: true })
    expect(await codeOf(dispatch(Account, 'a', 'Withdraw', { amount: 2 }))).toBe('command/rejected')
    expect(await dispatch(Account, 'a', 'Withdraw', { amount: 1 })).toMatchObject({ version: 3 })
  })
})
