import { expect, test } from 'vitest'
import { z } from 'zod'
import { app, projection } from '../define/index.ts'
import { systemRuntime } from '../log/index.ts'
import { watchAll } from './watch-generations.ts'

const Notes = projection('notes', { from: [], state: z.object({}), on: {} })

test('each hint is followed by a look that began after it, and no two looks are under way at once', async () => {
  let begun = 0
  let underWay = 0
  let most = 0
  let hint = (): void => undefined
  let answer = (): void => undefined
  const store = {
    open: async () => undefined,
    known: async () => [],
    onGenerations: (listener: (projection: string) => void) => {
      hint = () => listener(Notes.name)
      return () => undefined
    },
    generations: async () => {
      begun++
      most = Math.max(most, ++underWay)
      await new Promise<void>(resolve => {
        answer = resolve
      })
      underWay--
      return []
    },
  } as never
  const turn = () => systemRuntime.turn()
  const opened = watchAll(app('notebook', { projections: [Notes] }), [Notes], store, systemRuntime)
  await turn()
  answer()
  const [watch] = (await opened).values()
  for (let n = 0; n < 5; n++) {
    hint()
    await turn()
    const before = begun
    hint()
    answer()
    // The moment in which one look has ended and the next has not begun.
    for (let turns = 0; turns < 10; turns++) {
      await Promise.resolve()
      hint()
    }
    await turn()
    expect(begun).toBe(before + 1)
    hint()
    answer()
    await turn()
    expect(begun).toBe(before + 2)
    answer()
    await turn()
    expect(underWay).toBe(0)
  }
  expect(most).toBe(1)
  watch?.end()
})
