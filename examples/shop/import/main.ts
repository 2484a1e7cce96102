import { run } from 'bifold'
import { embedded, postgres } from 'bifold/postgres'
import { shop } from '../src/app.ts'
import { settingsFrom } from '../src/settings.ts'
import { importFolder } from './import.ts'
import { isInputError } from './input-error.ts'

const usage = `Usage: npm run import -- FOLDER

Imports the orders of the Brazilian E-Commerce Public Dataset by Olist from the CSV files in FOLDER into the shop's
database: the one at DATABASE_URL, else the embedded one in DATA_DIR (default .data/shop), which no other process may
have open. Run again, it changes nothing.
`

async function main(args: readonly string[]): Promise<number> {
  const [folder, ...more] = args
  if (folder === undefined || folder === '' || folder.startsWith('-') || more.length > 0) {
    console.error(usage)
    return 2
  }
  const { databaseUrl, dataDir } = settingsFrom(process.env)
  const backend = () => (databaseUrl === undefined ? embedded({ directory: dataDir }) : postgres({ url: databaseUrl }))
  try {
    await importFolder(folder, roles => run(shop, { on: backend(), roles }), process.stdout)
    return 0
  } catch (error) {
    if (isInputError(error)) console.error(`${error.message} Nothing was imported. (${error.code})`)
    else if (error instanceof Error && 'code' in error) {
      console.error(`${String(error.code)}: ${error.message}`)
      console.error('Run the import again: what was accepted is not done twice.')
    } else throw error
    return 1
  }
}

process.exitCode = await main(process.argv.slice(2))
