import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { isError } from '../../src/define/index.ts'
import { type Anchor, origin } from '../../src/log/index.ts'
import { openTallyLog } from './tally.ts'

/**
 * `reader-process.ts ADDRESS JOURNAL`: tails the log from its beginning, and writes down the position, stream, version and id
 * of each event in the order in which it saw them. Told a position, it ends when it has read up to there.
 */
const [address = '', journal = ''] = process.argv.slice(2)
const log = await openTallyLog(address)
const told = new AbortController()
let until = Number.POSITIVE_INFINITY
let from: Anchor = origin

process.stdin.once('data', chunk => {
  until = Number(chunk)
  told.abort()
})

console.log('started')
while (from.position < until) {
  try {
    const page = await log.read(from)
    const seen = page.events.map(({ position, streamId, version, id }) =>
      JSON.stringify({ position, streamId, version, id }),
    )
    if (seen.length > 0) appendFileSync(journal, `${seen.join('\n')}\n`)
    from = page.through
    if (page.atHead && from.position < until) {
      await log.waitBeyond(from.position, told.signal)
      // With the end known and not reached, the hint is over, and reading goes on.
      if (told.signal.aborted) await sleep(10)
    }
  } catch (error) {
    if (isError(error, 'log/rewound')) throw error
    // The server is down for a moment.
    await sleep(50)
  }
}
console.log('stopped')
await log.close()
process.exit(0)
