import { setTimeout as sleep } from 'node:timers/promises'
import { isError } from '../../src/define/index.ts'
import type { AppendOutcome, EventLog } from '../../src/log/index.ts'
import { type Entry, entriesOf, note } from './journal.ts'
import { fingerprintOf, openTallyLog, streamCount, TallyEvents, tallyStream } from './tally.ts'

/**
 * `writer-process.ts ADDRESS NAME JOURNAL [WITNESS]`: appends to all streams, some at an exact version and some at any, from
 * several callers, until it is told to stop. It writes into its journal what it sends and what it hears. Started again
 * on the same journal, it first sends again what it heard nothing of.
 *
 * WITNESS is the address under which it looks, over a connection of its own, whether what was acknowledged is there.
 */
const [address = '', name = '', journal = '', witnessAddress] = process.argv.slice(2)
const callers = 6
const reportEvery = 100

const log = await openTallyLog(address)
const witness = witnessAddress === undefined ? undefined : await openTallyLog(witnessAddress)
const before = entriesOf(journal)
const versions = new Map<number, number>()
let count = before.size
let acknowledged = 0
let stopping = false

process.stdin.once('data', () => {
  stopping = true
})

async function send(target: EventLog, entry: Entry, expected: number | 'any'): Promise<AppendOutcome> {
  const first = Number(entry.id.slice(entry.id.lastIndexOf('-') + 1))
  return await target.append({
    stream: tallyStream(entry.stream),
    expected,
    events: Array.from({ length: entry.eventCount }, () => TallyEvents.Counted({ writer: name, count: first })),
    metadata: { commandId: entry.id },
    command: { name: 'tally/Count', id: entry.id, hash: entry.id },
  })
}

/** Sends one command until something is known of it, and writes that down. */
async function settle(entry: Entry, expected: number | 'any'): Promise<void> {
  for (;;) {
    try {
      const outcome = await send(log, entry, expected)
      if (outcome.kind === 'conflict') {
        versions.set(entry.stream, outcome.version)
        return note(journal, { ...entry, state: 'refused' })
      }
      const { version, head, events } = outcome.kind === 'appended' ? outcome : outcome.outcome
      note(journal, { ...entry, state: 'acknowledged', version })
      versions.set(entry.stream, version)
      acknowledged++
      if (acknowledged % reportEvery === 0) {
        console.log(`acknowledged ${acknowledged}`)
        await bearWitness(events.at(-1), head.position)
      }
      return
    } catch (error) {
      const transient = (['log/outcome-unknown', 'log/connection-lost', 'log/overloaded'] as const).some(code =>
        isError(error, code),
      )
      if (!transient) throw error
      await sleep(20)
    }
  }
}

/** What was acknowledged is committed: another connection sees it. */
async function bearWitness(event: { readonly id: string; readonly position: number } | undefined, head: number) {
  if (witness === undefined || event === undefined) return
  const seen = await witness
    .holds({ position: event.position, fingerprint: fingerprintOf(event.id) })
    // The server may be down: then there is no witness.
    .catch(() => true)
  if (!seen) throw new Error(`position ${event.position} (head ${head}) was acknowledged and is not there`)
}

async function call(): Promise<void> {
  while (!stopping) {
    count++
    const stream = Math.floor(Math.random() * streamCount)
    const entry: Entry = { id: `${name}-${count}`, stream, eventCount: 1 + (count % 3), state: 'sent' }
    const known = versions.get(stream)
    note(journal, entry)
    await settle(entry, count % 2 === 0 && known !== undefined ? known : 'any')
    // Eleven processes share the machine: leave them their turn.
    await sleep(Math.random() * 8)
  }
}

console.log('started')
for (const entry of before.values()) if (entry.state === 'sent') await settle(entry, 'any')
await Promise.all(Array.from({ length: callers }, call))
console.log('stopped')
await witness?.close()
await log.close()
process.exit(0)
