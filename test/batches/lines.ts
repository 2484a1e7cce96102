import { app } from '../../src/index.ts'
import { batchProjection } from '../../src/postgres/index.ts'
import { Marks } from '../projector/tally.ts'

/** Every event as a line, in a table that would take one twice. */
export const Lines = batchProjection('lines', {
  from: [Marks],
  tables: { lines: { columns: 'position bigint not null, stream text not null, amount bigint not null' } },
  handle: async (events, { query, tables }) => {
    await query(`insert into ${tables.lines} select * from unnest($1::bigint[], $2::text[], $3::bigint[])`, [
      events.map(({ position }) => position),
      events.map(({ streamId }) => streamId),
      events.map(({ data }) => data.by),
    ])
  },
})

export const lines = app('lines', { events: [Marks], projections: [Lines] })
