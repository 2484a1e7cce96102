import { randomBytes } from 'node:crypto'
import pg from 'pg'

/** A database of one's own. */
export interface Database {
  readonly url: string
  /** Ends whatever is still connected to it, and drops it. */
  drop(): Promise<void>
}

/** Makes an empty database on the server at `serverUrl`, whose user may create databases. */
export async function createDatabase(serverUrl: string): Promise<Database> {
  const name = `bifold_${randomBytes(6).toString('hex')}`
  await onServer(serverUrl, `create database ${name}`)
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  return { url: url.href, drop: () => onServer(serverUrl, `drop database if exists ${name} with (force)`) }
}

async function onServer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
