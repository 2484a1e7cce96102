import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { Account, AccountEvents } from '../../test/support/bank.ts'
import { closeCommandProcesses, startCommands } from '../../test/support/command-process.ts'
import { type AnyAggregate, aggregate, app, BifoldError, events, isError, reject } from '../define/index.ts'
import { type EventLog, type LogStorage, memoryLogStorage, systemRuntime } from '../log/index.ts'
import { createDispatcher } from './index.ts'

afterEach(closeCommandProcesses)

const keeping = (every: number, version = 1) => aggregate(AccountEvents, { ...Account, snapshot: { every, version } })
const bankOf = (kept: AnyAggregate) => app('bank', { aggregates: [kept] })
const stream = { tenant: 'default', category: 'account', id: 'a' }
const nextTurns = async (count = 3) => {
  for (let turn = 0; turn < count; turn++) await systemRuntime.turn()
}

/** What a storage is asked, beside doing it. */
function watched(storage: LogStorage = memoryLogStorage()) {
  const calls: string[] = []
  const watch: LogStorage = {
    ...storage,
    readStream: (key, from, max) => {
      calls.push(`read from ${from}`)
      return storage.readStream(key, from, max)
    },
    readFromSnapshot: async (key, snapshotVersion, max) => {
      const read = await storage.readFromSnapshot(key, snapshotVersion, max)
      calls.push(`snapshot ${read.snapshot?.version ?? 'none'} and ${read.events.length} events`)
      return read
    },
    writeSnapshots: snapshots => {
      calls.push(`write ${snapshots.map(({ version }) => version).join()}`)
      return storage.writeSnapshots(snapshots)
    },
  }
  return { storage: watch, calls }
}

async function deposits(every: number, count: number, storage: LogStorage) {
  const kept = keeping(every)
  const process = await startCommands(storage, { app: bankOf(kept) })
  await process.dispatch(kept, 'a', 'OpenAccount', { owner: 'Ada' })
  for (let n = 1; n < count; n++) {
    await process.dispatch(kept, 'a', 'Deposit', { amount: 1 })
    await nextTurns()
  }
  return { kept, process }
}

describe('states are kept', () => {
  test('with every n events, and a cold load reads the last one and what came after, in one call', async () => {
    const { storage, calls } = watched()
    const { kept } = await deposits(4, 10, storage)
    expect(calls).toEqual(['write 4', 'write 8'])
    calls.length = 0
    const cold = await startCommands(storage, { app: bankOf(kept) })
    expect(await cold.dispatch(kept, 'a', 'Withdraw', { amount: 9 })).toMatchObject({ version: 11 })
    expect(calls).toEqual(['snapshot 8 and 2 events'])
  })

  test('by an append that goes past the n-th event too', async () => {
    const { storage, calls } = watched()
    const Many = aggregate(AccountEvents, {
      ...keeping(4),
      commands: {
        DepositThrice: {
          input: z.object({}),
          decide: () => Array.from({ length: 3 }, () => AccountEvents.MoneyDeposited({ amount: 1 })),
        },
      },
    })
    const { dispatch } = await startCommands(storage, { app: bankOf(Many) })
    for (let n = 0; n < 3; n++) {
      await dispatch(Many, 'a', 'DepositThrice', {})
      await nextTurns()
    }
    expect(calls.filter(call => call.startsWith('write'))).toEqual(['write 6', 'write 9'])
  })

  test('by a load that had to fold much: of a stream from before, or of another snapshot version', async () => {
    const { storage, calls } = watched()
    await deposits(1000, 10, storage)
    const load = async (version: number) => {
      calls.length = 0
      const kept = keeping(4, version)
      const { dispatchByName, close } = await startCommands(storage, { app: bankOf(kept) })
      await dispatchByName('account', 'a', 'Withdraw', { amount: 99 }).catch(() => undefined)
      await close()
      return [...calls]
    }
    expect(await load(1)).toEqual(['snapshot none and 10 events', 'write 10'])
    expect(await load(1)).toEqual(['snapshot 10 and 0 events'])
    expect(await load(2)).toEqual(['snapshot none and 10 events', 'write 10'])
    expect(await load(1)).toEqual(['snapshot none and 10 events', 'write 10'])
    expect(await load(2)).toEqual(['snapshot 10 and 0 events'])
  })

  test('no later than when the process closes, the newest of each stream alone', async () => {
    const { storage, calls } = watched()
    const kept = keeping(1)
    const { dispatch, close } = await startCommands(storage, { app: bankOf(kept) })
    await dispatch(kept, 'a', 'OpenAccount', { owner: 'Ada' })
    await nextTurns()
    calls.length = 0
    await Promise.all(Array.from({ length: 5 }, () => dispatch(kept, 'a', 'Deposit', { amount: 1 })))
    await close()
    expect(calls.at(-1)).toBe('write 6')
  })

  test('and read page by page after it', async () => {
    const { storage, calls } = watched()
    await deposits(4, 11, storage)
    calls.length = 0
    const kept = keeping(1000)
    const cold = await startCommands(storage, { app: bankOf(kept), pageEvents: 2 })
    expect(await cold.dispatch(kept, 'a', 'Withdraw', { amount: 10 })).toMatchObject({ version: 12 })
    expect(calls).toEqual(['snapshot 8 and 2 events', 'read from 11'])
  })
})

