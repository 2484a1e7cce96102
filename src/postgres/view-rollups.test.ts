import { expect, test } from 'vitest'
import { z } from 'zod'
import { describePostgres, freshDatabase } from '../../test/support/postgres.ts'
import { projection } from '../define/index.ts'
import { type Anchor, origin } from '../log/index.ts'
import { type View, viewShapeOf } from '../project/index.ts'
import { openPostgres, postgresViewStore } from './index.ts'

const Counted = projection('counted', {
  from: [],
  state: z.object({ n: z.int() }),
  on: {},
  rollups: { all: { by: () => 'all', sum: () => ({ n: 1 }) } },
})

describePostgres('sums that came to nothing', () => {
  test('are nowhere to be seen, come back, and are swept away now and then', async () => {
    const fresh = await freshDatabase()
    const database = await openPostgres(fresh.url)
    try {
      const view = await postgresViewStore(database).open(viewShapeOf(Counted))
      const { epoch } = await view.claim(0)
      let from: Anchor = origin
      const change = async (sign: 1 | -1): Promise<void> => {
        const to = { position: from.position + 1, fingerprint: 'ffffffffffff' }
        const of = { rollup: 'all', tenant: 'default', group: 'all', rows: sign }
        const rollups = [
          { ...of, sum: '', value: 0n },
          { ...of, sum: 'n', value: BigInt(sign) },
        ]
        await view.commit({ shard: 0, epoch, from, to, upserts: [], deletes: [], rollups })
        from = to
      }
      const stored = () =>
        database.sql.query<{ rows: number }>({ text: 'select _rows as rows from bifold_views.counted__g1__sums' })
      await change(1)
      expect(await seen(view)).toEqual([{ group: 'all', sums: [['n', 1n]] }, 1, 2])
      await change(-1)
      // The first that leaves after a start takes along what was left by the process before.
      expect(await stored()).toEqual([])
      await change(1)
      await change(-1)
      expect(await stored()).toEqual([{ rows: 0 }, { rows: 0 }])
      expect(await seen(view)).toEqual([null, 0, 0])
      await change(1)
      expect(await seen(view)).toEqual([{ group: 'all', sums: [['n', 1n]] }, 1, 2])
    } finally {
      await database.close()
      await fresh.drop()
    }
  })
})

/** The group by its name, how many a list has, and how many sums a snapshot. */
async function seen(view: View): Promise<readonly unknown[]> {
  const key = { tenant: 'default', key: 'all' }
  const scan = { tenant: 'default', index: ['group'], equal: [], range: {}, order: 'asc', limit: 10 } as const
  let sums = 0
  await view.snapshot(async snapshot => {
    for await (const page of snapshot.sums) sums += page.length
  })
  const { value } = await view.rollups.get('all', [key])
  return [value[0], (await view.rollups.list('all', scan)).value.length, sums]
}
