import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { aggregate, app, events, projection, query } from '../src/define/index.ts'
import { serve } from '../src/http/index.ts'
import type { Backend } from '../src/project/index.ts'
import { run, type System } from '../src/run/index.ts'
import { inMemory } from '../src/stores/memory/index.ts'
import { verify } from '../src/verify/index.ts'

const Notes = events('note', { Written: z.object({ text: z.string() }) })
const Note = aggregate(Notes, {
  initial: (): number => 0,
  evolve: { Written: count => count + 1 },
  commands: { Write: { input: z.object({ text: z.string() }), decide: (_, { text }) => [Notes.Written({ text })] } },
})
let isBroken = false
const Lines = projection('lines', {
  from: [Notes],
  state: z.object({ lines: z.array(z.string()) }),
  on: {
    Written: (row, { data: { text } }) => {
      if (text === 'poison' || (isBroken && text === 'bad')) throw new TypeError('a-secret')
      return { lines: [...(row?.lines ?? []), text] }
    },
  },
})
const linesOf = query('lines-of', {
  from: Lines,
  input: z.object({ id: z.string() }),
  get: ({ id }: { id: string }) => id,
})
const notes = app('notes', { aggregates: [Note], events: [Notes], projections: [Lines], queries: [linesOf] })

let systems: System[] = []
let on: Backend
const start = async (roles: { readonly projections?: boolean } = {}, maxParkedEvents = 100): Promise<System> => {
  const retry = { minDelayMs: 1, maxDelayMs: 5 }
  const system = await run(notes, { on, roles, projections: { retry, requestPollMs: 5, maxParkedEvents } })
  systems.push(system)
  return system
}
const write = (system: System, id: string, text: string) => system.dispatch(Note, id, 'Write', { text })

beforeEach(() => {
  isBroken = true
  on = { ...inMemory(), close: async () => undefined }
})
afterEach(async () => {
  await Promise.all(systems.map(system => system.close()))
  systems = []
})

test('a parked key is listed and shown, with its row and its events, in whatever process', async () => {
  const [carrying, operator] = [await start(), await start({ projections: false })]
  for (const text of ['first', 'bad', 'last']) await write(operator, 'a', text)
  await write(operator, 'b', 'fine')
  await carrying.drain()
  const parked = { projection: 'lines', generation: 1, key: 'a', position: 2, events: 2, attempts: 3 }
  expect(await operator.deadLetters.list()).toMatchObject([{ ...parked, code: 'project/fold-failed' }])
  expect(await operator.deadLetters.list({ projection: Lines, after: { tenant: 'default', key: 'a' } })).toEqual([])
  const shown = await operator.deadLetters.show(Lines, 'a')
  expect(shown).toMatchObject({
    ...parked,
    row: { lines: ['first'] },
    waiting: [
      { position: 2, type: 'Written', data: { text: 'bad' } },
      { position: 3, data: { text: 'last' } },
    ],
  })
  expect(shown?.stack).toContain('dead-letters.test.ts')
  expect(`${shown?.message} ${shown?.stack}`).not.toContain('a-secret')
  expect(await operator.deadLetters.show(Lines, 'b')).toBeUndefined()
  expect((await carrying.status())[0]).toMatchObject({ parkedKeys: 1, behind: 0 })
})

test('every process says how many keys are parked, and which process has them', async () => {
  const [carrying, beside, asking] = [await start(), await start(), await start({ projections: false })]
  await write(asking, 'a', 'bad')
  await carrying.drain()
  for (const system of [carrying, beside, asking]) {
    while ((await system.status())[0]?.parkedKeys !== 1) await new Promise(resolve => setTimeout(resolve, 5))
  }
  expect((await beside.status())[0]).toMatchObject({ state: 'standby', shards: [{ owner: carrying.owner }] })
  expect(new Set([carrying.owner, beside.owner, asking.owner, undefined]).size).toBe(3)
})

test('one key, or all, are retried by the process that carries them on, which answers what became of it', async () => {
  const [carrying, operator] = [await start(), await start({ projections: false })]
  for (const id of ['a', 'b', 'c']) await write(operator, id, 'bad')
  await write(operator, 'c', 'poison')
  await carrying.drain()
  expect(await operator.deadLetters.retry(Lines, 'a')).toMatchObject({ keys: 1, parked: [{ key: 'a', attempts: 4 }] })
  isBroken = false
  expect(await operator.deadLetters.retry(Lines, 'a')).toEqual({ keys: 1, parked: [] })
  expect(await operator.deadLetters.retryAll(Lines)).toMatchObject({ keys: 2, parked: [{ key: 'c', position: 4 }] })
  expect(await operator.query(linesOf, { id: 'b' })).toMatchObject({ value: { lines: ['bad'] } })
  expect(await verify(operator, Lines)).toMatchObject({ equal: true, parkedKeys: 1, skippedEvents: 0, rows: 3 })
})

