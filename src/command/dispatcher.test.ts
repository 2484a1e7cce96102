import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { Account, AccountEvents, bank } from '../../test/support/bank.ts'
import { aggregate, app, BifoldError, type DecisionContext, events } from '../define/index.ts'
import { createLog, type EventLog, type LogStorage, memoryLogStorage, systemRuntime } from '../log/index.ts'
import { createDispatcher, type Dispatcher, type DispatcherOptions } from './index.ts'

const opened: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of opened.splice(0)) await close()
})

interface Process extends Dispatcher {
  readonly log: EventLog
}

/** A process: a log and a command side of its own on a storage that others may use too. */
async function start(storage: LogStorage, options: Partial<DispatcherOptions> = {}): Promise<Process> {
  const { app = bank } = options
  const log = await createLog(storage, { eventTypes: app.eventTypes })
  const dispatcher = createDispatcher({ app, log, runtime: systemRuntime, ...options })
  opened.push(dispatcher.close, log.close)
  return { ...dispatcher, log }
}

/** The code of the error that `promise` fails with. */
async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (error: unknown) => error,
  )
  return error instanceof BifoldError ? error.code : `no error of the catalogue: ${String(error)}`
}

const typesIn = async (log: EventLog): Promise<readonly string[]> =>
  (await log.read({ position: 0, fingerprint: '' })).events.map(({ type }) => type)

