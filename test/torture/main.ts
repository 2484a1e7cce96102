import { parseArgs } from 'node:util'
import { torture } from './torture.ts'

/** `npm run torture -- [--seconds 60] [--seed N]`: any length of it, on a PostgreSQL of its own. */
const { values } = parseArgs({ options: { seconds: { type: 'string' }, seed: { type: 'string' } } })
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
const seconds = Number(values.seconds ?? 60)
console.log(`npm run torture -- --seconds ${seconds} --seed ${seed}`)
const startedMs = performance.now()
const say = (line: string): void => console.log(`${((performance.now() - startedMs) / 1000).toFixed(1)} s  ${line}`)
const { done, acknowledged, violations } = await torture({ seed, seconds, say })
console.table(done)
console.log(`${acknowledged} commands acknowledged, ${violations.length} violations`)
for (const violation of violations) console.log(violation)
process.exit(violations.length === 0 ? 0 : 1)