test('a changed evolve with a raised version folds anew, and does not go on from what the old one kept', async () => {
  const storage = memoryLogStorage()
  const counting = (step: number, version: number) => {
    const Counts = events('count', { Counted: z.object({}) })
    return aggregate(Counts, {
      initial: (): number => 0,
      evolve: { Counted: count => count + step },
      commands: {
        Count: { input: z.object({}), decide: () => [Counts.Counted({})] },
        Tell: {
          input: z.object({}),
          decide: count => reject(String(count), 'told'),
        },
      },
      snapshot: { every: 2, version },
    })
  }
  const told = async (step: number, version: number) => {
    const Count = counting(step, version)
    const { dispatch, close } = await startCommands(storage, { app: app('counts', { aggregates: [Count] }) })
    if (version === 1 && step === 1) for (let n = 0; n < 5; n++) await dispatch(Count, 'c', 'Count', {})
    const error = await dispatch(Count, 'c', 'Tell', {}).catch((error: unknown) => error)
    await close()
    return isError(error, 'command/rejected') ? error.data.reason : error
  }
  expect(await told(1, 1)).toBe('5')
  expect(await told(10, 1), 'the version was forgotten: a state of the old evolve is gone on from').toBe('14')
  expect(await told(10, 2)).toBe('50')
})

