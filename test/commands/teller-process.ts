import { openBank, takeTurn } from './teller.ts'

/** `teller-process.ts ADDRESS TURNS`: takes turns, many at once, and writes down what it hears of each command. */
const [address = '', turns = '0'] = process.argv.slice(2)
const system = await openBank(address)
let next = 0
await Promise.all(
  Array.from({ length: 32 }, async () => {
    while (next < Number(turns)) await takeTurn(system, next++, heard => console.log(JSON.stringify(heard)))
  }),
)
await system.close()
