import { setTimeout as sleep } from 'node:timers/promises'
import { isError, type RunOptions, run, type System } from '../../src/index.ts'
import { postgres } from '../../src/postgres/index.ts'
import { depot } from './parcels.ts'

/** Runs the app on a server that may be away just now: whoever runs processes starts them again until they come up. */
export async function openDepot(url: string, options: Omit<RunOptions, 'on'>): Promise<System> {
  for (;;) {
    try {
      return await run(depot, { ...options, on: postgres({ url }) })
    } catch (error) {
      const isAway = isError(error, 'log/connection-lost') || isError(error, 'project/store-unreachable')
      if (!isAway) throw error
      await sleep(100)
    }
  }
}
