import { aggregate, app, events, projection, run, type System } from 'bifold'
import { inMemory } from 'bifold/stores/memory'
import { explain, plan, rowAt, verify } from 'bifold/verify'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'

const Names = events('name', { Named: z.object({ text: z.string() }) })
const Cards = events('card', { Written: z.object({ of: z.string(), text: z.string() }) })
const Name = aggregate(Names, {
  initial: (): number => 0,
  evolve: { Named: count => count + 1 },
  commands: { Give: { input: z.object({ text: z.string() }), decide: (_, { text }) => [Names.Named({ text })] } },
})
const Card = aggregate(Cards, {
  initial: (): number => 0,
  evolve: { Written: count => count + 1 },
  commands: {
    Write: { input: z.object({ of: z.string(), text: z.string() }), decide: (_, data) => [Cards.Written(data)] },
  },
})

const broken = new Set<string>()
const namesOf = (version = 1) =>
  projection('names', {
    from: [Names],
    version,
    state: z.object({ names: z.array(z.string()) }),
    on: {
      Named: (row, { data: { text } }) => {
        if (broken.has(text)) throw new TypeError('broken')
        return { names: [...(row?.names ?? []), text] }
      },
    },
  })
const AllNames = namesOf()
const AllCards = projection('cards', {
  from: [Cards],
  state: z.object({ of: z.string(), text: z.string() }),
  on: { Written: (_, { data }) => data },
  refs: { person: { to: AllNames, key: ({ of }) => of } },
  row: z.object({ text: z.string(), name: z.string() }),
  present: ({ text }, { person }) => ({ text, name: person?.names.at(-1) ?? 'nobody' }),
})

let system: System
const give = (id: string, text: string) => system.dispatch(Name, id, 'Give', { text })
const write = (of: string, text: string) => system.dispatch(Card, 'c', 'Write', { of, text })
const follows = async (generation: number): Promise<void> => {
  for (;;) {
    const [names] = await system.status()
    if (names?.generations.some(one => one.generation === generation && one.behind === 0)) return
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

beforeEach(async () => {
  broken.clear()
  const post = app('post', { aggregates: [Name, Card], projections: [AllNames, AllCards] })
  const retry = { minDelayMs: 1, maxDelayMs: 5 }
  const projections = { retry, requestPollMs: 5, rebuild: { swap: 'manual' } } as const
  system = await run(post, { on: inMemory(), projections })
})
afterEach(() => system.close())

test('a row is told as the generation that serves has it, whatever is skipped in one that is built beside it', async () => {
  await give('a', 'first')
  await system.drain()
  await system.rebuild(AllNames)
  await follows(2)
  broken.add('bad')
  await give('a', 'bad')
  await give('a', 'last')
  await follows(2)
  await system.deadLetters.skip(AllNames, 'a', { reason: 'it is bad', generation: 1 })
  const told = await explain(system, AllNames, 'a')
  expect(told).toMatchObject({ row: { names: ['first', 'last'] }, skipped: [{ position: 2, reason: 'it is bad' }] })
  expect(told).not.toHaveProperty('failure')
  expect(await rowAt(system, AllNames, 'a', 3)).toEqual({ names: ['first', 'last'] })
  expect(await verify(system, AllNames)).toMatchObject({ generation: 1, equal: true, skippedEvents: 1 })
})

test('a row of a definition that was not deployed leaves out what a generation of it would', async () => {
  broken.add('bad')
  for (const text of ['first', 'bad', 'last']) await give('a', text)
  await system.drain()
  await system.deadLetters.skip(AllNames, 'a', { reason: 'it is bad' })
  const told = await explain(system, namesOf(2), 'a')
  expect(told).toMatchObject({ row: { names: ['first', 'last'] }, skipped: [{ position: 2, reason: 'it is bad' }] })
  expect((await system.views.generations('names')).length).toBe(1)
})

test('a plan leaves out what a generation of it would, also where the one that serves has no such skip', async () => {
  broken.add('bad')
  await give('a', 'first')
  await system.drain()
  await system.rebuild(AllNames)
  await follows(2)
  await give('a', 'bad')
  await follows(2)
  await system.deadLetters.skip(AllNames, 'a', { reason: 'it is bad', generation: 1 })
  await system.swap(AllNames, 2)
  expect(await plan(system, namesOf(2))).toMatchObject({ generation: 2, rows: { before: 1, after: 1, same: 1 } })
})

test('a row that is made with one that fails is told up to there, and on where it no longer refers to it', async () => {
  await give('a', 'Ada')
  await write('a', 'first')
  broken.add('bad')
  await give('a', 'bad')
  const failure = { event: { position: 3 }, error: { code: 'project/fold-failed' } }
  const first = { row: { text: 'first', name: 'Ada' }, events: 1, steps: [{ event: { position: 2 } }], failure }
  expect(await explain(system, AllCards, 'c')).toMatchObject(first)
  expect(await rowAt(system, AllCards, 'c', 2)).toEqual({ text: 'first', name: 'Ada' })
  await expect(rowAt(system, AllCards, 'c', 3)).rejects.toMatchObject({ code: 'project/fold-failed' })
  // Another row, which refers to it only before and after that event.
  await give('b', 'Bea')
  const other = (of: string, text: string) => system.dispatch(Card, 'd', 'Write', { of, text })
  await other('b', 'second')
  await give('b', 'Bee')
  const there = await explain(system, AllCards, 'd')
  expect(there).toMatchObject({ row: { text: 'second', name: 'Bee' }, events: 2 })
  expect(there).not.toHaveProperty('failure')
  await other('a', 'third')
  expect(await explain(system, AllCards, 'd')).toMatchObject({ row: { name: 'Bee' }, events: 2, failure })
})

test('a row is made with the rows of the generation that its own refers to', async () => {
  await give('a', 'Ada')
  await write('a', 'first')
  await system.drain()
  await system.rebuild(AllNames)
  await follows(2)
  broken.add('bad')
  await give('a', 'bad')
  await follows(2)
  await system.deadLetters.skip(AllNames, 'a', { reason: 'it is bad', generation: 1 })
  await system.swap(AllNames, 2)
  expect(await explain(system, AllCards, 'c')).not.toHaveProperty('failure')
  expect(await verify(system, AllCards)).toMatchObject({ equal: true })
  // The generation that serves now stands still there.
  expect(await explain(system, AllNames, 'a')).toMatchObject({ failure: { event: { position: 3 } } })
})
