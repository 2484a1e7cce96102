// Builds the accounts' view anew, beside the one that serves, again and again, until whoever started it lets go. Says so
// when it has begun.
import { accountsApp } from './ledger.ts'
import { carryOn, reached, rebuilt } from './views.ts'

const [url = '', share = '1'] = process.argv.slice(2)
process.once('disconnect', () => process.exit(0))
const { app, balances } = accountsApp()
const system = await carryOn(app, url, { rebuild: { share: Number(share) } })
await reached(system, (await system.log.head()).position)
// What the one before was about to build when it was let go of would be built first, and no other one beside it.
const left = (await system.status()).flatMap(({ generations }) => generations.filter(({ role }) => role === 'building'))
for (const { generation } of left) await system.drop(balances, generation)
process.send?.('begun')
for (;;) await rebuilt(system, balances)
