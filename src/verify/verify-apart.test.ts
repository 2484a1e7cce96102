import { expect, test } from 'vitest'
import { z } from 'zod'
import { type AnyProjection, app, events, projection } from '../define/index.ts'
import { viewShapeOf } from '../project/index.ts'
import { mortals } from '../project/mortal.contract.ts'
import { statusWhere, until } from '../project/projector-under-test.contract.ts'
import { verify } from './verify.ts'

const Items = events('item', { Added: z.object({ n: z.int() }) })
const bad = 666
const Sums = projection('sums', {
  from: [Items],
  state: z.object({ sum: z.int() }),
  on: {
    Added: (row, { data: { n } }) => {
      if (n === bad) throw new Error('bad')
      return { sum: (row?.sum ?? 0) + n }
    },
  },
  indexes: [['sum']],
})
const items = app('items', { events: [Items], projections: [Sums] })
const added = (...numbers: readonly number[]) => numbers.map(n => Items.Added({ n }))
const key = { tenant: 'default', key: 'a' }
type Its = Awaited<ReturnType<typeof mortals>>

/** The same views, where something happens each time before their rows are read. */
function watched(its: Its, happen: (n: number) => Promise<void>) {
  let n = 0
  const { views } = its
  const find: typeof views.find = async (shape, generation) => {
    const view = await views.find(shape, generation)
    const rows = await its.rows.open(shape, generation)
    async function* pages() {
      await happen(++n)
      yield* rows.pages()
    }
    return { ...view, snapshot: read => view.snapshot(snapshot => read({ ...snapshot, pages: pages() })) }
  }
  return { log: its.log, views: { ...views, find } }
}

/** A process dies that has written rows, and not moved the checkpoint. */
async function leftAhead(its: Its, write: () => Promise<unknown>): Promise<void> {
  const process = its.process()
  const dies = process.diesWriting({ arrives: true })
  await write()
  await process.start()
  await dies
}

async function settled(its: Its, of: AnyProjection): Promise<void> {
  const { position } = await its.log.head()
  const projector = await its.process().start()
  const isThere = ({ projection: name, shards }: { projection: string; shards: readonly { position: number }[] }) =>
    name === of.name && shards.every(shard => shard.position === position)
  await statusWhere(projector, isThere)
  await projector.stop()
}

test('a row that is ahead of its checkpoint is right as of where it is, and wrong where it is not what the log makes', async () => {
  const its = await mortals(items)
  await its.append('item', 'a', ...added(1))
  await settled(its, Sums)
  await leftAhead(its, () => its.append('item', 'a', ...added(2)))
  const { log, views } = its
  expect(await verify({ log, views }, Sums)).toMatchObject({ equal: true, asOf: [{ position: 1 }] })
  const rows = await its.rows.open(viewShapeOf(Sums), 1)
  const write = (number: number, sum: number, column: number) =>
    rows.write({
      ...{ version: { epoch: 99, number }, madeAt: 2, deletes: [] },
      upserts: [{ ...key, position: 2, row: { sum: column }, doc: JSON.stringify({ sum }) }],
    })
  await write(1, 4, 4)
  expect(await verify({ log, views }, Sums)).toMatchObject({ different: 1, differences: [{ kind: 'changed' }] })
  await write(2, 3, 4)
  const columns = [{ stored: { differing: ['sum'] } }]
  expect(await verify({ log, views }, Sums)).toMatchObject({ different: 1, differences: columns })
})

test('rows that move, and keys that are parked, while they are read are no difference', async () => {
  const its = await mortals(items)
  await its.append('item', 'a', ...added(1))
  const projector = await its.process().start()
  const view = await its.views.find(viewShapeOf(Sums), 1)
  const reached = (position: number) => until(async () => (await view.checkpoint(0)).position === position)
  await reached(1)
  const on = watched(its, async n => {
    if (n === 1) await reached(await its.append('item', 'a', ...added(2)))
    if (n === 2) await reached(await its.append('item', 'a', ...added(4, bad)))
  })
  expect(await verify(on, Sums)).toMatchObject({ equal: true })
  await projector.stop()
})

test('a row that is ahead and made with one that stands still is no difference', async () => {
  const Owners = events('owner', { Named: z.object({ name: z.string() }) })
  const Names = projection('names', {
    from: [Owners],
    state: z.object({ name: z.string() }),
    on: {
      Named: (_, { data: { name } }) => {
        if (name === 'bad') throw new Error(name)
        return { name }
      },
    },
  })
  const Owned = projection('owned', {
    from: [Items],
    state: z.object({ sum: z.int() }),
    on: { Added: (row, { data: { n } }) => ({ sum: (row?.sum ?? 0) + n }) },
    refs: { owner: { to: Names, key: () => 'o' } },
    row: z.object({ owner: z.string(), sum: z.int() }),
    present: ({ sum }, { owner }) => ({ owner: owner?.name ?? '', sum }),
  })
  const its = await mortals(
    app('owned', { events: [Items, Owners], projections: [Names, Owned] }),
    name => name === 'owned',
  )
  await its.append('owner', 'o', Owners.Named({ name: 'A' }), Owners.Named({ name: 'bad' }))
  await its.append('item', 'a', ...added(1))
  await settled(its, Owned)
  await leftAhead(its, () => its.append('item', 'a', ...added(2)))
  expect(await verify({ log: its.log, views: its.views }, Owned)).toMatchObject({ equal: true })
})

test('rows that are missing because their generation was dropped meanwhile are told as that', async () => {
  const its = await mortals(items)
  await its.append('item', 'a', ...added(1))
  await settled(its, Sums)
  const { generation } = await its.views.rebuild(viewShapeOf(Sums))
  const on = watched(its, async () => {
    await its.views.drop(Sums.name, generation)
  })
  const dropped = { code: 'project/generation-dropped' }
  await expect(verify(on, Sums, { generation })).rejects.toMatchObject(dropped)
})
