import { BifoldError, type System } from '../../src/index.ts'
import type { Place } from './client.ts'

/** What an operator may meet, and tries again or lets be. */
const mayMeet = new Set([
  'log/connection-lost',
  'project/store-unreachable',
  'project/generation-behind',
  'project/generation-dropped',
  'project/generation-loading',
  'project/generation-in-use',
  'project/rebuild-running',
  'project/not-parked',
  'project/not-skippable',
  'project/retry-pending',
  'project/request-pending',
  'project/no-generation',
  'run/closed',
  // Emptying a view whose rows are apart.
  'project/needs-transactions',
])

/** Retries, skips, pauses, resumes, resets, rebuilds, swaps and drops, now and then: whatever an operator may do to a running system. */
export async function operate({ machine, system, desk, operating }: Place, everyMs: number): Promise<void> {
  const { random, after } = machine.runtime
  while (desk.isTroubled()) {
    await new Promise<void>(resolve => {
      after(random() * everyMs * 2, resolve)
    })
    if (!desk.isTroubled()) return
    const projection = system.app.projections[Math.floor(random() * system.app.projections.length)]!
    const kind = random()
    operating.add(projection.name)
    try {
      if (kind < 0.35) await tendLetters(system, random)
      else if (kind < 0.45) await system.pause(projection)
      else if (kind < 0.65) await system.resume(projection)
      else if (kind < 0.7) await system.reset(projection)
      else if (kind < 0.8) await system.rebuild(projection)
      else {
        const all = await system.views.generations(projection.name)
        const one = all[Math.floor(random() * all.length)]
        const active = all.find(generation => generation.active)
        if (one === undefined || active === undefined) continue
        // One that nobody has any more is not made again while processes run: only older ones are dropped.
        if (one.generation < active.generation && random() < 0.3) await system.drop(projection, one.generation)
        else await system.swap(projection, one.generation)
      }
    } catch (error) {
      const code = error instanceof BifoldError ? error.code : String(error)
      if (!mayMeet.has(code)) desk.wrong(`an operator met ${code}`)
    } finally {
      operating.delete(projection.name)
    }
  }
}

async function tendLetters({ app, deadLetters }: System, random: () => number): Promise<void> {
  const timeoutMs = random() * 1000
  const first = Math.floor(random() * app.projections.length)
  for (const projection of [...app.projections.slice(first), ...app.projections.slice(0, first)]) {
    const [parked] = await deadLetters.list({ projection })
    if (parked === undefined) continue
    const { tenant, key } = parked
    const kind = random()
    if (kind < 0.15) await deadLetters.retryAll(projection, { timeoutMs })
    // Rows that are made with an owner's would be made without what is skipped of it, as of any position.
    else if (kind < 0.4 || projection.name === 'owners') await deadLetters.retry(projection, key, { tenant, timeoutMs })
    else await deadLetters.skip(projection, key, { tenant, timeoutMs, reason: 'it is not needed' })
    return
  }
}
