import { expect, test } from 'vitest'
import { z } from 'zod'
import { app, events, projection } from '../define/index.ts'
import { createLog } from '../log/index.ts'
import { inMemory, memoryRowStore } from '../stores/memory/index.ts'
import { defaultProjectorLimits } from './limits.ts'
import { projectorContract } from './projector.contract.ts'
import { startProjector } from './projector.ts'
import { projectorChangesContract } from './projector-changes.contract.ts'
import { projectorGenerationsContract } from './projector-generations.contract.ts'
import { projectorLateContract } from './projector-late.contract.ts'
import { projectorLettersContract } from './projector-letters.contract.ts'
import { projectorOperationsContract } from './projector-operations.contract.ts'
import { projectorRebuildContract } from './projector-rebuild.contract.ts'
import { projectorRefLoadsContract } from './projector-ref-loads.contract.ts'
import { projectorReferredContract } from './projector-referred.contract.ts'
import { projectorRefsContract } from './projector-refs.contract.ts'
import { projectorShardsContract } from './projector-shards.contract.ts'
import { statusWhere } from './projector-under-test.contract.ts'
import { projectorWaitsContract } from './projector-waits.contract.ts'
import { rowsApart } from './rows-apart.ts'
import { viewShapeOf } from './view-shape.ts'

/** Rows in a store without transactions, but for those of views to which others refer, or that have rollups. */
const makeApart = async () => {
  const { log, views, close } = inMemory()
  const store = rowsApart(views, memoryRowStore(), { isApart: ({ name }) => !/-(people|depots)$|^summed-/.test(name) })
  return { log, store, other: store, isApart: true, close }
}
const apart = 'in memory, with rows apart'
projectorContract(apart, makeApart, 5000)
projectorOperationsContract(apart, makeApart, true)
projectorGenerationsContract(apart, makeApart)
projectorRebuildContract(apart, makeApart)
projectorShardsContract(apart, makeApart)
projectorWaitsContract(apart, makeApart)
projectorLettersContract(apart, makeApart)
projectorRefsContract(apart, makeApart, { seeds: 8, dependents: 3000 })
projectorLateContract(apart, makeApart, { seeds: 8 })
projectorRefLoadsContract(apart, makeApart)
projectorChangesContract(apart, makeApart, { seeds: 8 })
projectorReferredContract(apart, makeApart)

test.each([
  ['a page at a time', {}],
  ['in bulk', { rebuild: { ...defaultProjectorLimits.rebuild, minEvents: 1 } }],
])(
  'rows apart that an earlier holder of a shard has left are gone where the log deletes them, folded %s',
  async (_, limits) => {
    const { log: storage, views } = inMemory()
    const Things = events('thing', { Made: z.object({ n: z.int() }), Ended: z.object({}) })
    const Seen = projection('seen', {
      from: [Things],
      state: z.object({ n: z.int() }),
      on: { Made: (_row, e) => ({ n: e.data.n }), Ended: () => null },
    })
    const one = app('one', { events: [Things], projections: [Seen] })
    const log = await createLog(storage, { eventTypes: one.eventTypes })
    const stream = { tenant: 'default', category: 'thing', id: 'a' }
    await log.append({ stream, expected: 'any', events: [Things.Made({ n: 1 }), Things.Ended({})] })
    const rows = memoryRowStore()
    const store = rowsApart(views, rows)
    const shape = viewShapeOf(Seen)
    const { epoch } = await (await store.open(shape)).claim(0)
    const kept = await rows.open(shape, 1)
    const key = { tenant: 'default', key: 'a' }
    const zombie = () =>
      kept.write({
        ...{ version: { epoch, number: 9 }, madeAt: 1, deletes: [] },
        upserts: [{ ...key, position: 1, row: { n: 1 }, doc: '{"n":1}' }],
      })
    await zombie()
    const projector = await startProjector({ app: one, log, store, ...limits })
    await statusWhere(projector, ({ behind }) => behind === 0)
    expect(await kept.get([key])).toEqual([null])
    await zombie()
    expect(await kept.get([key])).toEqual([null])
    await projector.stop()
    await log.close()
  },
)