test('an event is skipped with a reason, and the view is what the log makes of it without that event', async () => {
  const system = await start()
  for (const text of ['first', 'poison', 'last']) await write(system, 'a', text)
  await system.drain()
  await expect(system.deadLetters.skip(Lines, 'a', { reason: ' ' })).rejects.toMatchObject({
    code: 'project/invalid-reason',
  })
  // Another event is meant: nothing is skipped.
  const elsewhere = { code: 'project/not-parked', data: { generation: 1, position: 3, standsAt: 2 } }
  const skip = { reason: 'a typing error', position: 3 }
  await expect(system.deadLetters.skip(Lines, 'a', skip)).rejects.toMatchObject(elsewhere)
  expect(await system.deadLetters.skip(Lines, 'a', { reason: 'a typing error' })).toEqual({ keys: 1, parked: [] })
  expect(await system.query(linesOf, { id: 'a' })).toMatchObject({ value: { lines: ['first', 'last'] } })
  expect(await verify(system, Lines)).toMatchObject({ equal: true, parkedKeys: 0, skippedEvents: 1 })
})

test('a skip that nobody has carried out yet is not lost by what others ask for meanwhile', async () => {
  const carrying = await start()
  for (const text of ['first', 'bad', 'last']) await write(carrying, 'a', text)
  await carrying.drain()
  await carrying.close()
  isBroken = false
  const { deadLetters } = await start({ projections: false })
  const [soon, reason] = [{ timeoutMs: 20 }, 'sent twice']
  const late = { code: 'project/retry-pending' }
  const asked = { projection: 'lines', tenant: 'default', key: 'a', action: 'skip', position: 2, reason }
  const pending = { code: 'project/request-pending', data: asked }
  await expect(deadLetters.skip(Lines, 'a', { ...soon, reason })).rejects.toMatchObject(late)
  await expect(deadLetters.retry(Lines, 'a', soon)).rejects.toMatchObject(pending)
  await expect(deadLetters.skip(Lines, 'a', { ...soon, reason: 'another' })).rejects.toMatchObject(pending)
  await expect(deadLetters.retryAll(Lines, soon)).rejects.toMatchObject(late)
  await expect(deadLetters.skip(Lines, 'a', { ...soon, reason })).rejects.toMatchObject(late)
  const system = await start()
  await system.deadLetters.retryAll(Lines)
  expect(await system.query(linesOf, { id: 'a' })).toMatchObject({ value: { lines: ['first', 'last'] } })
  expect(await verify(system, Lines)).toMatchObject({ equal: true, skippedEvents: 1 })
})

/** The generations in which keys are parked, as `status()` has them. */
const parkedIn = async (system: System): Promise<readonly number[]> =>
  ((await system.status())[0]?.generations ?? []).filter(one => one.parkedKeys === 1).map(one => one.generation)
const until = async (is: () => Promise<boolean>): Promise<void> => {
  while (!(await is())) await new Promise(resolve => setTimeout(resolve, 5))
}
const serving = async (system: System) => (await system.status())[0]?.generation

for (const how of ['retried', 'skipped'] as const) {
  test(`a key that only a rebuild has parked is ${how} there, and the rebuild then serves`, async () => {
    isBroken = false
    const [system, operator] = [await start(), await start({ projections: false })]
    for (const text of ['first', 'bad', 'last']) await write(system, 'a', text)
    await system.drain()
    // Something that the fold calls has changed since.
    isBroken = true
    await system.rebuild(Lines)
    await until(async () => (await parkedIn(system)).includes(2))
    const [parked, ...others] = await operator.deadLetters.list()
    expect([parked, others]).toMatchObject([{ generation: 2, key: 'a', position: 2, events: 2 }, []])
    expect(await operator.deadLetters.list({ projection: Lines, generation: 1 })).toEqual([])
    expect(await operator.deadLetters.show(Lines, 'a')).toMatchObject({ generation: 2, row: { lines: ['first'] } })
    if (how === 'skipped') await operator.deadLetters.skip(Lines, 'a', { reason: 'it is bad' })
    isBroken = false
    if (how === 'retried') await operator.deadLetters.retry(Lines, 'a')
    await until(async () => (await serving(system)) === 2)
    const lines = how === 'skipped' ? ['first', 'last'] : ['first', 'bad', 'last']
    expect((await system.query(linesOf, { id: 'a' })).value).toEqual({ lines })
    expect(await verify(system, Lines)).toMatchObject({ generation: 2, equal: true, parkedKeys: 0 })
  })
}

