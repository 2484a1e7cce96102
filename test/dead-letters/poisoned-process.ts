import { createLog } from '../../src/log/index.ts'
import { openPostgres, postgresLogStorage, postgresViewStore } from '../../src/postgres/index.ts'
import { startProjector } from '../../src/project/index.ts'
import { poisonedOf } from './poisoned.ts'

/** Carries the view on, in small batches, and says where it stands and how many keys are parked, until it is killed. */
const [url, release] = process.argv.slice(2) as [string, 'broken' | 'corrected']
const database = await openPostgres(url)
const app = poisonedOf(release)
const log = await createLog(postgresLogStorage(database), { eventTypes: app.eventTypes })
const projector = await startProjector({
  app,
  log,
  store: postgresViewStore(database),
  minBatchEvents: 20,
  maxBatchEvents: 40,
  leaseMs: 300,
  foldAttempts: 2,
  retry: { minDelayMs: 1, maxDelayMs: 5 },
  requestPollMs: 10,
})
for (;;) {
  const [status] = await projector.status()
  process.stdout.write(`${status?.position} ${status?.parkedKeys ?? 0}\n`)
  await new Promise(resolve => setTimeout(resolve, 5))
}