describe('a command', () => {
  test('answers with its events, the new version, the position and a token', async () => {
    const { dispatch, log } = await start(memoryLogStorage())
    const first = await dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    const second = await dispatch(Account, 'a', 'Deposit', { amount: 5 })
    expect(first).toMatchObject({ version: 1, position: 1, repeated: false })
    expect(second).toMatchObject({ version: 2, position: 2, repeated: false })
    expect(second.events.map(({ type, data }) => [type, data])).toEqual([['MoneyDeposited', { amount: 5 }]])
    expect(second.token).toBe(`${log.id}.2.${second.events[0]?.id.slice(-12)}`)
  })

  test('is decided on all events of its stream, page by page, when none of them is held', async () => {
    const storage = memoryLogStorage()
    const first = await start(storage)
    await first.dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    for (let count = 0; count < 10; count++) await first.dispatch(Account, 'a', 'Deposit', { amount: 1 })
    const second = await start(storage, { pageEvents: 3 })
    expect(await codeOf(second.dispatch(Account, 'a', 'Withdraw', { amount: 11 }))).toBe('command/rejected')
    expect(await second.dispatch(Account, 'a', 'Withdraw', { amount: 10 })).toMatchObject({ version: 12 })
  })

  test('costs one append where its stream is held or begun, and one read before it where not', async () => {
    const { log } = await start(memoryLogStorage())
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
    const { dispatch } = await start(memoryLogStorage(), {
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
    const { dispatch } = await start(memoryLogStorage())
    const metadata = { actor: 'ada', correlationId: 'c-1' }
    const { events } = await dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' }, { commandId: 'id-1', metadata })
    expect(events[0]?.metadata).toEqual({ ...metadata, commandId: 'id-1' })
  })

  test('that has nothing to do answers with a token of what it saw', async () => {
    const { dispatch } = await start(memoryLogStorage())
    await dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    const closed = await dispatch(Account, 'a', 'CloseAccount', {})
    expect(await dispatch(Account, 'a', 'CloseAccount', {})).toEqual({ ...closed, events: [] })
    expect(await dispatch(Account, 'none', 'CloseAccount', {})).toMatchObject({ version: 0, position: 0, events: [] })
  })

  test('of one tenant does not see the streams of another', async () => {
    const { dispatch } = await start(memoryLogStorage())
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
    const { dispatch } = await start(memoryLogStorage())
    await dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    const error = await dispatch(Account, 'a', 'Withdraw', { amount: 1 }).catch((error: unknown) => error)
    expect(error).toMatchObject({
      code: 'command/rejected',
      data: { reason: 'insufficient-funds', message: 'The balance is 0', details: { balance: 0 } },
    })
    expect(String(error)).not.toContain('balance is')
  })

  test('an input that its schema does not take, with the issues', async () => {
    const { dispatchByName } = await start(memoryLogStorage())
    await expect(dispatchByName('account', 'a', 'Deposit', { amount: 'much' })).rejects.toMatchObject({
      code: 'command/invalid-input',
      data: { issues: [{ path: 'amount' }] },
    })
  })

  test('a command or an aggregate that the app does not have', async () => {
    const { dispatch, dispatchByName } = await start(memoryLogStorage())
    const stranger = aggregate(AccountEvents, { ...Account, commands: Account.commands })
    expect(await codeOf(dispatchByName('account', 'a', 'Rob', {}))).toBe('command/unknown')
    expect(await codeOf(dispatchByName('toString', 'a', 'Rob', {}))).toBe('command/unknown')
    expect(await codeOf(dispatch(stranger, 'a', 'CloseAccount', {}))).toBe('command/unknown')
  })

  test('a stream that must exist and does not, or must not and does', async () => {
    const { dispatch } = await start(memoryLogStorage())
    expect(await codeOf(dispatch(Account, 'a', 'Deposit', { amount: 1 }))).toBe('command/stream-not-found')
    await dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    expect(await codeOf(dispatch(Account, 'a', 'OpenAccount', { owner: 'Bo' }))).toBe('command/stream-exists')
  })

  test('a version that the caller expected and that is not there', async () => {
    const { dispatch } = await start(memoryLogStorage())
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
    const { dispatchByName } = await start(memoryLogStorage())
    const options = commandId === undefined ? {} : { commandId }
    expect(await codeOf(dispatchByName('account', streamId, 'OpenAccount', { owner: 'Ada' }, options))).toBe(code)
  })

  test('more commands at once than the process takes', async () => {
    const { dispatch } = await start(memoryLogStorage(), { maxPending: 2 })
    const codes = await Promise.all(['a', 'b', 'c'].map(id => codeOf(dispatch(Account, id, 'CloseAccount', {}))))
    expect(codes.filter(code => code === 'command/overloaded')).toHaveLength(1)
    expect(await dispatch(Account, 'c', 'CloseAccount', {})).toMatchObject({ version: 0 })
  })

  test('a process that is closing; it finishes what it has taken', async () => {
    const { dispatch, close, log } = await start(memoryLogStorage())
    const taken = dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    const closing = Promise.all([close(), close()])
    expect(await codeOf(dispatch(Account, 'b', 'OpenAccount', { owner: 'Bo' }))).toBe('log/closed')
    await closing
    expect((await log.head()).position).toBe(1)
    await taken
  })
})

describe('a definition that does what it may not', () => {
  const Notes = events('note', { Noted: z.object({ text: z.string() }), Broken: z.object({}) })
  const Others = events('other', { Happened: z.object({}) })
  const cause = new Error('no')
  const lie = (decided: unknown) => ({ input: z.object({}), decide: () => decided as never[] })
  const Note = aggregate(Notes, {
    initial: (): { texts: string[] } => ({ texts: [] }),
    evolve: {
      Noted: (note, { data }) => ({ texts: [...note.texts, data.text] }),
      Broken: () => {
        throw cause
      },
    },
    commands: {
      Note: { input: z.object({ text: z.string() }), decide: (_, { text }) => [Notes.Noted({ text })] },
      Break: { input: z.object({}), decide: () => [Notes.Broken({})] },
      Throw: {
        input: z.object({}),
        decide: () => {
          throw cause
        },
      },
      Change: {
        input: z.object({}),
        decide: note => {
          note.texts.push('changed')
          return []
        },
      },
      Stray: lie([Others.Happened({})]),
      Inherit: lie([{ category: 'note', type: 'toString', data: {} }]),
      Nothing: lie(undefined),
      Later: lie(Promise.resolve([])),
      Holes: lie([null]),
    },
  })
  const notes = app('notes', { aggregates: [Note], events: [Others] })

  test.each(['Stray', 'Inherit', 'Nothing', 'Later', 'Holes'])('%s: its decision is refused', async command => {
    const { dispatchByName, log } = await start(memoryLogStorage(), { app: notes })
    expect(await codeOf(dispatchByName('note', 'a', command, {}))).toBe('command/invalid-decision')
    expect(await typesIn(log)).toEqual([])
  })

  test('a decide that throws is told with its error as the cause', async () => {
    const { dispatch } = await start(memoryLogStorage(), { app: notes })
    await expect(dispatch(Note, 'a', 'Throw', {})).rejects.toMatchObject({ code: 'command/decide-failed', cause })
  })

  test('a decide that changes the state it is given is stopped, and spoils no later decision', async () => {
    const { dispatch } = await start(memoryLogStorage(), { app: notes })
    await dispatch(Note, 'a', 'Note', { text: 'one' })
    expect(await codeOf(dispatch(Note, 'a', 'Change', {}))).toBe('command/decide-failed')
  })

  test('an evolve that throws fails the next command of the stream, and not the one that was accepted', async () => {
    const { dispatch } = await start(memoryLogStorage(), { app: notes })
    expect(await dispatch(Note, 'a', 'Break', {})).toMatchObject({ version: 1 })
    await expect(dispatch(Note, 'a', 'Note', { text: 'x' })).rejects.toMatchObject({
      code: 'command/evolve-failed',
      cause,
      data: { type: 'Broken', version: 1 },
    })
    expect(await codeOf(dispatch(Note, 'a', 'Note', { text: 'x' }))).toBe('command/evolve-failed')
    expect(await dispatch(Note, 'b', 'Note', { text: 'x' })).toMatchObject({ version: 1 })
  })
})

describe('commands that meet', () => {
  test('in one process are decided one after the other, without a conflict', async () => {
    const { dispatch } = await start(memoryLogStorage(), { attempts: 1 })
    await dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, () => dispatch(Account, 'a', 'Deposit', { amount: 1 })),
    )
    expect(outcomes.map(({ version }) => version)).toEqual(Array.from({ length: 50 }, (_, at) => at + 2))
  })

  test('in two processes are decided again on what the other one wrote', async () => {
    const storage = memoryLogStorage()
    const both = [await start(storage), await start(storage)]
    await both[0]?.dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    await Promise.all(
      both.flatMap(({ dispatch }) =>
        Array.from({ length: 50 }, () => dispatch(Account, 'a', 'Deposit', { amount: 1 })),
      ),
    )
    expect(await codeOf(both[0]!.dispatch(Account, 'a', 'Withdraw', { amount: 101 }))).toBe('command/rejected')
    expect(await both[1]?.dispatch(Account, 'a', 'Withdraw', { amount: 100 })).toMatchObject({ version: 102 })
  })

  test('again and again end in a conflict that says how often', async () => {
    const storage = memoryLogStorage()
    const [first, other] = [await start(storage, { attempts: 3 }), await start(storage)]
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
    const [first, second] = [await start(storage), await start(storage)]
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
    const [first, second] = [await start(storage, { app: switches }), await start(storage, { app: switches })]
    await first.dispatch(Switch, 's', 'TurnOn', {})
    await second.dispatch(Switch, 's', 'TurnOff', {})
    expect(await first.dispatch(Switch, 's', 'TurnOn', {})).toMatchObject({ version: 3 })
  })

  test('a stream that was begun elsewhere is found by the command that would begin it', async () => {
    const storage = memoryLogStorage()
    const [first, second] = [await start(storage), await start(storage)]
    await first.dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    expect(await codeOf(second.dispatch(Account, 'a', 'OpenAccount', { owner: 'Bo' }))).toBe('command/stream-exists')
  })
})

