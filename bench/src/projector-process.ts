// `projector-process.ts URL [VIEW [SHARDS]]`: carries a view of the accounts on, until whoever started it lets go.
import { accountsApp } from './ledger.ts'
import { carryOn } from './views.ts'

const [url = '', view, shards = '1'] = process.argv.slice(2)
const system = await carryOn(accountsApp(view, Number(shards)).app, url)
process.once('disconnect', () => {
  system.close().then(
    () => process.exit(0),
    () => process.exit(1),
  )
})
process.send?.('running')
