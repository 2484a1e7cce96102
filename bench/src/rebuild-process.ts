// Carries the accounts' view on, and with a share above 0 builds it anew, beside the one that serves, again and again, until
// whoever started it lets go. Says so when it has begun, and each time that the new one serves.
import { accountsApp } from './ledger.ts'
import { carryOn, reached, rebuilt } from './views.ts'

const [url = '', given = '1'] = process.argv.slice(2)
const share = Number(given)
process.once('disconnect', () => process.exit(0))
const { app, balances } = accountsApp()
const system = await carryOn(app, url, share > 0 ? { rebuild: { share } } : {})
await reached(system, (await system.log.head()).position)
// What the one before was about to build when it was let go of would be built first, and no other one beside it.
const left = (await system.status()).flatMap(({ generations }) => generations.filter(({ role }) => role === 'building'))
for (const { generation } of left) await system.drop(balances, generation)
process.send?.('begun')
while (share > 0) {
  await rebuilt(system, balances)
  process.send?.('built')
}
