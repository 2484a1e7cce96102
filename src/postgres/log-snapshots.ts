import type { FromSnapshot, Snapshot, StreamKey } from '../log/index.ts'
import type { Sql } from './client.ts'
import { type EventRow, eventOf } from './log-read.ts'

// The look at the event is a scalar: one probe of the index, whatever the planner believes of the table. The state comes
// with the first row alone, which is there even where no event follows.
const readStatement = {
  name: 'bifold_read_from_snapshot',
  text: `with s as materialized (
      select snapshot_version, version as snapshot_at, position as snapshot_position, fingerprint, state
        from bifold.snapshots k
       where k.tenant = $1 and k.category = $2 and k.stream_id = $3 and k.snapshot_version = $4
         and k.fingerprint = (
           select right(e.id::text, 12) from bifold.events e
            where e.position = k.position and e.version = k.version
              and e.tenant = k.tenant and e.category = k.category and e.stream_id = k.stream_id))
    select s.snapshot_at, s.snapshot_position, s.fingerprint,
           case when e.version is null or e.version = s.snapshot_at + 1 then s.state end as state, e.*
      from (values (1)) as always(one)
      left join s on true
      left join lateral (
        select position, tenant, category, stream_id, version, type, schema_version, id, tags, data, metadata,
               to_char(recorded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as recorded_at
          from bifold.events
         where tenant = $1 and category = $2 and stream_id = $3 and version > coalesce(s.snapshot_at, 0)
         order by version
         limit $5) e on true
     order by e.version`,
}

interface FromSnapshotRow extends EventRow {
  readonly snapshot_at: number | null
  readonly snapshot_position: number
  readonly fingerprint: string
  readonly state: string
}

export async function readFromSnapshot(
  sql: Sql,
  stream: StreamKey,
  snapshotVersion: number,
  maxEvents: number,
): Promise<FromSnapshot> {
  const { tenant, category, id } = stream
  const rows = await sql.query<FromSnapshotRow>(readStatement, [tenant, category, id, snapshotVersion, maxEvents])
  const events = rows.filter(row => row.id !== null).map(eventOf)
  const first = rows[0]
  if (first === undefined || first.snapshot_at === null) return { events }
  const { snapshot_at: version, snapshot_position: position, fingerprint, state } = first
  return { snapshot: { stream, snapshotVersion, version, at: { position, fingerprint }, state }, events }
}

const writeStatement = {
  name: 'bifold_write_snapshots',
  text: `insert into bifold.snapshots as k
      (tenant, category, stream_id, snapshot_version, version, position, fingerprint, state)
    select n.*
      from unnest($1::text[], $2::text[], $3::text[], $4::integer[], $5::bigint[], $6::bigint[], $7::text[], $8::text[])
        as n(tenant, category, stream_id, snapshot_version, version, position, fingerprint, state)
     where n.fingerprint = (
       select right(e.id::text, 12) from bifold.events e
        where e.position = n.position and e.version = n.version
          and e.tenant = n.tenant and e.category = n.category and e.stream_id = n.stream_id)
     order by n.tenant, n.category, n.stream_id
    on conflict (tenant, category, stream_id) do update
      set snapshot_version = excluded.snapshot_version, version = excluded.version, position = excluded.position,
          fingerprint = excluded.fingerprint, state = excluded.state
      where (excluded.snapshot_version, excluded.version) > (k.snapshot_version, k.version)
         or k.fingerprint is distinct from (
           select right(e.id::text, 12) from bifold.events e where e.position = k.position)`,
}

/** In the order of their keys, so that two processes that write the same ones wait for each other in one direction. */
export async function writeSnapshots(sql: Sql, snapshots: readonly Snapshot[]): Promise<void> {
  await sql.query(writeStatement, [
    snapshots.map(({ stream }) => stream.tenant),
    snapshots.map(({ stream }) => stream.category),
    snapshots.map(({ stream }) => stream.id),
    snapshots.map(({ snapshotVersion }) => snapshotVersion),
    snapshots.map(({ version }) => version),
    snapshots.map(({ at }) => at.position),
    snapshots.map(({ at }) => at.fingerprint),
    snapshots.map(({ state }) => state),
  ])
}
