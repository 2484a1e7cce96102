import { isError } from '../../src/define/index.ts'
import { postgres } from '../../src/postgres/index.ts'
import { run } from '../../src/run/index.ts'
import { tallyOf } from './tally.ts'

/**
 * `projector-process.ts URL LEASE-MS [stop|block|slow|slow-key]`: carries projections on until SIGTERM. Says `held 0,1,…`
 * whenever it is told other shards, and `warning CODE PROJECTION SHARD`. Its first poisoned event stops it, as SIGSTOP does
 * from outside, or blocks it for three leases, after which it says `folded STREAM`; or each one is slow, its fold or its
 * key, and takes a part of a lease.
 */
const [url = '', lease = '', poison] = process.argv.slice(2)
const leaseMs = Number(lease)
let isPoisoned = false

function block(forMs: number): void {
  for (const until = performance.now() + forMs; performance.now() < until; );
}

function poisoned(part: 'on' | 'key', stream: string): void {
  if (part === 'on' && poison === 'slow') block(leaseMs / 10)
  if (part === 'key' && poison === 'slow-key') block(leaseMs / 25)
  if (part === 'key') return
  if (isPoisoned || (poison !== 'stop' && poison !== 'block')) return
  isPoisoned = true
  if (poison === 'stop') process.kill(process.pid, 'SIGSTOP')
  else block(3 * leaseMs)
  console.log(`folded ${stream}`)
}

const system = await run(tallyOf(poisoned).tally, {
  on: postgres({ url }),
  roles: { commands: false, queries: false },
  projections: { leaseMs, minBatchEvents: 20, maxBatchEvents: 50 },
  onWarning: warning => {
    const at = isError(warning, 'project/lease-lost') ? ` ${warning.data.projection} ${warning.data.shard}` : ''
    console.log(`warning ${warning.code}${at}`)
  },
})
let isClosing = false
process.once('SIGTERM', () => {
  isClosing = true
})
let said = ''
while (!isClosing) {
  const [status] = await system.status()
  const held = (status?.shards ?? []).filter(({ state }) => state === 'live' || state === 'catching-up')
  const line = `held ${held.map(({ shard }) => shard).join(',')}`
  if (line !== said) console.log(line)
  said = line
  await new Promise(resolve => setTimeout(resolve, 10))
}
await system.close()
console.log('closed')
process.exit(0)
