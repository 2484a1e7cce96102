import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type AnyProjection, app, BifoldError, events, projection } from '../define/index.ts'
import { createLog } from '../log/index.ts'
import { inMemory, memoryRowStore } from '../stores/memory/index.ts'
import { defaultProjectorLimits } from './limits.ts'
import { type Mortal, mortals } from './mortal.contract.ts'
import { type Projector, startProjector } from './projector.ts'
import { statusWhere, until } from './projector-under-test.contract.ts'
import { rowsApart } from './rows-apart.ts'
import type { ViewStore } from './store.ts'
import { viewShapeOf } from './view-shape.ts'

const Items = events('item', { Added: z.object({ n: z.int() }) })

/** A number of which no row can be made as long as it was the last; one at which folding fails, while it does. */
const [bad, fragile] = [666, 10]

function sums(options: { readonly isBroken?: () => boolean; readonly isCorrected?: () => boolean } = {}) {
  const { isBroken = () => false, isCorrected = () => false } = options
  const Sums = projection('sums', {
    from: [Items],
    state: z.object({ sum: z.int(), last: z.int() }),
    on: {
      Added: (row, { data: { n } }) => {
        if (n === fragile && isBroken()) throw new Error('broken')
        if (n === bad && isCorrected()) return { sum: row?.sum ?? 0, last: 0 }
        return { sum: (row?.sum ?? 0) + n, last: n }
      },
    },
    row: z.object({ sum: z.int() }),
    present: ({ sum, last }) => {
      if (last === bad) throw new Error('bad')
      return { sum }
    },
  })
  return { Sums, own: app('items', { events: [Items], projections: [Sums] }) }
}

const Owners = events('owner', { Named: z.object({ name: z.string() }) })
const Cards = events('card', { Given: z.object({ owner: z.string() }), Touched: z.object({}) })
const OwnerNames = projection('owners', {
  from: [Owners],
  state: z.object({ name: z.string() }),
  on: { Named: (_, { data }) => ({ name: data.name }) },
})
const CardRows = projection('cards', {
  from: [Cards],
  state: z.object({ ownerId: z.string(), touched: z.int() }),
  on: {
    Given: (row, { data }) => ({ ownerId: data.owner, touched: row?.touched ?? 0 }),
    Touched: row => row && { ...row, touched: row.touched + 1 },
  },
  refs: { owner: { to: OwnerNames, key: ({ ownerId }) => ownerId } },
  row: z.object({ owner: z.string(), touched: z.int() }),
  present: ({ touched }, { owner }) => {
    if (owner === null) throw new Error('a card of nobody')
    return { owner: owner.name, touched }
  },
})
const deck = app('deck', { events: [Owners, Cards], projections: [OwnerNames, CardRows] })

const key = { tenant: 'default', key: 'a' }
const added = (...numbers: readonly number[]) => numbers.map(n => Items.Added({ n }))
const rowOf = async (views: ViewStore, of: AnyProjection, generation = 1): Promise<unknown> => {
  const [doc] = (await (await views.find(viewShapeOf(of), generation)).get([key])).value
  return doc == null ? null : JSON.parse(doc)
}
const atHead = (projector: Projector, name: string, head: number) =>
  statusWhere(
    projector,
    ({ projection: of, shards }) =>
      of === name && shards.every(({ position, state }) => position === head && state === 'live'),
  )
const lettersOf = async (views: ViewStore, of: AnyProjection) => (await views.find(viewShapeOf(of), 1)).letters
const isFree = (views: ViewStore, of: AnyProjection) =>
  until(async () => (await (await lettersOf(views, of)).find(key)) === undefined)

/** Other keys, so that what is folded of one lies in more than one page of rows. */
const many = Array.from({ length: 600 }, (_, n) => `f${1000 + n}`)
const bulk = { rebuild: { ...defaultProjectorLimits.rebuild, minEvents: 1 } }

