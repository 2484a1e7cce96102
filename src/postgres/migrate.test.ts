import { afterAll, beforeAll, expect, test } from 'vitest'
import { describePostgres, freshDatabase } from '../../test/support/postgres.ts'
import { type Database, openPglite, openPostgres } from './index.ts'
import { migrate } from './migrate.ts'

let pglite: Database
beforeAll(async () => {
  pglite = await openPglite()
})
afterAll(() => pglite.close())

test('migrations are applied once, and those of a newer release are left alone', async () => {
  await migrate(pglite)
  const applied = await pglite.sql.query({ text: 'select * from bifold.migrations order by number' })
  expect(applied.length).toBeGreaterThan(1)
  await pglite.sql.script(`insert into bifold.migrations (number, name, checksum) values (9999, '9999-later.sql', 'x')`)
  await migrate(pglite)
  expect((await pglite.sql.query({ text: 'select * from bifold.migrations order by number' })).slice(0, -1)).toEqual(
    applied,
  )
})

test('a migration that was applied in another form is refused, by name', async () => {
  await migrate(pglite)
  await pglite.sql.script(`update bifold.migrations set checksum = 'other' where number = 1`)
  await expect(migrate(pglite)).rejects.toMatchObject({
    code: 'setup/migration-changed',
    data: { name: '0001-log.sql' },
  })
})

describePostgres('a server', () => {
  test('ten that migrate an empty database at once make it once', async () => {
    const { url, drop } = await freshDatabase()
    const databases = await Promise.all(Array.from({ length: 10 }, () => openPostgres(url)))
    await Promise.all(databases.map(migrate))
    const logs = await Promise.all(databases.map(({ sql }) => sql.query({ text: 'select id from bifold.log' })))
    expect(logs[0]).toHaveLength(1)
    for (const log of logs) expect(log).toEqual(logs[0])
    await Promise.all(databases.map(database => database.close()))
    await drop()
  })
})
