import { type RunOptions, run } from 'bifold'
import { serve } from 'bifold/http'
import { shop } from './app.ts'
import { stock } from './catalogue.ts'
import { watch } from './live/watch.ts'
import { addPage } from './page.ts'
import { simulate } from './simulation/simulate.ts'

/**
 * Brings the shop up: runs the app, stocks the catalogue, serves commands, queries and the page, and lets the simulated
 * people in.
 *
 * @param options.on the backend: `embedded(…)`, `postgres(…)`.
 * @param options.runsOn its name, for the page.
 * @param options.port where to serve; 0 takes a free one.
 * @param options.commandsPerSecond what the simulated people send; 0: nobody comes.
 * @returns the address, and what closes everything in order: nothing that was accepted is lost.
 */
export async function openShop(options: {
  readonly on: RunOptions['on']
  readonly runsOn: string
  readonly port: number
  readonly commandsPerSecond: number
}): Promise<{ readonly url: string; close(): Promise<void> }> {
  const { on, runsOn, port, commandsPerSecond } = options
  const system = await run(shop, { on })
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
    return {
      url: served.url,
      async close() {
        await simulation.stop()
        await served.close()
        await live.close()
        await system.close()
      },
    }
  } catch (error) {
    await live.close()
    await system.close()
    throw error
  }
}
