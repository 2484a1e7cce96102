import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { aggregate, app, events, projection, query } from '../define/index.ts'
import type { Backend } from '../project/index.ts'
import { inMemory } from '../stores/memory/index.ts'
import { type RunOptions, run, type System } from './index.ts'

const Notes = events('note', { Noted: z.object({ text: z.string() }) })
const Note = aggregate(Notes, {
  initial: (): { n: number } => ({ n: 0 }),
  evolve: { Noted: ({ n }) => ({ n: n + 1 }) },
  commands: {
    TakeNote: { input: z.object({ text: z.string() }), decide: (_, { text }) => [Notes.Noted({ text })] },
  },
})
const id = z.object({ id: z.string() })

/** The release whose rows are texts. */
function texts(version = 1, say = (text: string): string => text) {
  const Texts = projection('notes', {
    from: [Notes],
    version,
    state: z.object({ text: z.string() }),
    on: { Noted: (_, e) => ({ text: say(e.data.text) }) },
  })
  const note = query('note', { from: Texts, input: id, get: input => input.id })
  return { app: app('texts', { aggregates: [Note], projections: [Texts], queries: [note] }), note, view: Texts }
}

/** A later one, whose rows are numbers. */
function lengths(version = 2) {
  const Lengths = projection('notes', {
    from: [Notes],
    version,
    shards: 2,
    state: z.object({ length: z.int() }),
    on: { Noted: (_, e) => ({ length: e.data.text.length }) },
  })
  const note = query('note', { from: Lengths, input: id, get: input => input.id })
  return { app: app('lengths', { aggregates: [Note], projections: [Lengths], queries: [note] }), note, view: Lengths }
}

let on: Backend
let systems: System[]
let warnings: string[]

beforeEach(() => {
  on = { ...inMemory(), close: async () => undefined }
  on = { ...on, views: { ...on.views, close: async () => undefined }, log: { ...on.log, close: async () => undefined } }
  systems = []
  warnings = []
})

afterEach(async () => {
  for (const system of systems) await system.close()
})

async function start(release: { readonly app: Parameters<typeof run>[0] }, options: Omit<RunOptions, 'on'> = {}) {
  const onWarning: RunOptions['onWarning'] = ({ code }) => warnings.push(code)
  const system = await run(release.app, { on, onWarning, ...options })
  systems.push(system)
  return system
}

const take = (system: System, text: string) => system.dispatch(Note, 'a', 'TakeNote', { text })

async function serves(system: System, generation: number): Promise<void> {
  while ((await system.status())[0]?.generation !== generation) await new Promise(resolve => setTimeout(resolve, 5))
}

test('a release that was given up while it built its view leaves nothing behind, and holds up no rebuild', async () => {
  const [one, two] = [texts(), lengths()]
  const system = await start(one, { projections: { rebuild: { retireAfterMs: 100 } } })
  await take(system, 'first')
  const given = await run(two.app, { on, projections: { rebuild: { swap: 'manual' } } })
  const running = { projection: 'notes', generation: 2, followed: true }
  await serves(given, 2)
  while ((await on.views.generations('notes'))[1]?.followed !== true)
    await new Promise(resolve => setTimeout(resolve, 5))
  await expect(system.rebuild(one.view)).rejects.toMatchObject({ code: 'project/rebuild-running', data: running })
  await given.close()
  const left = { code: 'project/rebuild-running', data: { ...running, followed: false } }
  await expect(system.rebuild(one.view)).rejects.toMatchObject(left)
  while ((await on.views.generations('notes')).length > 1) await new Promise(resolve => setTimeout(resolve, 5))
  expect(await system.rebuild(one.view)).toBe(3)
  await serves(system, 3)
}, 15_000)

test('two releases with different rows run side by side, before the swap and after it', async () => {
  const [one, two] = [texts(), lengths()]
  const before = await start(one)
  await take(before, 'first')
  const after = await start(two, { projections: { rebuild: { swap: 'manual' } } })
  for (const swapped of [false, true]) {
    const { token } = await take(before, swapped ? 'a text' : 'text')
    const options = { after: token }
    expect((await before.query(one.note, { id: 'a' }, options)).value).toEqual({ text: swapped ? 'a text' : 'text' })
    expect((await after.query(two.note, { id: 'a' }, options)).value).toEqual({ length: swapped ? 6 : 4 })
    if (swapped) break
    await after.drain()
    await after.swap(two.view, 2)
    expect((await before.status())[0]).toMatchObject({ generation: 1, generations: [{ role: 'following' }, {}] })
  }
})

test('a release with the same rows is answered from what serves, and from the new generation when that does', async () => {
  const [one, two] = [texts(), texts(2, text => text.toUpperCase())]
  const before = await start(one)
  const { token } = await take(before, 'hi')
  const after = await start(two, { projections: { rebuild: { swap: 'manual' } } })
  expect((await after.query(two.note, { id: 'a' }, { after: token })).value).toEqual({ text: 'hi' })
  while ((await after.status())[0]?.generations[1]?.behind !== 0) await new Promise(resolve => setTimeout(resolve, 5))
  await after.swap(two.view, 2)
  expect((await after.query(two.note, { id: 'a' })).value).toEqual({ text: 'HI' })
  await serves(before, 2)
  expect((await before.query(one.note, { id: 'a' }, { after: token })).value).toEqual({ text: 'HI' })
})

