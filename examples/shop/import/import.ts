import { setTimeout as sleep } from 'node:timers/promises'
import type { RunOptions, System } from 'bifold'
import { readInput } from './files.ts'
import { planOf } from './plan.ts'
import { progressOn, type Screen, summaryOf } from './progress.ts'
import { sendAll, type Tally } from './send.ts'

const lookMs = 50

/** What a process of the shop does: the roles of `run`. */
export type Roles = NonNullable<RunOptions['roles']>

/**
 * Imports the order data in `folder`, and returns when every view holds it. The views follow when everything is in the
 * log, in large steps: while it is being written, each of them would be carried on by a few events at a time.
 *
 * @param open runs the shop. It is called when the whole input was read and is right: an import that fails at its input
 * touches no database.
 * @param screen where progress and summary are written.
 * @throws `import/…` for what is wrong with the input, and whatever keeps the shop from running.
 */
export async function importFolder(
  folder: string,
  open: (roles: Roles) => Promise<System>,
  screen: Screen,
): Promise<Tally> {
  const { commands, idle } = planOf(await readInput(folder))
  const begin = performance.now()
  const progress = progressOn(screen, commands.length)
  const tally = await during(open({ projections: false, queries: false }), ({ dispatch, log }) =>
    sendAll({ commands, dispatch, log, onProgress: progress.update }).finally(progress.end),
  )
  await during(open({ commands: false }), viewsCaughtUp)
  screen.write(summaryOf(tally, idle, (performance.now() - begin) / 1000))
  return tally
}

async function during<T>(opening: Promise<System>, work: (system: System) => Promise<T>): Promise<T> {
  const system = await opening
  try {
    return await work(system)
  } finally {
    await system.close()
  }
}

/**
 * Waits until every view holds everything, whichever process carries it on.
 *
 * @throws what a view has failed with: waiting for it would be in vain.
 */
async function viewsCaughtUp(system: System): Promise<void> {
  const { position } = await system.log.head()
  for (;;) {
    const views = await system.status()
    // One that waits for the view that its rows are made with says so, and is none.
    const failed = views.find(({ state }) => state === 'failed' || state === 'stopped')
    if (failed !== undefined) {
      throw new Error(`The view ${failed.projection} does not go on: ${failed.failure?.message}`)
    }
    if (views.every(view => view.position >= position)) return
    await sleep(lookMs)
  }
}
