import {
  type Anchor,
  fingerprintOf,
  origin,
  type StoredEvent,
  type StoredOutcome,
  type StreamKey,
} from '../log/index.ts'
import type { Sql } from './client.ts'
import { anchorOf } from './log-pages.ts'

export interface EventRow {
  readonly position: number
  readonly tenant: string
  readonly category: string
  readonly stream_id: string
  readonly version: number
  readonly type: string
  readonly schema_version: number
  readonly id: string
  readonly tags: readonly string[]
  readonly data: string
  readonly metadata: string
  readonly recorded_at: string
}

export function eventOf(row: EventRow): StoredEvent {
  return {
    id: row.id,
    type: row.type,
    schemaVersion: row.schema_version,
    tags: row.tags,
    data: row.data,
    metadata: row.metadata,
    stream: { tenant: row.tenant, category: row.category, id: row.stream_id },
    version: row.version,
    position: row.position,
    recordedAt: row.recorded_at,
  }
}

const readStreamStatement = {
  name: 'bifold_read_stream',
  text: `select position, tenant, category, stream_id, version, type, schema_version, id, tags, data, metadata,
           to_char(recorded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as recorded_at
      from bifold.events
     where tenant = $1 and category = $2 and stream_id = $3 and version >= $4
     order by version
     limit $5`,
}

export async function readStream(
  sql: Sql,
  { tenant, category, id }: StreamKey,
  fromVersion: number,
  maxEvents: number,
): Promise<readonly StoredEvent[]> {
  const rows = await sql.query<EventRow>(readStreamStatement, [tenant, category, id, fromVersion, maxEvents])
  return rows.map(eventOf)
}

// A scalar for each stream: one look into the index, whatever the planner believes of the table.
const versionsStatement = {
  name: 'bifold_versions',
  text: `select coalesce((
             select e.version from bifold.events e
              where e.tenant = s.tenant and e.category = s.category and e.stream_id = s.id
              order by e.version desc limit 1), 0) as version
      from unnest($1::text[], $2::text[], $3::text[]) with ordinality as s(tenant, category, id, number)
     order by s.number`,
}

export async function readVersions(sql: Sql, streams: readonly StreamKey[]): Promise<readonly number[]> {
  const rows = await sql.query<{ readonly version: number }>(versionsStatement, [
    streams.map(({ tenant }) => tenant),
    streams.map(({ category }) => category),
    streams.map(({ id }) => id),
  ])
  return rows.map(row => row.version)
}

const headStatement = {
  name: 'bifold_head',
  text: 'select position, id from bifold.events order by position desc limit 1',
}

export async function readHead(sql: Sql): Promise<Anchor> {
  const [row] = await sql.query<{ readonly position: number; readonly id: string }>(headStatement)
  return anchorOf(row) ?? origin
}

// A scalar for each position, as above.
const idsAtStatement = {
  name: 'bifold_ids_at',
  text: `select (select e.id from bifold.events e where e.position = a.position) as id
      from unnest($1::bigint[]) with ordinality as a(position, number)
     order by a.number`,
}

export async function holds(sql: Sql, anchors: readonly Anchor[]): Promise<readonly boolean[]> {
  const rows = await sql.query<{ readonly id: string | null }>(idsAtStatement, [
    anchors.map(({ position }) => position),
  ])
  return anchors.map(({ position, fingerprint }, n) => {
    const id = rows[n]?.id ?? undefined
    return position === 0 || (id !== undefined && fingerprintOf(id) === fingerprint)
  })
}

const outcomesStatement = {
  name: 'bifold_outcomes',
  text: `select s.number, c.hash, c.version, c.first_position, c.last_position,
           (select e.id from bifold.events e where e.position = c.last_position) as last_id
      from unnest($1::text[], $2::text[], $3::text[]) with ordinality as s(tenant, name, id, number)
      join bifold.commands c on c.tenant = s.tenant and c.name = s.name and c.id = s.id`,
}

// Each range by itself: joined to many ranges, the planner expects each to hold a fair part of the log, and compares every
// event with every range.
const rangesStatement = {
  name: 'bifold_read_ranges',
  text: `select e.position, e.tenant, e.category, e.stream_id, e.version, e.type, e.schema_version, e.id, e.tags, e.data,
           e.metadata, to_char(e.recorded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as recorded_at
      from unnest($1::bigint[], $2::bigint[]) as r(first, last)
     cross join lateral (
       select * from bifold.events
        where position >= r.first and position <= r.last
        order by position
        limit r.last - r.first + 1) e
     order by e.position`,
}

/** The events at these positions, in order. */
export async function readAt(sql: Sql, positions: readonly number[]): Promise<readonly StoredEvent[]> {
  return (await sql.query<EventRow>(rangesStatement, [positions, positions])).map(eventOf)
}

export interface CommandId {
  readonly tenant: string
  readonly name: string
  readonly id: string
}

/** What is known of each command, in order. */
export async function readOutcomes(
  sql: Sql,
  commands: readonly CommandId[],
): Promise<readonly (StoredOutcome | undefined)[]> {
  const rows = await sql.query<{
    readonly number: number
    readonly hash: string
    readonly version: number
    readonly first_position: number
    readonly last_position: number
    readonly last_id: string | null
  }>(outcomesStatement, [
    commands.map(({ tenant }) => tenant),
    commands.map(({ name }) => name),
    commands.map(({ id }) => id),
  ])
  const withEvents = rows.filter(row => row.first_position <= row.last_position)
  const events =
    withEvents.length === 0
      ? []
      : await sql.query<EventRow>(rangesStatement, [
          withEvents.map(row => row.first_position),
          withEvents.map(row => row.last_position),
        ])
  const outcomes = new Map(
    rows.map(row => [
      row.number,
      {
        hash: row.hash,
        version: row.version,
        head: row.last_id === null ? origin : { position: row.last_position, fingerprint: fingerprintOf(row.last_id) },
        events: events
          .filter(({ position }) => position >= row.first_position && position <= row.last_position)
          .map(eventOf),
      },
    ]),
  )
  return commands.map((_, index) => outcomes.get(index + 1))
}