test('a key that is parked in several generations is retried in all, or in the one that is named', async () => {
  const system = await start()
  await write(system, 'a', 'first')
  await write(system, 'b', 'first')
  await system.rebuild(Lines)
  await until(async () => (await serving(system)) === 2)
  for (const id of ['a', 'b']) await write(system, id, 'bad')
  await until(async () => (await system.deadLetters.list()).length === 4)
  const all = await system.deadLetters.list()
  expect(all.map(({ key, generation }) => [key, generation])).toEqual([
    ['a', 1],
    ['a', 2],
    ['b', 1],
    ['b', 2],
  ])
  // A page ends, and begins, between two generations of a key.
  const list = (from: number) => system.deadLetters.list({ projection: Lines, limit: 1, after: all[from]! })
  for (const from of [0, 1, 2]) expect(await list(from)).toEqual([all[from + 1]])
  expect(await list(3)).toEqual([])
  const behindA = { projection: Lines, after: { tenant: 'default', key: 'a' } }
  expect(await system.deadLetters.list(behindA)).toEqual(all.slice(2))

  isBroken = false
  expect(await system.deadLetters.retry(Lines, 'a', { generation: 1 })).toEqual({ keys: 1, parked: [] })
  expect(await system.deadLetters.list()).toEqual(all.slice(1))
  expect(await system.deadLetters.retry(Lines, 'b')).toEqual({ keys: 2, parked: [] })
  expect(await system.deadLetters.retryAll(Lines)).toEqual({ keys: 1, parked: [] })
  expect((await system.query(linesOf, { id: 'a' })).value).toEqual({ lines: ['first', 'bad'] })
  const gone = { code: 'project/generation-dropped', data: { generation: 7 } }
  await expect(system.deadLetters.retryAll(Lines, { generation: 7 })).rejects.toMatchObject(gone)
})

test('a skip leaves out one event in each generation that stands there, and touches no other one', async () => {
  const system = await start()
  await write(system, 'a', 'poison')
  await system.drain()
  await system.rebuild(Lines)
  await until(async () => (await system.deadLetters.list()).length === 2)
  await system.swap(Lines, 2)
  await write(system, 'a', 'bad')
  // What waits behind the one that is skipped is known.
  await until(async () => (await system.deadLetters.list()).every(({ events }) => events === 2))
  await system.deadLetters.skip(Lines, 'a', { reason: 'poison', generation: 1 })
  await until(async () =>
    (await system.deadLetters.list()).every(({ generation, position }) => generation === 2 || position === 2),
  )
  expect((await system.deadLetters.list()).map(({ generation, position }) => [generation, position])).toEqual([
    [1, 2],
    [2, 1],
  ])
  const elsewhere = { code: 'project/not-parked', data: { key: 'a', position: 3, standsAt: 1, generation: 2 } }
  const skip = { reason: 'bad', position: 3 }
  await expect(system.deadLetters.skip(Lines, 'a', skip)).rejects.toMatchObject(elsewhere)
  expect(await system.deadLetters.skip(Lines, 'a', { reason: 'bad', position: 2 })).toEqual({ keys: 1, parked: [] })
  // The generation that serves here says which event is meant.
  expect(await system.deadLetters.skip(Lines, 'a', { reason: 'poison' })).toMatchObject({
    keys: 1,
    parked: [{ generation: 2, position: 2 }],
  })
})

test('what is parked in the generation of another release is looked after from this one', async () => {
  const system = await start()
  await write(system, 'a', 'first')
  const Longer = {
    ...Lines,
    version: 2,
    on: {
      Written: (row: { lines: readonly string[] } | null, { data: { text } }: { data: { text: string } }) => {
        if (isBroken) throw new TypeError('a-secret')
        return { lines: [...(row?.lines ?? []), text, text] }
      },
    },
  }
  const later = app('notes', { aggregates: [Note], events: [Notes], projections: [Longer as never] })
  const retry = { minDelayMs: 1, maxDelayMs: 5 }
  systems.push(await run(later, { on, projections: { retry, requestPollMs: 5, rebuild: { swap: 'manual' } } }))
  await until(async () => (await system.deadLetters.list()).length === 1)
  expect(await system.deadLetters.show(Lines, 'a')).toMatchObject({ generation: 2, row: null })
  expect(await system.swap(Lines, 2)).toEqual({ parkedKeys: 1 })
  isBroken = false
  expect(await system.deadLetters.retryAll(Lines)).toEqual({ keys: 1, parked: [] })
  expect(await system.swap(Lines, 1)).toEqual({ parkedKeys: 0 })
})

