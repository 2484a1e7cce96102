import { once } from 'node:events'
import { writeSync } from 'node:fs'
import { openDepot } from './open-depot.ts'
import { folding } from './parcels.ts'

/**
 * `projector-process.ts URL`: carries the projections on, in batches small enough to be killed in, until it is told to stop.
 * Now and then it stops itself in a fold, with a batch in hand, as SIGSTOP does from outside, and says `stopped` before:
 * whoever continues it after its lease has somebody who is about to write what is no more his.
 */
const foldsPerStop = 1000
folding.begun = () => {
  if (Math.random() * foldsPerStop > 1) return
  writeSync(1, 'stopped\n')
  process.kill(process.pid, 'SIGSTOP')
}
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
