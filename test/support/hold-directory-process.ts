import { once } from 'node:events'
import { lockDirectory } from '../../src/postgres/directory-lock.ts'

/** `hold-directory-process.ts DIRECTORY`: locks it when told, says how that went, and releases it when told again. */
const [directory = ''] = process.argv.slice(2)
const told = (): Promise<unknown> => once(process.stdin, 'data')

console.log('ready')
await told()
try {
  const lock = await lockDirectory(directory)
  console.log('locked')
  await told()
  await lock.release()
  console.log('released')
} catch (error) {
  console.log(`refused ${error instanceof Error && 'code' in error ? String(error.code) : String(error)}`)
}
await told()
