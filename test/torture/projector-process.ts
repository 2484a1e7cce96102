import { once } from 'node:events'
import { openDepot } from './open-depot.ts'

/** `projector-process.ts URL`: carries the projections on, in batches small enough to be killed in, until it is told to stop. */
const [url = ''] = process.argv.slice(2)
const retry = { minDelayMs: 5, maxDelayMs: 50 }
const system = await openDepot(url, {
  roles: { commands: false, queries: false },
  projections: {
    minBatchEvents: 5,
    maxBatchEvents: 40,
    leaseMs: 1000,
    presentRows: 2,
    rebuild: { minEvents: 500, retireAfterMs: 5000 },
    retry,
  },
})
console.log('started')
await once(process.stdin, 'data')
await system.close()
process.exit(0)
