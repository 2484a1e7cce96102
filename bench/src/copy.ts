import { pipeline } from 'node:stream/promises'
import { keyHash } from 'bifold/log'
import type { Client } from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { accountOf, depositOf, scattered } from './ledger.ts'

const intoEvents = `copy bifold.events
  (position, tenant, category, stream_id, version, type, schema_version, id, tags, data, metadata, recorded_at, stream_hash)
  from stdin`
const intoCommands = `copy bifold.commands
  (tenant, name, id, hash, version, first_position, last_position, recorded_at) from stdin`

/** Rows for COPY, in its text format: nothing in them needs to be escaped. */
export interface Rows {
  readonly count: number
  readonly events: string
  /** As the log keeps them with its events: one for each. */
  readonly commands: string
}

/** The texts of batches of events, from `first` (a position) on, each event of a stream that `streamOf` names. */
export function makeRows(streamOf: (n: number) => number) {
  const versions = new Map<number, number>()
  const recordedAt = new Date().toISOString()
  return (first: number, count: number): Rows => {
    const events: string[] = []
    const commands: string[] = []
    for (let position = first; position < first + count; position++) {
      const stream = streamOf(position)
      const version = (versions.get(stream) ?? 0) + 1
      versions.set(stream, version)
      const data = JSON.stringify(depositOf(position))
      const id = idOf(position)
      events.push(
        `${position}\tdefault\taccount\t${accountOf(stream)}\t${version}\tDeposited\t1\t${id}\t{}\t${data}\t{}\t${recordedAt}\t${keyHash('default', accountOf(stream)) | 0}\n`,
      )
      commands.push(`default\tappend\t${id}\t${hash}\t${version}\t${position}\t${position}\t${recordedAt}\n`)
    }
    return { count, events: events.join(''), commands: commands.join('') }
  }
}

/** Uniform over `streams` streams, the first of each in the first `streams` events. */
function uniform(streams: number): (position: number) => number {
  return position => (position <= streams ? position - 1 : scattered(position) % streams)
}

const hash = 'f'.repeat(43)

/** A UUID of version 7: ordered by time, as the log's own are. */
function idOf(position: number): string {
  const time = (1_700_000_000_000 + Math.floor(position / 100)).toString(16).padStart(12, '0')
  const tail = position.toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${tail}`
}

/** One commit: the rows of the events, and of their commands where `withCommands`. */
export async function copyCommitted(client: Client, rows: Rows, withCommands: boolean): Promise<void> {
  await client.query('begin')
  await copyInto(client, intoEvents, rows.events)
  if (withCommands) await copyInto(client, intoCommands, rows.commands)
  await client.query('commit')
}

async function copyInto(client: Client, statement: string, text: string): Promise<void> {
  const stream = client.query(copyFrom(statement))
  await pipeline([Buffer.from(text)], stream)
}

/**
 * Appends events to an otherwise idle log as fast as it goes: `count` of them in one commit, which wakes whoever waits.
 * The first event of each of `streams` streams comes in the first `streams` events.
 */
export function makeFiller(client: Client, streams: number): (count: number) => Promise<void> {
  const rowsFrom = makeRows(uniform(streams))
  const chunkEvents = 10_000
  let head = 0
  return async count => {
    const from = head
    function* texts(): Generator<Buffer> {
      for (let first = from + 1; first <= from + count; first += chunkEvents) {
        yield Buffer.from(rowsFrom(first, Math.min(chunkEvents, from + count - first + 1)).events)
      }
    }
    await client.query('begin')
    await pipeline(texts, client.query(copyFrom(intoEvents)))
    head += count
    await client.query("select pg_notify('bifold_log', $1)", [String(head)])
    await client.query('commit')
  }
}
