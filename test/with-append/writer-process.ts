import { run } from '../../src/index.ts'
import { postgres } from '../../src/postgres/index.ts'
import { Other, Sheet, sheets } from './sheets.ts'

/**
 * Writes to sheets as fast as it can, many at once, and looks each time whether the view has what was answered, without a
 * token; says how many commands were accepted, until it is killed.
 */
const { app, sheet } = sheets()
const system = await run(app, {
  on: postgres({ url: process.argv[2] as string, idleTransactionMs: 500 }),
  projections: { leaseMs: 500 },
})
let accepted = 0
async function write(writer: number): Promise<never> {
  for (let n = 0; ; n++) {
    const id = `s-${(n * 7 + writer) % 50}`
    if (n % 5 === 0) await system.dispatch(Other, `o-${process.pid}-${writer}`, 'Happen', {})
    const { position } = await system.dispatch(Sheet, id, 'Add', { n: 1 })
    const { asOf } = await system.query(sheet, { id })
    if (asOf < position) process.stdout.write(`missing ${position} as of ${asOf}\n`)
    if (++accepted % 20 === 0) process.stdout.write(`${accepted}\n`)
  }
}
await Promise.all(Array.from({ length: 16 }, (_, writer) => write(writer)))
