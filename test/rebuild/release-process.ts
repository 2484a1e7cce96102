import { run } from '../../src/index.ts'
import { postgres } from '../../src/postgres/index.ts'
import { releaseOf } from './counts.ts'

/** Carries the projections of a release on, and says how the generations of the first are, until it is killed. */
const [url = '', release = '', eventsPerSecond = 'Infinity', memoryBytes = '268435456'] = process.argv.slice(2)
const system = await run(releaseOf(release), {
  on: postgres({ url }),
  roles: { commands: false, queries: false },
  projections: {
    maxBatchEvents: 500,
    leaseMs: 1000,
    rebuild: { minEvents: 1000, eventsPerSecond: Number(eventsPerSecond), memoryBytes: Number(memoryBytes) },
  },
})
for (;;) {
  const [status] = await system.status()
  process.stdout.write(`${JSON.stringify(status?.generations ?? [])}\n`)
  await new Promise(resolve => setTimeout(resolve, 10))
}
