import { type Heard, openBank, takeTurn } from './teller.ts'

/**
 * `teller-process.ts ADDRESS TURNS LINES`: takes turns, many at once, and writes down what it hears of each command, a line
 * each. It kills itself after so many lines.
 */
const [address = '', turns = '0', lines = '0'] = process.argv.slice(2)
const system = await openBank(address)
let next = 0
let written = 0
function hear(heard: Heard): void {
  console.log(JSON.stringify(heard))
  if (++written === Number(lines)) process.kill(process.pid, 'SIGKILL')
}
await Promise.all(
  Array.from({ length: 32 }, async () => {
    while (next < Number(turns)) await takeTurn(system, next++, hear)
  }),
)
await system.close()
