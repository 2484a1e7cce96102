import { afterEach, beforeEach, expect, test } from 'vitest'
import { accountById, accountsByBalance, bank } from '../../test/support/bank.ts'
import { type AnyProjection, BifoldError } from '../define/index.ts'
import { createLog, type EventLog, memoryLogStorage, origin, systemRuntime, tokenOf } from '../log/index.ts'
import { type View, type ViewStore, viewShapeOf } from '../project/index.ts'
import { memoryViewStore } from '../stores/memory/index.ts'
import { type Asker, createAsker, type ReadableView } from './index.ts'

const [accounts] = bank.projections as [AnyProjection]

let log: EventLog
let store: ViewStore
let older: View
let newer: View
let asker: Asker
let serve: (view: ReadableView) => void
/** Whoever reads the older view waits for this first. */
let held: Promise<void> | undefined
let readsOfOlder: number

beforeEach(async () => {
  log = await createLog(memoryLogStorage(), { eventTypes: bank.eventTypes })
  store = memoryViewStore()
  held = undefined
  readsOfOlder = 0
  older = await store.open(viewShapeOf(accounts))
  newer = await store.open(viewShapeOf({ ...accounts, version: 2, shards: 3 }))
  const holding: View = {
    ...older,
    get: keys => {
      readsOfOlder++
      return Promise.resolve(held).then(() => older.get(keys))
    },
  }
  asker = createAsker({
    app: bank,
    views: new Map([['accounts', holding]]),
    onServing: listener => {
      serve = listener
      return () => undefined
    },
    follow: async () => serve(newer),
    store,
    log: { ...log, holds: async () => true },
    runtime: systemRuntime,
  })
})

afterEach(async () => {
  await asker.close()
  await log.close()
})

const to = { position: 1, fingerprint: 'aaaaaaaaaaaa' }

async function move(view: View, owner: string): Promise<void> {
  const row = { owner, balance: 0, open: true }
  for (let shard = 0; shard < view.shards; shard++) {
    const { epoch } = await view.claim(shard)
    const upserts = shard > 0 ? [] : [{ tenant: 'default', key: 'a', position: 1, row, doc: JSON.stringify(row) }]
    await view.commit({ shard, epoch, from: origin, to, upserts, deletes: [] })
  }
}

test('from the moment that another generation serves, queries are answered from it', async () => {
  await move(older, 'Old')
  await move(newer, 'New')
  expect((await asker.query(accountById, { id: 'a' })).value?.owner).toBe('Old')
  serve(newer)
  expect((await asker.query(accountById, { id: 'a' })).value?.owner).toBe('New')
  expect((await asker.query(accountsByBalance, {})).value.rows[0]?.owner).toBe('New')
})

test('a query in flight is answered from the generation that it asked', async () => {
  await move(older, 'Old')
  await move(newer, 'New')
  let letGo = (): void => undefined
  held = new Promise(resolve => {
    letGo = resolve
  })
  const inFlight = asker.query(accountById, { id: 'a' })
  await systemRuntime.turn()
  serve(newer)
  letGo()
  expect((await inFlight).value?.owner).toBe('Old')
})

test('who waits for a token waits on for the generation that comes to serve, within the same time', async () => {
  const options = { after: tokenOf(log.id, to), waitMs: 60_000 }
  const waiting = [
    asker.query(accountById, { id: 'a' }, options),
    asker.query(accountsByBalance, {}, options).then(({ value: { rows } }) => ({ value: rows[0] })),
  ]
  const late = asker.query(accountById, { id: 'a' }, { ...options, waitMs: 30 })
  late.catch(() => undefined)
  await systemRuntime.turn()
  serve(newer)
  await expect(late).rejects.toMatchObject({ code: 'query/timeout' })
  await move(newer, 'New')
  expect((await Promise.all(waiting)).map(answer => answer.value?.owner)).toEqual(['New', 'New'])
  expect(readsOfOlder).toBe(0)
})

test('what the generation before had reached is not believed of the next', async () => {
  await move(older, 'Old')
  const options = { after: tokenOf(log.id, to), waitMs: 30 }
  expect((await asker.query(accountById, { id: 'a' }, options)).value?.owner).toBe('Old')
  serve(newer)
  await expect(asker.query(accountById, { id: 'a' }, options)).rejects.toMatchObject({ code: 'query/timeout' })
})

test('a query that finds its generation dropped is answered from the one that serves', async () => {
  await move(older, 'Old')
  await move(newer, 'New')
  await store.activate('accounts', newer.generation)
  expect(await store.drop('accounts', older.generation)).toBe('dropped')
  expect((await asker.query(accountById, { id: 'a' })).value?.owner).toBe('New')
  expect((await asker.query(accountById, { id: 'a' }, { after: tokenOf(log.id, to) })).value?.owner).toBe('New')
})

test('where none serves instead, it is told', async () => {
  await move(older, 'Old')
  const asked = createAsker({
    ...{ app: bank, store, log, runtime: systemRuntime },
    views: new Map([
      ['accounts', { ...older, get: () => Promise.reject(new BifoldError('project/generation-dropped', at)) }],
    ]),
  })
  await expect(asked.query(accountById, { id: 'a' })).rejects.toMatchObject({ code: 'project/generation-dropped' })
  await asked.close()
})

const at = { projection: 'accounts', generation: 1 }
