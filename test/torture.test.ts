import { expect, test } from 'vitest'
import { describeOwnServer } from './support/postgres.ts'
import { torture } from './torture/torture.ts'

/** `TORTURE_SEED` does again what a run did; `npm run torture` does it for longer. */
const seed = Number(process.env['TORTURE_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const seconds = 60

describeOwnServer('writers and projectors through a bad night', () => {
  test(`come out with the log and the views right (TORTURE_SEED=${seed})`, async ({ onTestFailed }) => {
    const said: string[] = []
    onTestFailed(() => void process.stderr.write(`${said.join('\n')}\n`))
    const { acknowledged, done, violations } = await torture({ seed, seconds, say: line => said.push(line) })
    expect(violations).toEqual([])
    expect(acknowledged).toBeGreaterThan(100)
    expect(Object.entries(done).filter(([, times]) => times === 0)).toEqual([])
  }, 240_000)
})
