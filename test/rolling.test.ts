import { setTimeout } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { ProjectionStatus } from '../src/project/index.ts'
import type { Verification } from '../src/verify/index.ts'
import type { Release } from './rolling/releases.ts'
import type { Answers, Task } from './rolling/tasks.ts'
import type { Database } from './support/databases.ts'
import { describePostgres, freshDatabase } from './support/postgres.ts'
import { killWorkers, spawnWorker } from './support/workers.ts'

function start(url: string, release: Release) {
  const worker = spawnWorker(import.meta.url, './rolling/release-process.ts', [url, String(release)])
  const lineOf = (number: number) => worker.line(line => line.startsWith(`{"number":${number}`))
  const ready = lineOf(0)
  let tasks = 0
  const tell = async <Answer>(task: Task): Promise<Answer> => {
    await ready
    const number = ++tasks
    const answer = worker.line(line => line.startsWith(`{"number":${number},`))
    worker.tell(JSON.stringify({ number, task }))
    return (JSON.parse(await answer) as { answer: Answer }).answer
  }
  const where = async (is: (status: ProjectionStatus) => boolean): Promise<ProjectionStatus> => {
    for (;;) {
      const status = await tell<ProjectionStatus>('status')
      if (is(status)) return status
      await setTimeout(20)
    }
  }
  /** Goes on until so many notes more were written and read. */
  const writes = async (count: number): Promise<void> => {
    const { right: before } = await tell<Answers>('answers')
    for (;;) {
      const { right, wrong, errors } = await tell<Answers>('answers')
      if (right >= before + count || wrong > 0 || errors.length > 0) return
      await setTimeout(20)
    }
  }
  /** Swaps once the generation is not behind, as it is for a moment again and again while others write. */
  const swap = async (to: number): Promise<unknown> => {
    for (;;) {
      const answer = await tell<'swapped' | { readonly code: string }>({ swap: to })
      if (answer === 'swapped' || answer.code !== 'project/generation-behind') return answer
      await setTimeout(20)
    }
  }
  return { ready, tell, where, writes, swap, kill: worker.kill }
}

describePostgres('a rolling deployment', () => {
  let database: Database
  beforeEach(async () => {
    database = await freshDatabase()
  })
  afterEach(async () => {
    await killWorkers()
    await database.drop()
  })

  const roles = ({ generations }: ProjectionStatus) => generations.map(({ version, role }) => [version, role])
  const flawless = { wrong: 0, errors: [] }

  test('two releases write and read side by side, before the swap, during it and after it', async () => {
    const { url } = database
    const first = start(url, 1)
    await first.writes(200)

    // The same rows: its queries are answered from the first generation, until the second one serves.
    const second = start(url, 2)
    await second.writes(200)
    await second.where(({ generation }) => generation === 2)
    await Promise.all([first.writes(100), second.writes(100)])
    expect(roles(await first.where(({ generation }) => generation === 2))).toEqual([
      [1, 'following'],
      [2, 'serving'],
    ])

    // Back and forth, while both go on.
    expect(await second.swap(1)).toBe('swapped')
    await Promise.all([first.writes(50), second.writes(50)])
    expect(await first.swap(2)).toBe('swapped')

    // Other rows: each release is answered from its own generation, and the second one never sees the third's rows.
    const third = start(url, 3)
    await Promise.all([second.writes(100), third.writes(100)])
    await third.where(({ generations }) => generations.at(-1)?.role === 'serving')
    await Promise.all([first.writes(50), second.writes(50), third.writes(50)])
    for (const process of [first, second, third]) {
      expect(await process.tell<Answers>('pause')).toMatchObject(flawless)
    }
    for (const process of [second, third]) {
      await process.tell('drain')
      expect(await process.tell<Verification>('verify')).toMatchObject({ equal: true })
    }
  }, 120_000)

  test('an old release that is gone cannot be swapped back to, and its lag is told', async () => {
    const { url } = database
    const first = start(url, 1)
    await first.writes(50)
    await first.tell('pause')
    const second = start(url, 2)
    await second.where(({ generation }) => generation === 2)
    await first.kill()
    await second.writes(50)
    await second.tell('pause')
    const position = await second.tell<number>('drain')
    const refused = await second.tell<{ code: string; data: { reached: number; position: number } }>({ swap: 1 })
    expect(refused.code).toBe('project/generation-behind')
    expect(refused.data.position).toBe(position)
    expect(refused.data.reached).toBeLessThan(position)
    const again = start(url, 1)
    await again.where(({ generations }) => generations[0]?.behind === 0)
    await again.tell('pause')
    await second.where(({ generations }) => generations.every(({ behind }) => behind === 0))
    expect(await second.tell({ swap: 1 })).toBe('swapped')
    for (const process of [again, second]) expect(await process.tell<Answers>('answers')).toMatchObject(flawless)
  }, 60_000)
})
