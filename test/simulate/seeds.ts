import { expect } from 'vitest'
import { reportOf } from './report.ts'
import { simulate } from './simulate.ts'

/** Simulates one seed after the other, and fails with the first few under which something is wrong. */
export async function holds(seeds: readonly number[]): Promise<void> {
  const reports: string[] = []
  for (const seed of seeds) {
    const outcome = await simulate(seed)
    if (outcome.wrong.length > 0) reports.push(reportOf(outcome))
    if (reports.length === 3) break
  }
  expect(reports.join('\n'), 'What is wrong').toBe('')
}

/** From one seed on, every second one: two files of tests share them, and so two workers do. */
export const everySecond = (first: number, count: number): readonly number[] =>
  Array.from({ length: count }, (_, n) => first + 2 * n)
