import { setTimeout as sleep } from 'node:timers/promises'
import { run, type System } from 'bifold'
import { tokenOf } from 'bifold/log'
import { postgres } from 'bifold/postgres'
import type { Bench } from './bench.ts'
import { startProjector } from './children.ts'
import { makeDatabase } from './database.ts'
import { type Figure, figureOf, median } from './figure.ts'
import { AccountEvents, accountOf, accountsApp, depositOf } from './ledger.ts'

/** The default of `leaseMs`. */
const leaseMs = 10_000
/** Long enough that the second process is known to be there. */
const settleMs = 3000

/**
 * Two processes carry a view on. The one that has it ends, killed or in order: how long is it until what is appended from
 * then on is in the view?
 */
export const failOver: Bench = {
  about: 'from the end of the process that carries a view on until the next one has written',
  run: async ({ serverUrl, quick, say }) => {
    const rounds = quick ? 1 : 5
    const figures: Figure[] = []
    for (const end of ['kill', 'stop'] as const) {
      const took: number[] = []
      for (let round = 1; round <= rounds; round++) {
        say(`${end === 'kill' ? 'killed' : 'stopped in order'}, round ${round} of ${rounds}`)
        took.push(await once(serverUrl, end))
      }
      const name = end === 'kill' ? 'a killed process is replaced' : 'a process that stops in order is replaced'
      figures.push(figureOf(name, median(took), 'ms', 'the lease', leaseMs))
    }
    return figures
  },
}

async function once(serverUrl: string, end: 'kill' | 'stop'): Promise<number> {
  const database = await makeDatabase(serverUrl)
  const { app, balance } = accountsApp()
  const system = await run(app, { on: postgres({ url: database.url }), roles: { projections: false } })
  const first = await startProjector(database.url)
  try {
    const written = async (n: number): Promise<void> => {
      const after = await append(system, n)
      await system.query(balance, { accountId: accountOf(n) }, { after, waitMs: 60_000 })
    }
    await written(1)
    const second = await startProjector(database.url)
    try {
      await sleep(settleMs)
      const begin = performance.now()
      const ended = first[end]()
      await written(2)
      const tookMs = performance.now() - begin
      await ended
      return tookMs
    } finally {
      await second.stop()
    }
  } finally {
    await first.kill()
    await system.close()
    await database.drop()
  }
}

async function append({ log }: System, n: number): Promise<string> {
  const outcome = await log.append({
    stream: { tenant: 'default', category: 'account', id: accountOf(n) },
    expected: 'any',
    events: [AccountEvents.Deposited(depositOf(n))],
  })
  if (outcome.kind !== 'appended') throw new Error(`an append ended as ${outcome.kind}`)
  return tokenOf(log.id, outcome.head)
}
