import fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { Account } from '../../test/support/bank.ts'
import { type CommandProcess, closeCommandProcesses, startCommands } from '../../test/support/command-process.ts'
import { BifoldError } from '../define/index.ts'
import { memoryLogStorage, origin } from '../log/index.ts'
import type { Dispatched } from './index.ts'

afterEach(closeCommandProcesses)

const steps = fc.array(
  fc.record({
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
  }),
  { maxLength: 40 },
)
type Step = (typeof steps extends fc.Arbitrary<infer T> ? T : never)[number]

/** A small cache, so that states leave it, and enough patience for two processes that meet again and again. */
async function startTwo(): Promise<readonly [CommandProcess, CommandProcess, CommandProcess]> {
  const storage = memoryLogStorage()
  const options = { attempts: 100, cacheStates: 1 }
  // The third one only looks.
  return [await startCommands(storage, options), await startCommands(storage, options), await startCommands(storage)]
}

function send(processes: readonly CommandProcess[], step: Step): Promise<Dispatched | BifoldError> {
  const { process, stream, command, commandId } = step
  const options = commandId === undefined ? {} : { commandId }
  return (processes[process] as CommandProcess)
    .dispatchByName('account', stream, command[0], command[1], options)
    .catch((error: unknown) => {
      if (error instanceof BifoldError) return error
      throw error
    })
}

/** What one process without a cache, without a log and without anybody beside it would answer. */
function model() {
  const accounts = new Map<string, { status: string; balance: number; version: number }>()
  const remembered = new Map<string, { payload: string; answer: string }>()
  const decide = ({ stream, command: [name, input] }: Step): string => {
    const account = accounts.get(stream) ?? { status: 'none', balance: 0, version: 0 }
    const amount = 'amount' in input ? input.amount : 0
    const accept = (change: Partial<typeof account>): string => {
      accounts.set(stream, { ...account, ...change, version: account.version + 1 })
      return `version ${account.version + 1}`
    }
    switch (name) {
      case 'OpenAccount':
        return account.version > 0 ? 'command/stream-exists' : accept({ status: 'open' })
      case 'Deposit':
        if (account.version === 0) return 'command/stream-not-found'
        return account.status === 'open' ? accept({ balance: account.balance + amount }) : 'command/rejected'
      case 'Withdraw':
        return account.balance >= amount ? accept({ balance: account.balance - amount }) : 'command/rejected'
      case 'CloseAccount':
        return account.status === 'open' ? accept({ status: 'closed' }) : `version ${account.version}`
    }
  }
  return (step: Step): string => {
    if (step.commandId === undefined) return decide(step)
    const id = `${step.command[0]} ${step.commandId}`
    const payload = JSON.stringify([step.stream, step.command])
    const known = remembered.get(id)
    if (known !== undefined) return known.payload === payload ? known.answer : 'command/id-reused'
    const answer = decide(step)
    if (answer.startsWith('version')) remembered.set(id, { payload, answer })
    return answer
  }
}

test('commands one after the other, through either of two processes, are answered as by a model', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async sent => {
      const processes = await startTwo()
      const expected = model()
      for (const step of sent) {
        const answer = await send(processes, step)
        expect(answer instanceof BifoldError ? answer.code : `version ${answer.version}`).toBe(expected(step))
      }
    }),
    { numRuns: 200 },
  )
})

test('any interleaving of commands, through two processes, comes to what one after the other would', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async sent => {
      const processes = await startTwo()
      const answers: Promise<Dispatched | BifoldError>[] = []
      for (const step of sent) {
        const answer = send(processes, step)
        answers.push(answer)
        if (step.wait) await answer
      }
      const settled = await Promise.all(answers)
      const { events } = await processes[2].log.read(origin)

      // The log, read in order, is the order in which the commands were carried out: each event must be one that could
      // be decided on the state before it.
      const states = new Map<string, ReturnType<typeof Account.initial>>()
      for (const event of events) {
        const before = states.get(event.streamId) ?? Account.initial()
        if (event.type === 'AccountOpened') expect(event.version).toBe(1)
        if (event.type === 'MoneyWithdrawn') expect(before.balance).toBeGreaterThanOrEqual(amountOf(event.data))
        if (event.type === 'MoneyDeposited' || event.type === 'AccountClosed') expect(before.status).toBe('open')
        const evolve = Account.evolve as Record<string, (state: typeof before, event: unknown) => typeof before>
        states.set(event.streamId, (evolve[event.type] as (typeof evolve)[string])(before, event))
      }

      // Each accepted command is in the log once, and nothing else is.
      const positions = settled.flatMap(answer =>
        answer instanceof BifoldError || answer.repeated ? [] : answer.events.map(({ position }) => position),
      )
      expect(positions.sort((a, b) => a - b)).toEqual(events.map(({ position }) => position))
      const codes = settled.flatMap(answer => (answer instanceof BifoldError ? [answer.code as string] : []))
      const allowed = ['rejected', 'stream-exists', 'stream-not-found', 'id-reused'].map(name => `command/${name}`)
      expect(codes.filter(code => !allowed.includes(code))).toEqual([])
    }),
    { numRuns: 100 },
  )
})

function amountOf(data: unknown): number {
  return (data as { amount: number }).amount
}
