import { stopOnSignals } from 'bifold/http'
import { embedded, postgres } from 'bifold/postgres'
import { openShop } from './open-shop.ts'
import { type Settings, settingsFrom } from './settings.ts'

/** `npm start`: the shop on the embedded database, or on the PostgreSQL that `DATABASE_URL` names. */
async function start({ databaseUrl, dataDir, port, commandsPerSecond }: Settings): Promise<void> {
  const runsOn = databaseUrl === undefined ? `the embedded database in ${dataDir}` : 'PostgreSQL'
  const on = databaseUrl === undefined ? embedded({ directory: dataDir }) : postgres({ url: databaseUrl })
  const { url, close } = await openShop({ on, runsOn, port, commandsPerSecond })
  stopOnSignals(close)
  stopWithNpm()
  console.log(`The shop serves at ${url}, on ${runsOn}.`)
}

/**
 * npm passes a SIGTERM on to the shell that it runs a script in, and that shell dies of it without passing it on: left
 * alone, the shop would go on unseen, with its port and its directory taken.
 */
function stopWithNpm(): void {
  if (process.env['npm_lifecycle_event'] === undefined) return
  const shell = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === shell) return
    clearInterval(watch)
    process.kill(process.pid, 'SIGTERM')
  }, 250)
  watch.unref()
}

/** What whoever started the shop can mend is said in a sentence; anything else comes with its trace. */
function explain(error: unknown): unknown {
  if (!(error instanceof Error && 'code' in error)) return error
  if (error.code === 'EADDRINUSE' && 'port' in error) {
    return `shop/port-in-use: The port ${error.port} is taken. Give another one in PORT, or 0 for a free one.`
  }
  return `${error.code}: ${error.message}`
}

try {
  await start(settingsFrom(process.env))
} catch (error) {
  console.error(explain(error))
  process.exit(1)
}
