import { openPostgres, postgresViewStore } from 'bifold/postgres'
import { type View, viewShapeOf } from 'bifold/project'
import pg from 'pg'
import type { Bench } from './bench.ts'
import { makeDatabase } from './database.ts'
import { type Figure, figureOf, median } from './figure.ts'
import { accountsApp } from './ledger.ts'

/** What moves of a checkpoint, and reads of it, cost while somebody holds an old snapshot open. */
export const checkpoints: Bench = {
  about: 'moving and reading a checkpoint while somebody holds a snapshot open',
  run: async ({ serverUrl, quick, say }) => {
    const moves = quick ? 30_000 : 100_000
    const database = await makeDatabase(serverUrl)
    const holder = new pg.Client({ connectionString: database.url })
    // The flush of a commit would hide what a look-up costs.
    const url = new URL(database.url)
    url.searchParams.set('options', '-c synchronous_commit=off')
    const opened = await openPostgres(url.href)
    const store = postgresViewStore(opened)
    const plain = new pg.Client({ connectionString: url.href })
    try {
      await Promise.all([holder.connect(), plain.connect()])
      const [accounts] = accountsApp().app.projections
      if (accounts === undefined) throw new Error('the app has no projection')
      const view = await store.open(viewShapeOf(accounts))
      const move = await mover(view)
      const update = await updater(plain)
      const read = async (): Promise<void> => {
        await view.get([{ tenant: 'default', key: 'none' }])
      }
      say('without a snapshot')
      await each(2000, move)
      const free = { move: await each(2000, move), read: await each(2000, read), update: await each(2000, update) }
      await plain.query('vacuum analyze bifold_views._checkpoints, checkpoint')
      await holder.query('begin isolation level repeatable read')
      await holder.query('select count(*) from bifold_views._checkpoints, checkpoint')
      say(`${moves} moves under one that is held`)
      await each(moves, move)
      const held = { move: await each(2000, move), read: await each(2000, read) }
      say(`${moves} updates of a row beside it`)
      await each(moves, update)
      const plainHeld = await each(2000, update)
      await holder.query('rollback')
      const figures: Figure[] = [
        figureOf(`a move after ${moves} under a snapshot`, held.move, 'µs', 'without a snapshot', free.move),
        figureOf('a look-up by key then', held.read, 'µs', 'without a snapshot', free.read),
        figureOf('a row of a plain key, updated as often', plainHeld, 'µs', 'without a snapshot', free.update),
      ]
      return figures
    } finally {
      await Promise.all([holder.end(), plain.end()])
      await store.close()
      await opened.close()
      await database.drop()
    }
  },
}

/** Moves the checkpoint of a view by one position. */
async function mover(view: View): Promise<() => Promise<void>> {
  const { epoch, ...at } = await view.claim(0)
  let from = { position: at.position, fingerprint: at.fingerprint }
  return async () => {
    const to = { position: from.position + 1, fingerprint: (from.position + 1).toString(16).padStart(12, '0') }
    const outcome = await view.commit({ shard: 0, epoch, from, to, upserts: [], deletes: [], rollups: [] })
    if (outcome !== 'committed') throw new Error(`a move ended as ${outcome}`)
    from = to
  }
}

/** Updates one row of a table with a plain primary key and as much room on its pages. */
async function updater(client: pg.Client): Promise<() => Promise<void>> {
  await client.query('create table checkpoint (name text primary key, position bigint not null) with (fillfactor = 10)')
  await client.query("insert into checkpoint values ('accounts', 0)")
  const text = "update checkpoint set position = position + 1 where name = 'accounts'"
  return async () => {
    await client.query({ name: 'update', text })
  }
}

/** Runs `run` so often. Answers the median of what it took, in microseconds. */
async function each(times: number, run: () => Promise<void>): Promise<number> {
  const took: number[] = []
  for (let n = 0; n < times; n++) {
    const begin = performance.now()
    await run()
    took.push((performance.now() - begin) * 1000)
  }
  return median(took)
}
