import { expect, test } from 'vitest'
import { type Runtime, systemRuntime } from '../log/index.ts'
import { embedded, openPglite, postgresLogStorage } from './index.ts'
import { keepPruned } from './prune-commands.ts'

/** A runtime whose timers run when the test says so. */
function manualRuntime(): { readonly runtime: Runtime; pass: () => void; readonly waiting: () => number } {
  const due = new Set<() => void>()
  const after: Runtime['after'] = (_, run) => {
    due.add(run)
    return () => due.delete(run)
  }
  const pass = (): void => {
    const now = [...due]
    due.clear()
    for (const run of now) run()
  }
  return { runtime: { ...systemRuntime, after }, pass, waiting: () => due.size }
}

test('old command ids are forgotten again and again, and no more after the end', async () => {
  const database = await openPglite()
  await postgresLogStorage(database).open()
  const { runtime, pass, waiting } = manualRuntime()
  const end = keepPruned(database, 2, runtime)
  const count = async (): Promise<number | undefined> =>
    (await database.sql.query<{ n: number }>({ text: 'select count(*) as n from bifold.commands' }))[0]?.n
  for (const round of [1, 2]) {
    await database.sql.script(`
      insert into bifold.commands select 'default', 'order/Pay', '${round}-' || days, 'h', 1, 1, 1,
        now() - days * interval '1 day' from generate_series(1, 4) days`)
    pass()
    await expect.poll(waiting, { timeout: 20_000 }).toBe(1)
    expect(await count()).toBe(round)
  }
  await end()
  expect(waiting()).toBe(0)
  await database.close()
})

test('a retention that is no number of days is refused before anything is opened', async () => {
  for (const keepCommandsDays of [0, -1, Number.NaN]) {
    await expect(embedded({ keepCommandsDays })).rejects.toMatchObject({ code: 'setup/invalid-option' })
  }
})
