import { setTimeout as pause } from 'node:timers/promises'
import { isError, type System } from 'bifold'
import { actions } from './actions.ts'
import { type Random, weighted } from './chance.ts'
import { emptyWorld } from './world.ts'

const tickMs = 100

/**
 * Lets simulated people use the shop until it is stopped: customers who browse, order, pay, review and sometimes break
 * a rule, and a warehouse that ships and delivers what is paid.
 *
 * @param options.commandsPerSecond about so many; fewer where the system cannot keep up, since each tick waits for the
 *   last. 0: nobody comes.
 * @param options.failed is told what neither a rule nor a shutdown explains.
 */
export function simulate(
  system: Pick<System, 'dispatch' | 'query'>,
  options: {
    readonly commandsPerSecond: number
    readonly random: Random
    readonly failed: (error: unknown) => void
  },
): { stop(): Promise<void> } {
  const { commandsPerSecond, random, failed } = options
  const world = emptyWorld()
  const stopping = new AbortController()

  async function act(): Promise<void> {
    try {
      await weighted(random, actions)?.act({ world, random, now: Date.now, system })
    } catch (error) {
      // A rule said no, or another process came first: that is life in a shop
      if (!isError(error, 'command/rejected') && !isError(error, 'command/conflict')) failed(error)
    }
  }

  async function live(): Promise<void> {
    let due = 0
    while (!stopping.signal.aborted) {
      due += (commandsPerSecond * tickMs) / 1_000
      const now = Math.floor(due)
      due -= now
      const tick = pause(tickMs, undefined, { signal: stopping.signal }).catch(() => undefined)
      await Promise.all(Array.from({ length: now }, act))
      await tick
    }
  }

  const living = commandsPerSecond === 0 ? Promise.resolve() : live()
  return {
    async stop() {
      stopping.abort()
      await living
    },
  }
}
