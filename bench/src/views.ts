import { setTimeout as sleep } from 'node:timers/promises'
import { type App, type RunOptions, run, type System } from 'bifold'
import type { AnyProjection } from 'bifold/define'
import { postgres } from 'bifold/postgres'
import type { Client } from 'pg'

/** Carries the views of `app` on, and nothing else. */
export function carryOn(app: App, url: string, projections: RunOptions['projections'] = {}): Promise<System> {
  return run(app, { on: postgres({ url }), roles: { commands: false, queries: false }, projections })
}

const lookMs = 5

/** Resolves when every view holds everything up to `position`. */
export async function reached(system: System, position: number): Promise<void> {
  for (;;) {
    const views = await system.status()
    // One that waits for the view that its rows are made with says so, and is none.
    const failed = views.find(({ state }) => state === 'failed' || state === 'stopped')
    if (failed !== undefined) throw new Error(failed.failure?.message)
    if (views.every(view => view.position >= position)) return
    await sleep(lookMs)
  }
}

/** Builds a view anew, until the new generation serves. */
export async function rebuilt(system: System, view: AnyProjection): Promise<void> {
  const generation = await system.rebuild(view)
  const serving = async () => (await system.status()).find(({ projection }) => projection === view.name)?.generation
  while ((await serving()) !== generation) await sleep(lookMs)
}

const pageEvents = 5000

/**
 * Reads events in pages on one connection, their data parsed, and does nothing with them: what every projection has to
 * do at least. Answers with events a second.
 */
export async function readAndParse(client: Client, after: number, count: number): Promise<number> {
  const begin = performance.now()
  let position = after
  let read = 0
  while (read < count) {
    const { rows } = await client.query<{ readonly position: string }>({
      name: 'read-and-parse',
      text: `select position, stream_id, version, type, data
        from bifold.events where position > $1 order by position limit $2`,
      values: [position, pageEvents],
    })
    if (rows.length === 0) throw new Error(`there is nothing after position ${position}`)
    read += rows.length
    position = Number(rows.at(-1)?.position)
  }
  return read / ((performance.now() - begin) / 1000)
}
