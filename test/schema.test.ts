import { readFile } from 'node:fs/promises'
import { afterEach, expect, test } from 'vitest'
import { describeSchema } from '../scripts/describe-schema.ts'
import { type Database, openPglite, openPostgres } from '../src/postgres/index.ts'
import { migrate } from '../src/postgres/migrate.ts'
import { describePostgres, freshDatabase } from './support/postgres.ts'

const committed = await readFile(new URL('../src/postgres/schema.sql', import.meta.url), 'utf8')

let ends: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const end of ends) await end()
  ends = []
})

async function migrated(database: Database): Promise<string> {
  ends.unshift(() => database.close())
  await migrate(database)
  return await describeSchema(database)
}

test('the committed schema is what the migrations make (else: npm run schema)', async () => {
  expect(await migrated(await openPglite())).toBe(committed)
})

describePostgres('on PostgreSQL', () => {
  test('the migrations make the same schema', async () => {
    const fresh = await freshDatabase()
    ends.push(fresh.drop)
    expect(await migrated(await openPostgres(fresh.url))).toBe(committed)
  })
})
