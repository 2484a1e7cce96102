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
      const id = idOf(position)
      const streamId = accountOf(stream)
      const event = { category: 'account', streamId, version, type: 'Deposited', data: depositOf(position) }
      events.push(eventRow(position, event, recordedAt))
      commands.push(`default\tappend\t${id}\t${hash}\t${version}\t${position}\t${position}\t${recordedAt}\n`)
    }
    return { count, events: events.join(''), commands: commands.join('') }
  }
}

/** An event of the tenant `default`, with nothing in it that COPY would have to escape. */
export interface CopiedEvent {
  readonly category: string
  readonly streamId: string
  readonly version: number
  readonly type: string
  readonly data: object
}

function eventRow(position: number, event: CopiedEvent, recordedAt: string): string {
  const { category, streamId, version, type, data } = event
  const stream = `${category}\t${streamId}\t${version}`
  const hash = keyHash('default', streamId) | 0
  return `${position}\tdefault\t${stream}\t${type}\t1\t${idOf(position)}\t{}\t${JSON.stringify(data)}\t{}\t${recordedAt}\t${hash}\n`
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

const chunkEvents = 10_000

/**
 * Appends events to an otherwise idle log as fast as it goes: `count` of them in one commit, which wakes whoever waits.
 * The first event of each of `streams` streams comes in the first `streams` events.
 */
export function makeFiller(client: Client, streams: number): (count: number) => Promise<void> {
  const rowsFrom = makeRows(uniform(streams))
  let head = 0
  return async count => {
    const from = head
    function* texts(): Generator<Buffer> {
      for (let first = from + 1; first <= from + count; first += chunkEvents) {
        yield Buffer.from(rowsFrom(first, Math.min(chunkEvents, from + count - first + 1)).events)
      }
    }
    head += count
    await appendTexts(client, texts(), () => head)
  }
}

/** Fills an empty log with these events, in one commit. Answers how many they are. */
export async function fillWith(client: Client, events: Iterable<CopiedEvent>): Promise<number> {
  const recordedAt = new Date().toISOString()
  let head = 0
  function* texts(): Generator<Buffer> {
    const rows: string[] = []
    for (const event of events) {
      rows.push(eventRow(++head, event, recordedAt))
      if (rows.length === chunkEvents) yield Buffer.from(rows.splice(0).join(''))
    }
    yield Buffer.from(rows.join(''))
  }
  await appendTexts(client, texts(), () => head)
  return head
}

/** One commit, which wakes whoever waits for what is up to `head` then. */
async function appendTexts(client: Client, texts: Iterable<Buffer>, head: () => number): Promise<void> {
  await client.query('begin')
  await pipeline(texts, client.query(copyFrom(intoEvents)))
  await client.query("select pg_notify('bifold_log', $1)", [String(head())])
  await client.query('commit')
}
