import { expect, test } from 'vitest'
import { makePruner } from './prune-past.ts'

test('what is left of a backlog is not waited for', async () => {
  let calls = 0
  const prune = async (limit: number): Promise<number> => {
    calls++
    await new Promise(resolve => setTimeout(resolve, 5))
    return limit
  }
  const pruner = makePruner({ keepsPast: true, prune })
  await pruner.done()
  expect(calls).toBe(1)
})