describe('a command with an id', () => {
  test('is carried out once, and answered alike each time, from another process too', async () => {
    const storage = memoryLogStorage()
    const [first, second] = [await start(storage), await start(storage)]
    await first.dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    const deposit = (process: Process) => process.dispatch(Account, 'a', 'Deposit', { amount: 5 }, { commandId: 'd-1' })
    const once = await deposit(first)
    await first.dispatch(Account, 'a', 'Deposit', { amount: 1 })
    expect(await deposit(first)).toEqual({ ...once, repeated: true })
    expect(await deposit(second)).toEqual({ ...once, repeated: true })
    expect(await typesIn(first.log)).toEqual(['AccountOpened', 'MoneyDeposited', 'MoneyDeposited'])
  })

  test('that would be rejected the second time has the outcome of the first', async () => {
    const storage = memoryLogStorage()
    const first = await start(storage)
    await first.dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    await first.dispatch(Account, 'a', 'Deposit', { amount: 5 })
    const withdraw = (process: Process) =>
      process.dispatch(Account, 'a', 'Withdraw', { amount: 5 }, { commandId: 'w-1' })
    const once = await withdraw(first)
    expect(await withdraw(first)).toEqual({ ...once, repeated: true })
    expect(await withdraw(await start(storage))).toEqual({ ...once, repeated: true })
    expect(await codeOf(first.dispatch(Account, 'a', 'Withdraw', { amount: 5 }, { commandId: 'w-2' }))).toBe(
      'command/rejected',
    )
  })

  test('that would find its stream begun the second time has the outcome of the first', async () => {
    const storage = memoryLogStorage()
    const open = (process: Process) =>
      process.dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' }, { commandId: 'o-1' })
    const first = await start(storage)
    const once = await open(first)
    expect(await open(first)).toEqual({ ...once, repeated: true })
    expect(await open(await start(storage))).toEqual({ ...once, repeated: true })
  })

  test('that had nothing to do has nothing to do the second time, though there is something now', async () => {
    const storage = memoryLogStorage()
    const first = await start(storage)
    const close = (process: Process) => process.dispatch(Account, 'a', 'CloseAccount', {}, { commandId: 'c-1' })
    const once = await close(first)
    expect(once).toMatchObject({ events: [], version: 0, repeated: false })
    await first.dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    expect(await close(first)).toEqual({ ...once, repeated: true })
    expect(await close(await start(storage))).toEqual({ ...once, repeated: true })
  })

  test('that was rejected is decided again, since nothing was done', async () => {
    const { dispatch } = await start(memoryLogStorage())
    await dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    const withdraw = () => dispatch(Account, 'a', 'Withdraw', { amount: 5 }, { commandId: 'w-1' })
    expect(await codeOf(withdraw())).toBe('command/rejected')
    await dispatch(Account, 'a', 'Deposit', { amount: 5 })
    expect(await withdraw()).toMatchObject({ version: 3, repeated: false })
  })

  test('is refused for another input or another stream, whatever would be decided', async () => {
    const storage = memoryLogStorage()
    const first = await start(storage)
    for (const id of ['a', 'b']) await first.dispatch(Account, id, 'OpenAccount', { owner: 'Ada' })
    const options = { commandId: 'd-1' }
    await first.dispatch(Account, 'a', 'Deposit', { amount: 5 }, options)
    for (const process of [first, await start(storage)]) {
      expect(await codeOf(process.dispatch(Account, 'a', 'Deposit', { amount: 6 }, options))).toBe('command/id-reused')
      expect(await codeOf(process.dispatch(Account, 'b', 'Deposit', { amount: 5 }, options))).toBe('command/id-reused')
      expect(await codeOf(process.dispatch(Account, 'c', 'Deposit', { amount: 5 }, options))).toBe('command/id-reused')
    }
  })

  test('is another one for another command or another tenant', async () => {
    const { dispatch } = await start(memoryLogStorage())
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
    const { dispatchByName } = await start(memoryLogStorage(), { app: counted })
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, () => dispatchByName('account', 'a', 'Deposit', {}, { commandId: 'd-1' })),
    )
    expect(decisions).toBe(1)
    expect(new Set(outcomes.map(({ token }) => token)).size).toBe(1)
    expect(outcomes.filter(({ repeated }) => !repeated)).toHaveLength(1)
  })

  test('that is under way is refused for another input', async () => {
    const { dispatch } = await start(memoryLogStorage())
    await dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
    const deposit = (amount: number) => dispatch(Account, 'a', 'Deposit', { amount }, { commandId: 'd-1' })
    const first = deposit(1)
    expect(await codeOf(deposit(2))).toBe('command/id-reused')
    expect(await first).toMatchObject({ version: 2 })
  })
})

