import { expect, test } from 'vitest'
import { z } from 'zod'
import { app, event, events, projection } from '../define/index.ts'
import { createLog, memoryLogStorage } from '../log/index.ts'
import { inMemory, memoryViewStore } from '../stores/memory/index.ts'
import { projectorContract } from './projector.contract.ts'
import { startProjector } from './projector.ts'
import { projectorShardsContract } from './projector-shards.contract.ts'
import { viewShapeOf } from './view-shape.ts'

const make = async () => {
  const { log, views, close } = inMemory()
  return { log, store: views, other: views, close }
}
projectorContract('in memory', make, 20_000)
projectorShardsContract('in memory', make)

test('an event that cannot be read stops its projection behind everything that can', async () => {
  const storage = memoryLogStorage()
  const First = events('thing', { Happened: z.object({ n: z.int() }) })
  const Second = events('thing', {
    Happened: event(z.object({ n: z.int() }), {
      schemaVersion: 2,
      upcast: {
        1: (data: { n: number }) => {
          if (data.n === 700) throw new Error('not this one')
          return data
        },
      },
    }),
  })
  const Seen = projection('seen', {
    from: [Second],
    state: z.object({ n: z.int() }),
    on: { Happened: (row, e) => ({ n: Math.max(row?.n ?? 0, e.data.n) }) },
  })
  const writing = await createLog(storage, { eventTypes: app('one', { events: [First] }).eventTypes })
  const stream = { tenant: 'default', category: 'thing', id: 'a' }
  const happened = Array.from({ length: 1000 }, (_, n) => First.Happened({ n: n + 1 }))
  await writing.append({ stream, expected: 'any', events: happened })

  const reading = app('two', { events: [Second], projections: [Seen] })
  const log = await createLog(storage, { eventTypes: reading.eventTypes })
  const store = memoryViewStore()
  const projector = await startProjector({ app: reading, log, store })
  for (;;) {
    const [status] = await projector.status()
    if (status?.state === 'failed') {
      expect(status).toMatchObject({
        position: 699,
        failure: { code: 'log/undecodable-event', event: { position: 700, type: 'Happened' } },
      })
      break
    }
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  const view = await store.open(viewShapeOf(Seen))
  expect((await view.get([{ tenant: 'default', key: 'a' }])).value).toEqual(['{"n":699}'])
  await projector.stop()
  await log.close()
})
