import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { describePostgres, freshDatabase } from '../../test/support/postgres.ts'
import { events, projection } from '../define/index.ts'
import { type View, viewShapeOf } from '../project/index.ts'
import type { Database, Lane } from './client.ts'
import { openPostgres, postgresViewStore } from './index.ts'
import { moveStatement, moveValues } from './view-commit.ts'
import { checkpointsStatement } from './view-read.ts'
import { generationsStatement } from './view-swap.ts'

const Things = events('thing', { Happened: z.object({}) })
const Few = projection('few', { from: [Things], state: z.object({}), on: {}, shards: 4 })

describePostgres('checkpoints while somebody holds an old snapshot', () => {
  const moves = 3000
  const at = (position: number) => ({ position, fingerprint: position === 0 ? '' : 'ffffffffffff' })
  let fresh: Awaited<ReturnType<typeof freshDatabase>>
  let database: Database
  let lane: Lane
  let holder: Lane
  let view: View
  let epoch = 0

  beforeAll(async () => {
    fresh = await freshDatabase()
    database = await openPostgres(`${fresh.url}?options=-c%20synchronous_commit%3Doff`)
    lane = database.lane()
    holder = database.lane()
    view = await postgresViewStore(database).open(viewShapeOf(Few))
    epoch = (await view.claim(2)).epoch
    for (let n = 0; n < 200; n++) await move(n)
    // What is planned from now on is planned for a table that is known to have four rows.
    await database.sql.script('vacuum analyze bifold_views._checkpoints')
    await holder.script('begin isolation level repeatable read; select from bifold_views._checkpoints')
    for (let n = 200; n < moves; n++) await move(n)
  })
  afterAll(async () => {
    await holder.close()
    await lane.close()
    await database.close()
    await fresh.drop()
  })

  const change = (position: number) => ({
    ...{ shard: 2, epoch, from: at(position), to: at(position + 1) },
    ...{ upserts: [], deletes: [], rollups: [] },
  })
  async function move(position: number): Promise<void> {
    expect(await view.commit(change(position))).toBe('committed')
  }
  /** How many pages a statement looks at: those with the old versions are about forty. */
  async function pagesOf(text: string, values: readonly unknown[]): Promise<number> {
    // Three times: a function plans what it does when it is first called.
    let pages = 0
    for (let n = 0; n < 3; n++) {
      const plan = await lane.query<{ 'QUERY PLAN': string }>(
        { text: `explain (analyze, buffers, format json) ${text}` },
        values,
      )
      pages = JSON.parse(plan[0]?.['QUERY PLAN'] ?? '[]')[0].Plan['Shared Hit Blocks']
    }
    return pages
  }

  test('a move looks at a few versions', async () => {
    await lane.script('begin')
    const pages = await pagesOf(moveStatement.text, moveValues('few', 1, change(moves)))
    await lane.script('rollback')
    expect(pages).toBeLessThan(25)
  })

  test('so does who reads them, under plans too that were made for a table of four rows', async () => {
    expect(await pagesOf(checkpointsStatement.text, ['few', 1])).toBeLessThan(25)
    expect((await view.checkpoints()).map(({ position }) => position)).toEqual([0, 0, moves, 0])
  })

  test('so does who watches the generations, which every process does all the time', async () => {
    expect(await pagesOf(generationsStatement.text, ['few'])).toBeLessThan(30)
  })

  test('what reads from the old snapshot sees it as it was', async () => {
    const [, , seen] = await holder.query<{ position: number }>(checkpointsStatement, ['few', 1])
    expect(seen?.position).toBe(200)
  })
})
