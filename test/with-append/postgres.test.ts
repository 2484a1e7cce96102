import { postgres } from '../../src/postgres/index.ts'
import { describePostgres, freshDatabase } from '../support/postgres.ts'
import { withAppendContract } from './contract.ts'

describePostgres('on PostgreSQL', () => {
  withAppendContract('postgres', async () => {
    const { url, drop } = await freshDatabase()
    return { backend: () => postgres({ url }), close: drop }
  })
})
