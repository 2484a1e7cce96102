import { describe, test } from 'vitest'
import { everySecond, holds } from './seeds.ts'

describe('whatever goes wrong, all comes to rest and is right', () => {
  test.each([0, 100, 200, 300, 400])(
    'with a hundred even seeds, %i skipped',
    async skipped => {
      await holds(everySecond(2 + 2 * skipped, 100))
    },
    120_000,
  )
})
