// Simulates seeds: `npm run simulate -- 54` one, `… 54 1000` a thousand from there on, `… 54 --steps` with each step;
// `--first` ends with the first one that is wrong.

import { reportOf } from './report.ts'
import { simulate } from './simulate.ts'

const [first = 1, count = 1] = process.argv.slice(2).map(Number).filter(Number.isSafeInteger)
const tell = process.argv.includes('--steps')
  ? (elapsedMs: number, label: string): void => console.log(`${elapsedMs.toFixed(3)} ${label}`)
  : undefined
let wrong = 0
for (let seed = first; seed < first + count; seed++) {
  const outcome = await simulate(seed, tell)
  if (outcome.wrong.length > 0) {
    wrong++
    console.log(reportOf(outcome))
    if (process.argv.includes('--first')) break
  } else if (count === 1) console.log(outcome)
}
console.log(`${count} seeds, ${wrong} of them wrong`)
process.exitCode = wrong > 0 ? 1 : 0
