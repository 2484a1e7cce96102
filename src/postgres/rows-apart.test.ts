import { expect, test } from 'vitest'
import { z } from 'zod'
import { app, events, projection } from '../define/index.ts'
import { rowsApart } from '../project/index.ts'
import { run } from '../run/index.ts'
import { memoryRowStore } from '../stores/memory/index.ts'
import { embedded, sqlQuery } from './index.ts'

const Items = events('item', { Made: z.object({ n: z.int() }) })
const viewNamed = (name: string) =>
  projection(name, { from: [Items], state: z.object({ n: z.int() }), on: { Made: (_, { data }) => ({ n: data.n }) } })
const [Here, Apart] = [viewNamed('here'), viewNamed('apart')]
const input = z.object({})
const both = sqlQuery('both', {
  views: { here: Here, apart: Apart },
  input,
  run: async db => db.selectFrom('here').innerJoin('apart', 'apart._key', 'here._key').select('here.n').execute(),
})
const alone = sqlQuery('alone', {
  views: { here: Here },
  input,
  run: db => db.selectFrom('here').select('n').execute(),
})

test('a query in SQL is refused where one of its views has no rows there, whichever it names first', async () => {
  const on = await embedded()
  const views = rowsApart(on.views, memoryRowStore(), { isApart: ({ name }) => name === 'apart' })
  const definition = app('items', { events: [Items], projections: [Here, Apart], queries: [both, alone] })
  const system = await run(definition, { on: { ...on, views } })
  try {
    const stream = { tenant: 'default', category: 'item', id: 'a' }
    await system.log.append({ stream, expected: 'any', events: [Items.Made({ n: 7 })] })
    await system.drain()
    expect((await system.query(alone, {})).value).toEqual([{ n: 7 }])
    await expect(system.query(both, {})).rejects.toMatchObject({ code: 'query/invalid-request' })
  } finally {
    await system.close()
  }
})
