import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { run } from 'bifold'
import { serve } from 'bifold/http'
import { postgres } from 'bifold/postgres'
import type { Bench } from './bench.ts'
import { makeFiller } from './copy.ts'
import { makeDatabase } from './database.ts'
import { figureOf, median } from './figure.ts'
import { accountOf, profilesApp } from './ledger.ts'
import type { Load, Loaded } from './load-process.ts'
import { reached } from './views.ts'

const rows = 20_000
const connections = 64

/** Rows by key over HTTP, every connection asking for other keys, beside a constant of the same size. */
export const reads: Bench = {
  about: `key reads over HTTP by ${connections} connections, beside static JSON`,
  run: async ({ serverUrl, quick, say }) => {
    const rounds = quick ? 3 : 5
    const seconds = quick ? 3 : 10
    const database = await makeDatabase(serverUrl)
    try {
      await makeFiller(database.client, rows)(rows)
      const system = await run(profilesApp().app, { on: postgres({ url: database.url }), roles: { commands: false } })
      await reached(system, rows)
      const document = (await system.queryText('profile', { accountId: accountOf(0) })).value
      const served = await serve(system, {
        extend: fastify => {
          fastify.get('/static', (_, reply) => reply.type('application/json').send(document))
        },
      })
      try {
        const staticLoad: Load = { url: served.url, paths: ['/static'], connections, seconds }
        const paths = Array.from({ length: rows }, (_, n) => `/queries/profile?accountId=${accountOf(n)}`)
        const keyLoad: Load = { url: served.url, paths, connections, seconds }
        say(`documents of ${Buffer.byteLength(document)} bytes; warming up`)
        await load({ ...staticLoad, seconds: 2 })
        await load({ ...keyLoad, seconds: 2 })
        const statics: Loaded[] = []
        const keys: Loaded[] = []
        for (let round = 1; round <= rounds; round++) {
          say(`round ${round} of ${rounds}`)
          statics.push(await load(staticLoad))
          keys.push(await load(keyLoad))
        }
        const of = (runs: readonly Loaded[], value: keyof Loaded) => median(runs.map(run => run[value]))
        return [
          figureOf('key reads', of(keys, 'perSecond'), 'requests/s', 'static JSON', of(statics, 'perSecond')),
          figureOf('key reads, mean', of(keys, 'meanMs'), 'ms', 'static JSON, mean', of(statics, 'meanMs')),
          figureOf('key reads, p99', of(keys, 'p99Ms'), 'ms', 'static JSON, p99', of(statics, 'p99Ms')),
        ]
      } finally {
        await served.close()
        await system.close()
      }
    } finally {
      await database.drop()
    }
  },
}

/** In a process of its own, or the load would take its time from the server. */
async function load(options: Load): Promise<Loaded> {
  const child = fork(fileURLToPath(new URL('./load-process.ts', import.meta.url)))
  const ended = once(child, 'exit').then(() => undefined)
  child.send(options)
  const [loaded] = ((await Promise.race([once(child, 'message'), ended])) ?? []) as readonly (Loaded | undefined)[]
  await ended
  if (loaded === undefined) throw new Error('the load ended without an answer')
  return loaded
}
