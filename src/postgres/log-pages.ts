import { type Anchor, fingerprintOf, type ShardFilter, type StoredEvent, type StoredPage } from '../log/index.ts'
import type { Sql } from './client.ts'

/**
 * A page ends with the event that takes it past this size, as the events are stored: compressed, where they are large.
 * Without it a page of large documents would be as large as all of them.
 */
const pageBytes = 8 * 1024 * 1024

/**
 * A page as one row, in which each column holds the values of all its events, one after the other: a driver that makes a
 * value of each column of each event spends seven times what this costs here, and the server, which writes them, half more.
 * All `null` where there is no event.
 */
interface JoinedEvents {
  readonly positions: string | null
  readonly tenants: string
  readonly categories: string
  /**
   * In JSON, as `ids` and `recorded_at` are, since rows may keep them: what `split` gives are parts of the whole, which stays in
   * memory as long as one of them does. What JSON is read into are texts of their own, as fast.
   */
  readonly stream_ids: string
  readonly versions: string
  readonly types: string
  readonly schema_versions: string
  readonly ids: string
  /** JSON; nothing where there are none. */
  readonly tags: string
  readonly data: string
  readonly metadata: string
  /** Nothing where it is that of the event before: those of one commit have it in common. */
  readonly recorded_at: string
  /** The size of all of them. */
  readonly bytes: number | null
}

/** Stands between values: no name and no JSON holds a control character. */
const between = '\u001f'

function eventsOf(page: JoinedEvents): readonly StoredEvent[] {
  if (page.positions === null) return []
  const positions = JSON.parse(`[${page.positions}]`) as readonly number[]
  const versions = JSON.parse(`[${page.versions}]`) as readonly number[]
  const schemaVersions = JSON.parse(`[${page.schema_versions}]`) as readonly number[]
  const tenants = page.tenants.split(between)
  const categories = page.categories.split(between)
  const types = page.types.split(between)
  const streamIds = JSON.parse(`[${page.stream_ids}]`) as readonly string[]
  const ids = JSON.parse(`["${page.ids}"]`) as readonly string[]
  const tags = page.tags.split(between)
  const data = page.data.split(between)
  const metadata = page.metadata.split(between)
  const recorded = JSON.parse(`["${page.recorded_at}"]`) as readonly string[]
  let recordedAt = ''
  return positions.map((position, n): StoredEvent => {
    recordedAt = recorded[n] || recordedAt
    return {
      id: ids[n] as string,
      type: types[n] as string,
      schemaVersion: schemaVersions[n] as number,
      tags: tags[n] === '' ? noTags : (JSON.parse(tags[n] as string) as readonly string[]),
      data: data[n] as string,
      metadata: metadata[n] as string,
      stream: { tenant: tenants[n] as string, category: categories[n] as string, id: streamIds[n] as string },
      version: versions[n] as number,
      position,
      recordedAt,
    }
  })
}

const noTags: readonly string[] = []

function isCut({ bytes }: JoinedEvents): boolean {
  return (bytes ?? 0) >= pageBytes
}

// Each statement begins at a position, not behind it: the row there proves that the history is the one it was.
const readAllStatement = {
  name: 'bifold_read_all',
  text: `select string_agg(position::text, ',') as positions, string_agg(tenant, e'\\x1f') as tenants,
           string_agg(category, e'\\x1f') as categories, string_agg(to_json(stream_id)::text, ',') as stream_ids,
           string_agg(version::text, ',') as versions, string_agg(type, e'\\x1f') as types,
           string_agg(schema_version::text, ',') as schema_versions, string_agg(id::text, '","') as ids,
           string_agg(case when cardinality(tags) = 0 then '' else array_to_json(tags)::text end, e'\\x1f') as tags,
           string_agg(data::text, e'\\x1f') as data, string_agg(metadata::text, e'\\x1f') as metadata,
           string_agg(case when recorded_at is distinct from before
                        then to_char(recorded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') else '' end,
                      '","') as recorded_at,
           max(bytes) as bytes
      from (
        select *
          from (
            select *, sum(size) over page as bytes, lag(recorded_at) over page as before
              from (
                select *, case when position = $1 then 0 else pg_column_size(data) + pg_column_size(metadata) end as size
                  from bifold.events
                 where position >= $1
                 order by position
                 limit $2) as found
            window page as (order by position rows unbounded preceding)) as measured
         where bytes - size < $3
         order by position) as page`,
}

/**
 * The events from `from` on.
 * @returns `undefined` where the event at `from` is another one.
 */
