import { createLog } from '../../src/log/index.ts'
import { openPostgres, postgresLogStorage, postgresViewStore } from '../../src/postgres/index.ts'
import { startProjector } from '../../src/project/index.ts'
import { lines } from './lines.ts'

/** Carries the batch projection on, in small batches, and says where it stands, until it is killed. */
const database = await openPostgres(process.argv[2] as string, { idleTransactionMs: 500 })
const log = await createLog(postgresLogStorage(database), { eventTypes: lines.eventTypes })
const store = postgresViewStore(database)
const projector = await startProjector({
  ...{ app: lines, log, store },
  minBatchEvents: 7,
  maxBatchEvents: 23,
  leaseMs: 300,
})
for (;;) {
  const [status] = await projector.status()
  process.stdout.write(`${status?.position}\n`)
  await new Promise(resolve => setTimeout(resolve, 5))
}
