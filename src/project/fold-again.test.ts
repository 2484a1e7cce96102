import { expect, test } from 'vitest'
import { foldAgain } from './fold-again.ts'

test('whoever is told to stop waits for no further attempt', async () => {
  const stopping = new AbortController()
  let undone = 0
  const folding = foldAgain([], {
    aside: { failures: () => [{}], undo: () => undone++ } as never,
    folding: {} as never,
    turns: {} as never,
    runtime: { after: () => () => undefined, random: () => 0.5 },
    limits: { foldAttempts: 3, retry: { minDelayMs: 30_000, maxDelayMs: 30_000 } },
    stopping: stopping.signal,
  })
  stopping.abort()
  await folding
  expect(undone).toBe(0)
})