describe('a bulk load that gives up in the midst of its rows', () => {
  test('leaves nothing that refuses what its holder writes afterwards', async () => {
    let isBroken = true
    const { Sums, own } = sums({ isBroken: () => isBroken })
    const its = await mortals(own)
    await its.append('item', 'a', ...added(1, fragile, 4))
    for (const id of many) await its.append('item', id, ...added(1))
    const head = await its.append('item', 'z', ...added(bad))
    const process = its.process()
    process.onWrite(() => {
      isBroken = false
      return undefined
    })
    const projector = await process.start(bulk)
    await atHead(projector, 'sums', head)
    expect(await rowOf(its.views, Sums)).toEqual({ sum: 15 })
    await projector.stop()
  })

  test.each(['retry', 'skip'] as const)('leaves no row beyond where its key stands: %s', async action => {
    let isCorrected = false
    const { Sums, own } = sums({ isCorrected: () => isCorrected })
    const its = await mortals(own)
    const position = await its.append('item', 'a', ...added(1, bad))
    await its.append('item', 'a', ...added(4))
    for (const id of many) await its.append('item', id, ...added(1))
    const head = await its.append('item', 'z', ...added(bad))
    const first = await its.process().start({ ...bulk, minBatchEvents: 1, maxBatchEvents: 2 })
    await atHead(first, 'sums', head)
    expect(await rowOf(its.views, Sums)).toEqual({ sum: 1 })
    await first.stop()
    isCorrected = action === 'retry'
    const second = await its.process().start({ ...bulk, requestPollMs: 5 })
    const asked = action === 'retry' ? { action } : { action, reason: 'it is bad' }
    await (await lettersOf(its.views, Sums)).request({ ...key, position, ...asked } as never)
    await isFree(its.views, Sums)
    expect(await rowOf(its.views, Sums)).toEqual({ sum: 5 })
    await second.stop()
  })
})

describe('what a process sent that is superseded', () => {
  const ownersAt = (its: Awaited<ReturnType<typeof mortals>>, process: Mortal, head: number): void =>
    process.before(async (verb, name) => {
      if (verb !== 'take' || name !== 'cards') return
      const owners = await its.views.find(viewShapeOf(OwnerNames, deck.projections), 1)
      await until(async () => (await owners.checkpoint(0)).position === head)
    })

  test('does not come over a row that the next holder found as it should be', async () => {
    const its = await mortals(deck, name => name === 'cards')
    await its.append('owner', 'o1', Owners.Named({ name: 'A' }))
    const made = await its.append('card', 'a', Cards.Given({ owner: 'o1' }))
    const process = its.process()
    await atHead(await process.start(), 'cards', made)
    const dies = process.diesWriting({ arrives: false })
    await its.append('owner', 'o1', Owners.Named({ name: 'B' }))
    const send = await dies
    const head = await its.append('owner', 'o1', Owners.Named({ name: 'A' }))
    const next = its.process()
    ownersAt(its, next, head)
    const projector = await next.start()
    await atHead(projector, 'cards', head)
    await send()
    expect(await rowOf(its.views, CardRows)).toEqual({ owner: 'A', touched: 0 })
    await projector.stop()
  })

  test('and arrived, is not made anew with rows of before it', async () => {
    const its = await mortals(deck, name => name === 'cards')
    await its.append('owner', 'o1', Owners.Named({ name: 'A' }))
    const made = await its.append('card', 'a', Cards.Given({ owner: 'o1' }))
    const first = await its.process().start()
    await atHead(first, 'cards', made)
    await first.stop()
    await its.append('card', 'a', Cards.Touched({}))
    await its.append('owner', 'o2', Owners.Named({ name: 'B' }))
    const head = await its.append('card', 'a', Cards.Given({ owner: 'o2' }))
    const process = its.process()
    ownersAt(its, process, head)
    const dies = process.diesWriting({ arrives: true })
    await process.start()
    await dies
    const next = await its.process().start({ minBatchEvents: 1, maxBatchEvents: 1 })
    await atHead(next, 'cards', head)
    expect(await (await lettersOf(its.views, CardRows)).held(0)).toMatchObject({ parked: [] })
    expect(await rowOf(its.views, CardRows)).toEqual({ owner: 'B', touched: 1 })
    await next.stop()
  })

  test('does not come over the row of a key that stands still, also where none can be made of it any more', async () => {
    let isBroken = false
    const Totals = projection('totals', {
      from: [Items],
      state: z.object({ sum: z.int() }),
      on: { Added: (row, { data: { n } }) => ({ sum: (row?.sum ?? 0) + n }) },
      row: z.object({ total: z.int() }),
      present: ({ sum }) => {
        if (isBroken) throw new Error('broken')
        return { total: sum }
      },
    })
    const its = await mortals(app('items', { events: [Items], projections: [Totals] }))
    const process = its.process()
    const head = await its.append('item', 'a', ...added(1))
    await atHead(await process.start(), 'totals', head)
    const dies = process.diesWriting({ arrives: false })
    const position = await its.append('item', 'a', ...added(10))
    const send = await dies
    isBroken = true
    const next = await its.process().start({ requestPollMs: 5 })
    await atHead(next, 'totals', position)
    await send()
    expect(await rowOf(its.views, Totals)).toEqual({ total: 1 })
    isBroken = false
    await (await lettersOf(its.views, Totals)).request({ ...key, position, action: 'skip', reason: 'no good' })
    await isFree(its.views, Totals)
    expect(await rowOf(its.views, Totals)).toEqual({ total: 1 })
    await next.stop()
  })
})

