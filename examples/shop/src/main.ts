import { run, type System } from 'bifold'
import { type Served, serve, stopOnSignals } from 'bifold/http'
import { embedded, postgres } from 'bifold/postgres'
import { shop } from './app.ts'
import { stock } from './catalogue.ts'
import { type Live, watch } from './live/watch.ts'
import { addPage } from './page.ts'
import { type Settings, settingsFrom } from './settings.ts'
import { simulate } from './simulation/simulate.ts'

/** Brings the shop up, and answers with what takes it down again. */
async function open({ databaseUrl, dataDir, port, commandsPerSecond }: Settings) {
  const system = await run(shop, {
    on: databaseUrl === undefined ? embedded({ directory: dataDir }) : postgres({ url: databaseUrl }),
  })
  const runsOn = databaseUrl === undefined ? `the embedded database in ${dataDir}` : 'PostgreSQL'
  const live = watch(system, runsOn)
  try {
    await stock(system)
    const served = await serve(live.system, {
      port,
      extend: async fastify => {
        await addPage(fastify)
        fastify.get('/shop/stats', () => live.snapshot())
      },
    })
    const simulation = simulate(live.system, { commandsPerSecond, random: Math.random, failed: console.error })
    return { url: served.url, runsOn, close: () => closeInOrder(simulation, served, live, system) }
  } catch (error) {
    await live.close()
    await system.close()
    throw error
  }
}

async function closeInOrder(
  simulation: { stop(): Promise<void> },
  served: Served,
  live: Live,
  system: System,
): Promise<void> {
  await simulation.stop()
  await served.close()
  await live.close()
  await system.close()
}

/** A mistake that whoever started the shop can mend is said in a sentence; anything else comes with its trace. */
function explain(error: unknown, { port }: { readonly port: string | undefined }): unknown {
  if (!(error instanceof Error && 'code' in error)) return error
  if (error.code === 'EADDRINUSE') {
    return `shop/port-in-use: the port ${port} is taken. Give another one in PORT, or 0 for a free one.`
  }
  return `${error.code}: ${error.message}`
}

try {
  const settings = settingsFrom(process.env)
  const { url, runsOn, close } = await open(settings)
  stopOnSignals(close)
  console.log(`The shop serves at ${url}, on ${runsOn}.`)
} catch (error) {
  console.error(explain(error, { port: process.env['PORT'] }))
  process.exit(1)
}