export async function readAll(sql: Sql, from: Anchor, maxEvents: number): Promise<StoredPage | undefined> {
  const [page] = await sql.query<JoinedEvents>(readAllStatement, [from.position, maxEvents + 1, pageBytes])
  const found = page === undefined ? [] : eventsOf(page)
  if (from.position > 0 && !isAt(from, found[0])) return undefined
  // Where the page begins at the origin, one event was read too many.
  const events = found.slice(from.position > 0 ? 1 : 0).slice(0, maxEvents)
  const isWhole = page === undefined || (found.length <= maxEvents && !isCut(page))
  return { events, through: anchorOf(events.at(-1)) ?? from, atHead: isWhole }
}

interface BoundedEvents extends JoinedEvents {
  /** Of the event at which the page begins. */
  readonly from_id: string | null
  readonly end_position: number | null
  readonly end_id: string
  readonly is_head: boolean
}

const readTypesStatement = {
  name: 'bifold_read_types',
  text: `with latest as (select position from bifold.events order by position desc limit 1),
      ending as (select position, id from bifold.events where position = least($2, (select position from latest)))
    select page.*, (select id from bifold.events where position = $1) as from_id,
           (select position from ending) as end_position, (select id from ending) as end_id,
           (select position from ending) = (select position from latest) as is_head
      from (
        select string_agg(position::text, ',') as positions, string_agg(tenant, e'\\x1f') as tenants,
               string_agg(category, e'\\x1f') as categories, string_agg(to_json(stream_id)::text, ',') as stream_ids,
               string_agg(version::text, ',') as versions, string_agg(type, e'\\x1f') as types,
               string_agg(schema_version::text, ',') as schema_versions, string_agg(id::text, '","') as ids,
               string_agg(case when cardinality(tags) = 0 then '' else array_to_json(tags)::text end, e'\\x1f') as tags,
               string_agg(data::text, e'\\x1f') as data, string_agg(metadata::text, e'\\x1f') as metadata,
               string_agg(case when recorded_at is distinct from before
                            then to_char(recorded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') else '' end,
                          '","') as recorded_at,
               max(bytes) as bytes
          from (
            select *
              from (
                select *, sum(size) over page as bytes, lag(recorded_at) over page as before
                  from (
                    select *, pg_column_size(data) + pg_column_size(metadata) as size
                      from bifold.events
                     where position > $1 and position <= (select position from ending) and type = any($3)
                       and ($6 = 1 or stream_hash is null
                         or (stream_hash::bigint & 4294967295) % $6 = any($7::bigint[]))
                     order by position
                     limit $4) as found
                window page as (order by position rows unbounded preceding)) as measured
             where bytes - size < $5
             order by position) as cut) as page`,
}

/** How far one page looks for its types: a rare one would otherwise be sought through the whole log by one statement. */
const scanPositions = 20_000

const all: ShardFilter = { count: 1, own: [0], upTo: Number.POSITIVE_INFINITY }

/** As `readAll`, only events of these types, and of these shards where that is known of them. A page may be empty, and yet have got on. */
export async function readTypes(
  sql: Sql,
  from: Anchor,
  types: readonly string[],
  maxEvents: number,
  shards: ShardFilter = all,
): Promise<StoredPage | undefined> {
  const upTo = Math.max(from.position, Math.min(from.position + scanPositions, shards.upTo))
  const values = [from.position, upTo, types, maxEvents, pageBytes, shards.count, shards.own]
  const [page] = await sql.query<BoundedEvents>(readTypesStatement, values)
  if (from.position > 0 && (page?.from_id == null || fingerprintOf(page.from_id) !== from.fingerprint)) return undefined
  if (page?.end_position == null) return { events: [], through: from, atHead: true }
  const events = eventsOf(page)
  const end = { position: page.end_position, id: page.end_id }
  const isFull = events.length === maxEvents || isCut(page)
  const through = (isFull ? anchorOf(events.at(-1)) : anchorOf(end)) ?? from
  return { events, through, atHead: page.is_head && through.position === end.position }
}

interface EventAt {
  readonly position: number
  readonly id: string
}

function isAt(anchor: Anchor, row: EventAt | undefined): boolean {
  return row?.position === anchor.position && fingerprintOf(row.id) === anchor.fingerprint
}

export function anchorOf(row: EventAt | undefined): Anchor | undefined {
  return row && { position: row.position, fingerprint: fingerprintOf(row.id) }
}
