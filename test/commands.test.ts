import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { System } from '../src/index.ts'
import { accountNames, eventsOf, type Heard, openBank, takeTurn } from './commands/teller.ts'
import { Account } from './support/bank.ts'
import type { Database } from './support/databases.ts'
import { freshDirectory } from './support/directories.ts'
import { describePostgres, freshDatabase } from './support/postgres.ts'
import { killWorkers, spawnWorker } from './support/workers.ts'

afterAll(killWorkers)

/** Takes all turns again, and checks each answer against what somebody heard before. */
async function takeAllAgain(system: System, turns: number, heard: readonly Heard[]): Promise<void> {
  const before = new Map(heard.map(answer => [answer.id, answer]))
  const differing: unknown[] = []
  await Promise.all(
    Array.from({ length: turns }, (_, n) =>
      takeTurn(system, n, ({ id, ...again }) => {
        const { id: _, ...first } = before.get(id) ?? { id }
        if (before.has(id) && JSON.stringify(first) !== JSON.stringify(again)) differing.push({ id, first, again })
      }),
    ),
  )
  expect(differing).toEqual([])
}

async function expectOnceEach(system: System, turns: number): Promise<void> {
  expect((await system.log.head()).position).toBe(eventsOf(turns))
  for (const account of accountNames) {
    await expect(system.dispatch(Account, account, 'Withdraw', { amount: 1 })).rejects.toMatchObject({
      code: 'command/rejected',
    })
  }
}

async function killAndTakeAgain(address: string): Promise<void> {
  const turns = 500
  const teller = spawnWorker(import.meta.url, './commands/teller-process.ts', [address, String(turns), '1000'])
  // From here, so that it may be in the midst of anything. Where this process has no time for it, it is by itself, later.
  await teller.line(() => teller.lines.length > 100)
  await teller.kill()
  expect(await teller.ended).toMatchObject({ signal: 'SIGKILL' })
  const heard = teller.lines.filter(line => line.endsWith('}')).map(line => JSON.parse(line) as Heard)
  const system = await openBank(address)
  try {
    const { position } = await system.log.head()
    expect(position).toBeGreaterThan(0)
    expect(position).toBeLessThan(eventsOf(turns))
    await takeAllAgain(system, turns, heard)
    await expectOnceEach(system, turns)
  } finally {
    await system.close()
  }
}

describe('a process that is killed in the middle of its commands', () => {
  let directory: Awaited<ReturnType<typeof freshDirectory>>
  beforeEach(async () => {
    directory = await freshDirectory()
  })
  afterEach(() => directory.remove())

  test('on PGlite: sent again, each command is carried out once and answered as before', async () => {
    await killAndTakeAgain(directory.path)
  }, 60_000)
})

describePostgres('on PostgreSQL', () => {
  let database: Database
  beforeEach(async () => {
    database = await freshDatabase()
  })
  afterEach(() => database.drop())

  test('sent again after a kill, each command is carried out once and answered as before', async () => {
    await killAndTakeAgain(database.url)
  }, 60_000)

  describe('two systems', () => {
    const turns = 200
    let systems: readonly System[]
    beforeEach(async () => {
      systems = await Promise.all([openBank(database.url), openBank(database.url)])
    })
    afterEach(() => Promise.all(systems.map(system => system.close())))

    test('that send the same commands at the same time carry out each once, with one answer', async () => {
      const heard = new Map<string, Set<string>>()
      await Promise.all(
        systems.flatMap(system =>
          Array.from({ length: turns }, (_, n) =>
            takeTurn(system, n, ({ id, version, token }) => {
              heard.set(id, (heard.get(id) ?? new Set()).add(`${version} ${token}`))
            }),
          ),
        ),
      )
      expect([...heard].filter(([, answers]) => answers.size !== 1)).toEqual([])
      for (const system of systems) await expectOnceEach(system, turns)
    }, 60_000)

    test('that send different commands to one stream decide again until all are in', async () => {
      const [first, second] = systems as [System, System]
      await first.dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' })
      const deposit = (system: System) => system.dispatch(Account, 'a', 'Deposit', { amount: 1 })
      const outcomes = await Promise.all(Array.from({ length: 100 }, (_, n) => deposit(n % 2 === 0 ? first : second)))
      expect(outcomes.map(({ version }) => version).sort((a, b) => a - b)).toEqual(
        Array.from({ length: 100 }, (_, n) => n + 2),
      )
    })
  })
})