describe('held states', () => {
  test('are as many as allowed, and a stream that is not held is read again', async () => {
    const storage = memoryLogStorage()
    const { dispatch, log } = await start(storage)
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
    const { log } = await start(memoryLogStorage())
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

test('any interleaving of commands on a few streams, in two processes, comes to what one after the other would', async () => {
  const command = fc.record({
    process: fc.constantFrom(0, 1),
    stream: fc.constantFrom('a', 'b'),
    command: fc.oneof(
      fc.constant(['OpenAccount', { owner: 'Ada' }] as const),
      fc.constant(['CloseAccount', {}] as const),
      fc.integer({ min: 1, max: 5 }).map(amount => ['Deposit', { amount }] as const),
      fc.integer({ min: 1, max: 5 }).map(amount => ['Withdraw', { amount }] as const),
    ),
    commandId: fc.option(fc.constantFrom('1', '2', '3'), { nil: undefined, freq: 2 }),
    wait: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(command, { maxLength: 30 }), async commands => {
      const storage = memoryLogStorage()
      const processes = [await start(storage, { attempts: 100 }), await start(storage, { attempts: 100 })]
      const outcomes: Promise<unknown>[] = []
      for (const { process, stream, command, commandId, wait } of commands) {
        const [name, input] = command
        const options = commandId === undefined ? {} : { commandId }
        const outcome = (processes[process] as Process)
          .dispatchByName('account', stream, name, input, options)
          .catch((error: unknown) => error)
        outcomes.push(outcome)
        if (wait) await outcome
      }
      const settled = await Promise.all(outcomes)
      const { log } = await start(storage)
      const { events } = await log.read({ position: 0, fingerprint: '' })

      // The log, read in order, is the order in which the commands were carried out: each event must be one that its
      // command could decide on the state before it.
      const states = new Map<string, ReturnType<typeof Account.initial>>()
      for (const event of events) {
        const before = states.get(event.streamId) ?? Account.initial()
        if (event.type === 'AccountOpened') expect(event.version).toBe(1)
        if (event.type === 'MoneyWithdrawn') expect(before.balance).toBeGreaterThanOrEqual(amountOf(event.data))
        if (event.type === 'MoneyDeposited' || event.type === 'AccountClosed') expect(before.status).toBe('open')
        const evolve = Account.evolve as Record<string, (state: typeof before, event: unknown) => typeof before>
        states.set(event.streamId, (evolve[event.type] as (typeof evolve)[string])(before, event))
      }
      // Each accepted command is in the log once, each other one not at all.
      const accepted = settled.filter(isAccepted).filter(({ repeated }) => !repeated)
      expect(accepted.flatMap(({ events }) => events.map(({ position }) => position)).sort((a, b) => a - b)).toEqual(
        events.map(({ position }) => position),
      )
      const refused = settled.filter(outcome => !isAccepted(outcome))
      for (const error of refused) {
        expect([
          'command/rejected',
          'command/stream-exists',
          'command/stream-not-found',
          'command/id-reused',
        ]).toContain((error as BifoldError).code)
      }
    }),
    { numRuns: 100 },
  )
})

function isAccepted(outcome: unknown): outcome is Awaited<ReturnType<Dispatcher['dispatchByName']>> {
  return !(outcome instanceof Error)
}

function amountOf(data: unknown): number {
  return (data as { amount: number }).amount
}
