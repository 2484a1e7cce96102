import { fastify } from 'fastify'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { aggregate, app, events, projection, query } from '../define/index.ts'
import { run, type System } from '../run/index.ts'
import { inMemory } from '../stores/memory/index.ts'
import { commandsPlugin } from './commands-plugin.ts'
import { healthPlugin } from './health-plugin.ts'
import { queriesPlugin } from './queries-plugin.ts'

const Events = events('note', { Written: z.object({ text: z.string() }) })
const Note = aggregate(Events, {
  initial: () => null,
  evolve: { Written: note => note },
  commands: { Write: { input: z.object({ text: z.string() }), decide: (_, { text }) => [Events.Written({ text })] } },
})
const Notes = projection('notes', {
  from: [Events],
  state: z.object({ text: z.string() }),
  on: { Written: (_, { data }) => ({ text: data.text }) },
})
const note = query('note', { from: Notes, input: z.object({ id: z.string() }), get: ({ id }) => id })
const notes = app('notes', { aggregates: [Note], projections: [Notes], queries: [note] })

let system: System

beforeAll(async () => {
  system = await run(notes, { on: inMemory() })
})

afterAll(() => system.close())

test('the plugins work on a server of one’s own, under a prefix', async () => {
  const server = fastify()
  await server.register(commandsPlugin(system), { prefix: '/api' })
  await server.register(queriesPlugin(system), { prefix: '/api' })
  await server.register(healthPlugin(system))
  server.post('/text', async request => request.body)

  const written = await server.inject({ method: 'POST', url: '/api/commands/note/n-1/Write', payload: { text: 'hi' } })
  expect(written.statusCode).toBe(200)
  const headers = { 'bifold-after': written.json().token }
  expect((await server.inject({ url: '/api/queries/note?id=n-1', headers })).json()).toEqual({ text: 'hi' })
  const missing = await server.inject({ url: '/api/queries/note?id=n-2' })
  expect(missing.headers['content-type']).toBe('application/problem+json')
  expect(missing.json()).toMatchObject({ code: 'query/not-found' })
  expect((await server.inject({ url: '/health/ready' })).json()).toMatchObject({ status: 'ready' })
  const refused = await server.inject({ method: 'POST', url: '/api/commands/note/n-1/Write', payload: {} })
  expect(refused.headers['content-type']).toBe('application/problem+json')
  expect(refused.json()).toMatchObject({ code: 'command/invalid-input' })
  // What the commands take is their own matter.
  const text = await server.inject({
    method: 'POST',
    url: '/text',
    payload: 'a',
    headers: { 'content-type': 'text/plain' },
  })
  expect(text.body).toBe('a')
  await server.close()
})

test('a query whose input is no object is refused when it is registered', async () => {
  const odd = query('odd', { from: Notes, input: z.string(), get: id => id })
  const other = await run(app('odd', { projections: [Notes], queries: [odd], events: [Events] }), { on: inMemory() })
  const server = fastify()
  await expect(server.register(queriesPlugin(other)).ready()).rejects.toMatchObject({
    code: 'http/unreadable-input',
    data: { place: `query('odd')` },
  })
  await other.close()
})