test('a token that is waited for at the swap is waited for in what serves then', async () => {
  const [one, two] = [texts(), texts(2)]
  const before = await start(one)
  await take(before, 'hi')
  await before.drain()
  await systems.pop()?.close()
  // Nobody carries the first generation on any more: what is written from now on reaches the second alone.
  const after = await start(two)
  const { token } = await take(after, 'ho')
  expect(await after.query(two.note, { id: 'a' }, { after: token })).toMatchObject({ value: { text: 'ho' }, asOf: 2 })
})

test('swapping back is one call, and is refused with the lag where the earlier generation fell behind', async () => {
  const [one, two] = [texts(), texts(2)]
  const before = await start(one)
  await take(before, 'hi')
  await before.drain()
  const after = await start(two)
  await serves(after, 2)
  await after.swap(two.view, 1)
  expect((await after.status())[0]).toMatchObject({ generation: 1 })
  await after.swap(two.view, 2)
  await before.close()
  systems.shift()
  for (const text of ['1', '2', '3']) await take(after, text)
  await after.drain()
  await expect(after.swap(two.view, 1)).rejects.toMatchObject({
    code: 'project/generation-behind',
    data: { projection: 'notes', generation: 1, reached: 1, position: 4 },
  })
  await expect(after.swap(two.view, 9)).rejects.toMatchObject({ code: 'project/generation-dropped' })
})

test('a definition that changed without its version is warned of at the start, and in the status', async () => {
  await start(texts())
  expect(warnings).toEqual([])
  const changed = await start(texts(1, text => text.trim()))
  expect(warnings).toEqual([])
  const folds = texts()
  const [Texts] = folds.app.projections
  const other = { ...Texts, on: { Noted: () => null } } as NonNullable<typeof Texts>
  const system = await start({ app: app('texts', { aggregates: [Note], projections: [other] }) })
  expect(warnings).toEqual(['project/definition-changed'])
  expect((await system.status())[0]?.warning?.code).toBe('project/definition-changed')
  expect((await changed.status())[0]?.warning).toBeUndefined()
})

test('that is told of as long as the rows of the earlier definition serve, and again when they do', async () => {
  const before = await start(texts())
  await before.close()
  systems.shift()
  const [Texts] = texts().app.projections
  const other = { ...Texts, on: { Noted: () => null } } as NonNullable<typeof Texts>
  const changed = app('texts', { aggregates: [Note], projections: [other] })
  const system = await start({ app: changed }, { projections: { rebuild: { swap: 'manual' } } })
  const warned = async () => (await system.status())[0]?.warning?.code
  expect(await system.rebuild(other)).toBe(2)
  while ((await system.status())[0]?.generations[1] === undefined) await new Promise(resolve => setTimeout(resolve, 5))
  expect(await warned()).toBe('project/definition-changed')
  await system.swap(other, 2)
  expect(await warned()).toBeUndefined()
  await system.swap(other, 1)
  expect(await warned()).toBe('project/definition-changed')
})

test('a rebuild makes the rows again, comes to serve by itself, and is refused while one runs', async () => {
  const one = texts()
  const system = await start(one, { projections: { rebuild: { swap: 'manual' } } })
  const { token } = await take(system, 'first')
  expect(await system.rebuild(one.view)).toBe(2)
  await expect(system.rebuild(one.view)).rejects.toMatchObject({
    code: 'project/rebuild-running',
    data: { projection: 'notes', generation: 2 },
  })
  while ((await system.status())[0]?.generations[1]?.position !== 1)
    await new Promise(resolve => setTimeout(resolve, 5))
  expect((await system.status())[0]?.generations[1]).toMatchObject({ role: 'building', version: 1 })
  await system.swap(one.view, 2)
  expect((await system.query(one.note, { id: 'a' }, { after: token })).value).toEqual({ text: 'first' })
  expect((await system.status())[0]).toMatchObject({ generation: 2 })
  expect(await system.rebuild(one.view)).toBe(3)
})

test('a generation that serves is not dropped; one that does not is, and is gone', async () => {
  const one = texts()
  const system = await start(one, { projections: { rebuild: { swap: 'manual' } } })
  await system.rebuild(one.view)
  await expect(system.drop(one.view, 1)).rejects.toMatchObject({
    code: 'project/generation-in-use',
    data: { projection: 'notes', generation: 1, problem: 'it serves' },
  })
  await system.drop(one.view, 2)
  await expect(system.drop(one.view, 2)).rejects.toMatchObject({ code: 'project/generation-dropped' })
  const { token } = await take(system, 'first')
  expect((await system.query(one.note, { id: 'a' }, { after: token })).value).toEqual({ text: 'first' })
})

test('a view that others refer to is rebuilt as one that they can refer to', async () => {
  const Titles = projection('titles', {
    from: [Notes],
    state: z.object({ title: z.string() }),
    on: { Noted: (_, e) => ({ title: e.data.text }) },
  })
  const Cards = projection('cards', {
    from: [Notes],
    state: z.object({ id: z.string() }),
    on: { Noted: (_, e) => ({ id: e.streamId }) },
    refs: { title: { to: Titles, key: card => card.id } },
    row: z.object({ title: z.string() }),
    present: (_, { title }) => ({ title: title?.title ?? '' }),
  })
  const system = await start({ app: app('cards', { aggregates: [Note], projections: [Titles, Cards] }) })
  await take(system, 'hi')
  expect(await system.rebuild(Titles)).toBe(2)
  await serves(system, 2)
  expect((await system.status())[0]).toMatchObject({ projection: 'titles', generation: 2 })
})
