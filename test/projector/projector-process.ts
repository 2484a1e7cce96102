import { createLog } from '../../src/log/index.ts'
import { openPostgres, postgresLogStorage, postgresViewStore } from '../../src/postgres/index.ts'
import { startProjector } from '../../src/project/index.ts'
import { marks } from './tally.ts'

/** Carries the projections on, in small batches, and says where it stands, until it is killed. */
const database = await openPostgres(process.argv[2] as string)
const log = await createLog(postgresLogStorage(database), { eventTypes: marks.eventTypes })
const projector = await startProjector({
  app: marks,
  log,
  store: postgresViewStore(database),
  minBatchEvents: 20,
  maxBatchEvents: 50,
  leaseMs: 300,
})
for (;;) {
  const [status] = await projector.status()
  process.stdout.write(`${status?.position}\n`)
  await new Promise(resolve => setTimeout(resolve, 5))
}
