import { lockDirectory } from '../../src/postgres/directory-lock.ts'

/** Locks the directory given as argument, says so, and holds it until it is told otherwise. */
const [directory = ''] = process.argv.slice(2)
process.stdin.once('data', async () => {
  try {
    const lock = await lockDirectory(directory)
    console.log('locked')
    process.stdin.once('data', async () => {
      await lock.release()
      console.log('released')
    })
  } catch (error) {
    console.log(`refused ${error instanceof Error && 'code' in error ? error.code : error}`)
  }
})
console.log('ready')
