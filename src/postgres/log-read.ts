import {
  type Anchor,
  fingerprintOf,
  origin,
  type StoredEvent,
  type StoredOutcome,
  type StreamKey,
} from '../log/index.ts'
import type { Sql } from './client.ts'

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

/**
 * A page ends with the event that takes it past this size, as the events are stored: compressed, where they are large.
 * Without it a page of large documents would be as large as all of them.
 */
const pageBytes = 8 * 1024 * 1024

interface PagedRow extends EventRow {
  /** The size of the page up to and with this event. */
  readonly bytes: number
}

function isCut(rows: readonly PagedRow[]): boolean {
  return (rows.at(-1)?.bytes ?? 0) >= pageBytes
}

// Each statement begins at a position, not behind it: the row there proves that the history is the one it was.
const readAllStatement = {
  name: 'bifold_read_all',
  text: `select position, tenant, category, stream_id, version, type, schema_version, id, tags, data, metadata,
           to_char(recorded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as recorded_at, bytes
      from (
        select *, sum(size) over (order by position rows unbounded preceding) as bytes
          from (
            select *, case when position = $1 then 0 else pg_column_size(data) + pg_column_size(metadata) end as size
              from bifold.events
             where position >= $1
             order by position
             limit $2) as found) as page
     where bytes - size < $3
     order by position`,
}

/**
 * The events from `from` on.
 * @returns `undefined` where the event at `from` is another one.
 */
export async function readAll(
  sql: Sql,
  from: Anchor,
  maxEvents: number,
): Promise<
  { readonly events: readonly StoredEvent[]; readonly through: Anchor; readonly atHead: boolean } | undefined
> {
  const rows = await sql.query<PagedRow>(readAllStatement, [from.position, maxEvents + 1, pageBytes])
  if (from.position > 0 && !isAt(from, rows[0])) return undefined
  const events = rows.slice(from.position > 0 ? 1 : 0).map(eventOf)
  // Where the page begins at the origin, one event was read too many.
  const page = events.slice(0, maxEvents)
  return { events: page, through: anchorOf(page.at(-1)) ?? from, atHead: rows.length <= maxEvents && !isCut(rows) }
}

const boundsStatement = {
  name: 'bifold_read_bounds',
  text: `with latest as (select position from bifold.events order by position desc limit 1)
    select position, id, position = (select position from latest) as is_head
      from bifold.events
     where position in ($1, least($2, (select position from latest)))
     order by position`,
}

const readTypesStatement = {
  name: 'bifold_read_types',
  text: `select position, tenant, category, stream_id, version, type, schema_version, id, tags, data, metadata,
           to_char(recorded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as recorded_at, bytes
      from (
        select *, sum(size) over (order by position rows unbounded preceding) as bytes
          from (
            select *, pg_column_size(data) + pg_column_size(metadata) as size
              from bifold.events
             where position > $1 and position <= $2 and type = any($3)
             order by position
             limit $4) as found) as page
     where bytes - size < $5
     order by position`,
}

/** How far one page looks for its types: a rare one would otherwise be sought through the whole log by one statement. */
const scanPositions = 20_000

/** As `readAll`, only events of these types. A page may be empty, and yet have got on. */
export async function readTypes(
  sql: Sql,
  from: Anchor,
  types: readonly string[],
  maxEvents: number,
): Promise<
  { readonly events: readonly StoredEvent[]; readonly through: Anchor; readonly atHead: boolean } | undefined
> {
  const bounds = await sql.query<{ readonly position: number; readonly id: string; readonly is_head: boolean }>(
    boundsStatement,
    [from.position, from.position + scanPositions],
  )
  if (from.position > 0 && !isAt(from, bounds[0])) return undefined
  const end = bounds.at(-1)
  if (end === undefined) return { events: [], through: from, atHead: true }
  const rows = await sql.query<PagedRow>(readTypesStatement, [from.position, end.position, types, maxEvents, pageBytes])
  const events = rows.map(eventOf)
  const isFull = rows.length === maxEvents || isCut(rows)
  const through = (isFull ? anchorOf(rows.at(-1)) : anchorOf(end)) ?? from
  return { events, through, atHead: end.is_head && through.position === end.position }
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

const atStatement = {
  name: 'bifold_event_at',
  text: 'select position, id from bifold.events where position = $1',
}

export async function holds(sql: Sql, anchor: Anchor): Promise<boolean> {
  if (anchor.position === 0) return true
  const [row] = await sql.query<{ readonly position: number; readonly id: string }>(atStatement, [anchor.position])
  return isAt(anchor, row)
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

interface EventAt {
  readonly position: number
  readonly id: string
}

function isAt(anchor: Anchor, row: EventAt | undefined): boolean {
  return row?.position === anchor.position && fingerprintOf(row.id) === anchor.fingerprint
}

function anchorOf(row: EventAt | undefined): Anchor | undefined {
  return row && { position: row.position, fingerprint: fingerprintOf(row.id) }
}
