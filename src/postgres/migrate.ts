import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { BifoldError } from '../define/index.ts'
import { type Database, type Sql, sqlStateOf } from './client.ts'

interface Migration {
  readonly number: number
  readonly name: string
  readonly text: string
  readonly checksum: string
}

interface Applied {
  readonly number: number
  readonly checksum: string
}

/**
 * Brings the schemas `bifold` and `bifold_views` to what this release needs: applies the numbered files of
 * `migrations/` that are missing, in one transaction, under a lock, so that any number of processes may start at once.
 * Migrations that a newer release has applied are left alone.
 * @throws `setup/migration-changed` where a migration that was applied is no longer the same.
 */
export async function migrate(database: Database): Promise<void> {
  const migrations = await readMigrations()
  if (missing(migrations, await appliedBefore(database.sql)).length === 0) return
  await database.transaction(async sql => {
    await sql.query({ text: 'select pg_advisory_xact_lock(3177001, 0)' })
    await sql.script(`
      create schema if not exists bifold;
      create table if not exists bifold.migrations (
        number integer primary key,
        name text not null,
        checksum text not null,
        applied_at timestamptz not null default clock_timestamp()
      );
    `)
    for (const { number, name, text, checksum } of missing(migrations, await readApplied(sql))) {
      await sql.script(text)
      await sql.query({ text: 'insert into bifold.migrations (number, name, checksum) values ($1, $2, $3)' }, [
        number,
        name,
        checksum,
      ])
    }
  })
}

async function readMigrations(): Promise<readonly Migration[]> {
  const directory = new URL('./migrations/', import.meta.url)
  const names = (await readdir(directory)).filter(name => name.endsWith('.sql')).sort()
  return Promise.all(
    names.map(async name => {
      const text = await readFile(new URL(name, directory), 'utf8')
      const checksum = createHash('sha256').update(text).digest('hex')
      return { number: Number.parseInt(name, 10), name, text, checksum }
    }),
  )
}

/** What was applied, seen without the lock: most starts need no more. */
async function appliedBefore(sql: Sql): Promise<readonly Applied[]> {
  try {
    return await readApplied(sql)
  } catch (error) {
    const undefinedTable = '42P01'
    if (sqlStateOf(error) === undefinedTable) return []
    throw error
  }
}

function readApplied(sql: Sql): Promise<readonly Applied[]> {
  return sql.query({ text: 'select number, checksum from bifold.migrations' })
}

function missing(migrations: readonly Migration[], applied: readonly Applied[]): readonly Migration[] {
  const checksums = new Map(applied.map(({ number, checksum }) => [number, checksum]))
  return migrations.filter(({ number, name, checksum }) => {
    const before = checksums.get(number)
    if (before !== undefined && before !== checksum) throw new BifoldError('setup/migration-changed', { name })
    return before === undefined
  })
}
