import { events } from 'bifold'
import { batchProjection, batchQuery } from 'bifold/postgres'
import { z } from 'zod'

const PaymentEvents = events('payment', { PaymentMade: z.object({ account: z.string(), cents: z.int() }) })

export const Ledger = batchProjection('ledger', {
  from: [PaymentEvents],
  tables: {
    lines: {
      columns:
        'position bigint primary key, account text not null, cents bigint not null, made_at timestamptz not null',
      indexes: ['account, made_at'],
    },
  },
  handle: async (batch, { query, tables }) => {
    await query(
      `insert into ${tables.lines} select * from unnest($1::bigint[], $2::text[], $3::bigint[], $4::timestamptz[])`,
      [
        batch.map(event => event.position),
        batch.map(event => event.data.account),
        batch.map(event => event.data.cents),
        batch.map(event => event.recordedAt),
      ],
    )
  },
})

export const statement = batchQuery('statement', {
  from: Ledger,
  input: z.object({ account: z.string() }),
  run: ({ query, tables }, { account }) =>
    query<{ cents: number; saldo: number }>(
      `select cents, sum(cents) over (order by position)::bigint as saldo from ${tables.lines} where account = $1 order by position`,
      [account],
    ),
})