describe('a state that cannot be kept', () => {
  const heard = async (storage: LogStorage, act: AnyAggregate, options = {}) => {
    const errors: BifoldError[] = []
    const { dispatchByName, close } = await startCommands(storage, {
      app: bankOf(act),
      onSnapshotFailed: error => errors.push(error),
      ...options,
    })
    const outcome = await dispatchByName('account', 'a', 'OpenAccount', { owner: 'Ada' })
    await close()
    expect(outcome).toMatchObject({ version: 1 })
    return errors.map(({ code, data }) => [code, data])
  }
  const failed = (problem: unknown) => [
    ['command/snapshot-failed', { category: 'account', streamId: 'a', version: 1, problem }],
  ]

  test('because JSON would not give it back is told of, and the command is carried out', async () => {
    const dated = { ...keeping(1), evolve: { ...Account.evolve, AccountOpened: () => ({ at: new Date(0) }) } }
    expect(await heard(memoryLogStorage(), dated as AnyAggregate)).toEqual(failed('at at it is no plain object'))
  })

  test('because it is too large is told of', async () => {
    const large = { ...keeping(1), evolve: { ...Account.evolve, AccountOpened: () => 'x'.repeat(2 ** 20) } }
    expect(await heard(memoryLogStorage(), large as AnyAggregate)).toEqual(failed('it has more than 1048576 bytes'))
  })

  test('because the database does not take it is told of', async () => {
    const storage = memoryLogStorage()
    const writeSnapshots = () => Promise.reject(new BifoldError('log/connection-lost', { problem: 'cut' }))
    expect(await heard({ ...storage, writeSnapshots }, keeping(1))).toEqual(failed('log/connection-lost'))
  })

  test('because somebody wrote something else in its place is passed over', async () => {
    const { storage, calls } = watched()
    const { kept, process } = await deposits(4, 6, storage)
    const { snapshot } = await process.log.readFromSnapshot(stream, { snapshotVersion: 1, maxEvents: 9 })
    if (snapshot === undefined) throw new Error('nothing was kept')
    Object.assign(snapshot, { state: '{' })
    calls.length = 0
    const cold = await startCommands(storage, { app: bankOf(kept) })
    expect(await cold.dispatch(kept, 'a', 'Withdraw', { amount: 5 })).toMatchObject({ version: 7 })
    expect(calls.slice(0, 2)).toEqual(['snapshot 4 and 2 events', 'read from 1'])
  })

  test('is a warning of the process where nobody else wants to hear of it, once for each aggregate', async () => {
    const warnings: string[] = []
    const hear = (warning: Error & { readonly code?: string }) => warnings.push(`${warning.code}`)
    process.on('warning', hear)
    const dated = { ...keeping(1), evolve: { ...Account.evolve, AccountOpened: () => ({ at: new Date(0) }) } }
    const { dispatchByName, close } = await startCommands(memoryLogStorage(), { app: bankOf(dated as AnyAggregate) })
    for (const id of ['a', 'b']) await dispatchByName('account', id, 'OpenAccount', { owner: 'Ada' })
    await close()
    await nextTurns()
    process.off('warning', hear)
    expect(warnings).toEqual(['command/snapshot-failed'])
  })

  test('because too many wait is let go', async () => {
    const storage = memoryLogStorage()
    const kept = keeping(1)
    const { log } = await startCommands(storage)
    const written: string[] = []
    const slow: EventLog = {
      ...log,
      writeSnapshots: async snapshots => {
        written.push(...snapshots.map(snapshot => snapshot.stream.id))
      },
    }
    const { dispatch, close } = createDispatcher({
      app: bankOf(kept),
      log: slow,
      runtime: systemRuntime,
      maxPendingSnapshots: 2,
    })
    await Promise.all(['a', 'b', 'c'].map(id => dispatch(kept, id, 'OpenAccount', { owner: 'Ada' })))
    await close()
    expect(written).toEqual(['a', 'b'])
  })
})

const steps = fc.array(
  fc.record({
    process: fc.constantFrom(0, 1, 2),
    stream: fc.constantFrom('a', 'b'),
    command: fc.oneof(
      { arbitrary: fc.constant(['OpenAccount', { owner: 'Ada' }] as const), weight: 3 },
      { arbitrary: fc.constant(['CloseAccount', {}] as const), weight: 1 },
      { arbitrary: fc.integer({ min: 1, max: 5 }).map(amount => ['Deposit', { amount }] as const), weight: 6 },
      { arbitrary: fc.integer({ min: 1, max: 5 }).map(amount => ['Withdraw', { amount }] as const), weight: 4 },
    ),
    turns: fc.integer({ min: 0, max: 2 }),
  }),
  { minLength: 10, maxLength: 40, size: 'max' },
)

test('any commands have the same outcomes with states kept, at any distance and by any of several releases', async () => {
  let loadsFromKept = 0
  await fc.assert(
    fc.asyncProperty(steps, fc.integer({ min: 1, max: 7 }), async (sent, every) => {
      const { storage, calls } = watched()
      const options = { cacheStates: 0 }
      const processes = [
        await startCommands(storage, { ...options, app: bankOf(keeping(every)) }),
        await startCommands(storage, { ...options, app: bankOf(keeping(every, 2)) }),
        await startCommands(storage, { ...options, app: bankOf(Account) }),
      ]
      const plain = await startCommands(memoryLogStorage(), options)
      for (const { process, stream, command, turns } of sent) {
        const outcomeOf = (dispatcher: typeof plain) =>
          dispatcher.dispatchByName('account', stream, command[0], command[1]).then(
            ({ version, position, events: added }) => ({ version, position, added: added.map(({ data }) => data) }),
            (error: unknown) => (error instanceof BifoldError ? { code: error.code, data: error.data } : error),
          )
        expect(await outcomeOf(processes[process] as typeof plain)).toEqual(await outcomeOf(plain))
        await nextTurns(turns)
      }
      loadsFromKept += calls.filter(call => /^snapshot \d/.test(call)).length
      await closeCommandProcesses()
    }),
    { numRuns: 150 },
  )
  expect(loadsFromKept).toBeGreaterThan(100)
})
