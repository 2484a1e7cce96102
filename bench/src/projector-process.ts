// Carries the accounts' view on, until whoever started it lets go.
import { accountsApp } from './ledger.ts'
import { carryOn, reached } from './views.ts'

const system = await carryOn(accountsApp().app, process.argv[2] ?? '')
process.once('disconnect', () => {
  system.close().then(
    () => process.exit(0),
    () => process.exit(1),
  )
})
await reached(system, (await system.log.head()).position)
process.send?.('ready')