describe('the row of a key that is retried', () => {
  async function parked() {
    let isBroken = true
    const { Sums, own } = sums({ isBroken: () => isBroken })
    const its = await mortals(own)
    await its.append('item', 'a', ...added(1))
    const position = await its.append('item', 'a', ...added(fragile))
    const process = its.process()
    const first = await process.start({ requestPollMs: 5 })
    const letters = await lettersOf(its.views, Sums)
    return {
      ...{ its, Sums, own, position, process, first, letters },
      isParked: () => until(() => letters.find(key)),
      mend: () => {
        isBroken = false
      },
    }
  }

  test('stays when what parked it arrives once more', async () => {
    const { its, Sums, position, process, first, letters, isParked, mend } = await parked()
    const sent: (() => Promise<void>)[] = []
    process.onWrite((_, send) => {
      sent.push(send)
      return undefined
    })
    await isParked()
    mend()
    await letters.request({ ...key, position, action: 'retry' })
    await isFree(its.views, Sums)
    for (const send of sent) await send()
    expect(await rowOf(its.views, Sums)).toEqual({ sum: 11 })
    await first.stop()
  })

  test('is as it stood when who was asked died, the next could not read it, and it is skipped then', async () => {
    const { its, Sums, own, position, process, letters, isParked, mend } = await parked()
    await isParked()
    mend()
    const dies = process.diesWriting({ arrives: true })
    await letters.request({ ...key, position, action: 'retry' })
    await dies
    const readAt = async (): Promise<never> => {
      throw new BifoldError('log/unknown-event-type', { type: 'Added', position })
    }
    const forgetful = await startProjector({
      ...{ app: own, log: { ...its.log, readAt }, store: its.views, leaseMs: 150, requestPollMs: 5 },
    })
    await until(async () => (await letters.openRequests()) === 0)
    await forgetful.stop()
    expect(await rowOf(its.views, Sums)).toEqual({ sum: 1 })
    const next = await its.process().start({ requestPollMs: 5 })
    await letters.request({ ...key, position, action: 'skip', reason: 'no good' })
    await isFree(its.views, Sums)
    expect(await rowOf(its.views, Sums)).toEqual({ sum: 1 })
    await next.stop()
  })
})

describe('a view that there is', () => {
  test.each(['to', 'from'])('moves %s a store of rows by being built anew', async way => {
    const { Sums, own } = sums()
    const { log: storage, views } = inMemory()
    const log = await createLog(storage, { eventTypes: own.eventTypes })
    const apart = rowsApart(views, memoryRowStore())
    const [before, after] = way === 'to' ? [views, apart] : [apart, views]
    const append = (n: number) =>
      log.append({ stream: { tenant: 'default', category: 'item', id: 'a' }, expected: 'any', events: added(n) })
    await append(1)
    const first = await startProjector({ app: own, log, store: before })
    await statusWhere(first, ({ behind }) => behind === 0)
    await first.stop()
    await append(2)
    const second = await startProjector({ app: own, log, store: after })
    await statusWhere(second, ({ behind, generation }) => behind === 0 && generation === 2)
    expect(await rowOf(after, Sums, 2)).toEqual({ sum: 3 })
    await second.stop()
  })

  test('is not looked for where its rows are not', async () => {
    const { Sums } = sums()
    const { views } = inMemory()
    const shape = viewShapeOf(Sums)
    const apart = rowsApart(views, memoryRowStore())
    const other = rowsApart(views, { ...memoryRowStore(), kind: 'other' })
    await apart.open(shape)
    for (const store of [views, other]) {
      const elsewhere = { code: 'project/rows-elsewhere', data: { projection: 'sums', generation: 1, apart: 'memory' } }
      await expect(store.find(shape, 1)).rejects.toMatchObject(elsewhere)
      await expect(store.open(shape, 1)).rejects.toMatchObject(elsewhere)
    }
    // New ones are made where this process has them.
    expect((await other.open(shape)).generation).toBe(2)
    expect((await apart.open(shape)).generation).toBe(1)
    expect((await apart.generations('sums')).map(({ apart: kind }) => kind)).toEqual(['memory', 'other'])
  })

  test('does not meet the rows of another history under its number', async () => {
    const { Sums, own } = sums()
    const rows = memoryRowStore()
    for (const n of [1, 2]) {
      const { log: storage, views } = inMemory()
      const log = await createLog(storage, { eventTypes: own.eventTypes })
      const store = rowsApart(views, rows)
      await log.append({ stream: { tenant: 'default', category: 'item', id: 'a' }, expected: 'any', events: added(n) })
      const projector = await startProjector({ app: own, log, store })
      await statusWhere(projector, ({ behind }) => behind === 0)
      expect(await rowOf(store, Sums)).toEqual({ sum: n })
      await projector.stop()
    }
  })
})
