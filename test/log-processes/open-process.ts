import { once } from 'node:events'
import { openTallyLog, TallyEvents, tallyStream } from './tally.ts'

/** `open-process.ts ADDRESS EVENTS`: when told, opens the log, says its id, and appends so many events to one stream. */
const [address = '', events = '0'] = process.argv.slice(2)
console.log('ready')
await once(process.stdin, 'data')
const log = await openTallyLog(address)
console.log(`log ${log.id}`)
for (let count = 1; count <= Number(events); count++) {
  await log.append({
    stream: tallyStream(0),
    expected: 'any',
    events: [TallyEvents.Counted({ writer: String(process.pid), count })],
  })
}
console.log('done')
await log.close()
process.exit(0)