test('a query for a parked row says so at once, and answers it as it stands to who would have it', async () => {
  const system = await start()
  const served = await serve(system)
  const before = await write(system, 'a', 'first')
  const { token } = await write(system, 'a', 'poison')
  const other = await write(system, 'b', 'fine')
  await system.drain()
  const standing = { value: { lines: ['first'] }, parked: true }
  expect(await system.query(linesOf, { id: 'a' })).toMatchObject({ ...standing, asOf: 3, stale: false })
  expect(await system.query(linesOf, { id: 'a' }, { after: before.token })).toMatchObject({ ...standing, stale: false })
  expect(await system.query(linesOf, { id: 'b' }, { after: other.token })).not.toHaveProperty('parked')
  const parked = { code: 'query/parked', data: { query: 'lines-of', projection: 'lines', position: 2, parkedAt: 2 } }
  await expect(system.query(linesOf, { id: 'a' }, { after: token })).rejects.toMatchObject(parked)
  const asItIs = { after: token, onTimeout: 'stale' } as const
  expect(await system.query(linesOf, { id: 'a' }, asItIs)).toMatchObject({ ...standing, stale: true })

  const url = `${served.url}/queries/lines-of?id=a`
  const headers = { 'bifold-after': token }
  const refused = await fetch(url, { headers })
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, null])
  expect(await refused.json()).toMatchObject({ code: 'query/parked', parkedAt: 2 })
  const answered = await fetch(url, { headers: { ...headers, 'bifold-on-timeout': 'stale' } })
  expect(['bifold-parked', 'bifold-stale'].map(name => answered.headers.get(name))).toEqual(['true', 'true'])
  expect(await answered.json()).toEqual({ lines: ['first'] })
  expect((await fetch(`${served.url}/queries/lines-of?id=b`)).headers.has('bifold-parked')).toBe(false)
  await served.close()
})

test('a wait for a parked row ends although the view comes no further', async () => {
  const [carrying, asking] = [await start(), await start({ projections: false })]
  await write(asking, 'a', 'poison')
  await carrying.drain()
  await carrying.pause(Lines)
  const { token } = await write(asking, 'b', 'fine')
  const late = { after: token, waitMs: 60_000 }
  await expect(asking.query(linesOf, { id: 'a' }, late)).rejects.toMatchObject({ code: 'query/parked' })
  // Who waits for another key of the shard goes on waiting.
  const waiting = asking.query(linesOf, { id: 'b' }, late)
  await carrying.resume(Lines)
  expect(await waiting).toMatchObject({ value: { lines: ['fine'] }, asOf: 2 })
})

test('a wait for a row that is parked meanwhile ends, although another key of its shard stands still already', async () => {
  const [carrying, asking] = [await start({}, 2), await start({ projections: false })]
  await write(asking, 'other', 'poison')
  await carrying.drain()
  await carrying.pause(Lines)
  await write(asking, 'a', 'poison')
  // There is no room for this one: the view comes no further than before it.
  const { token } = await write(asking, 'a', 'more')
  const waiting = asking.query(linesOf, { id: 'a' }, { after: token, waitMs: 60_000 })
  await carrying.resume(Lines)
  await expect(waiting).rejects.toMatchObject({ code: 'query/parked', data: { parkedAt: 2, position: 3 } })
})

test('what is not parked, not of the app, or carried on by nobody is told by a code', async () => {
  const system = await start({ projections: false })
  await write(system, 'a', 'fine')
  const notParked = { code: 'project/not-parked', data: { projection: 'lines', tenant: 'default', key: 'a' } }
  await expect(system.deadLetters.retry(Lines, 'a')).rejects.toMatchObject(notParked)
  await expect(system.deadLetters.skip(Lines, 'a', { reason: 'why not' })).rejects.toMatchObject(notParked)
  expect(await system.deadLetters.retryAll(Lines)).toEqual({ keys: 0, parked: [] })
  const unknown = { ...Lines, name: 'others' }
  await expect(system.deadLetters.list({ projection: unknown })).rejects.toMatchObject({
    code: 'run/unknown-projection',
  })
  const carrying = await start()
  await write(system, 'b', 'poison')
  await carrying.drain()
  await carrying.close()
  await expect(system.deadLetters.retry(Lines, 'b', { timeoutMs: 30 })).rejects.toMatchObject({
    code: 'project/retry-pending',
    data: { projection: 'lines', keys: 1 },
  })
})
