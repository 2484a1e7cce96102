import { z } from 'zod'
import { app, events } from '../../src/define/index.ts'
import { createLog, type EventLog, type StreamKey } from '../../src/log/index.ts'
import { openPglite, openPostgres, postgresLogStorage } from '../../src/postgres/index.ts'

/** What the processes of these tests write: who counted, and how far. */
export const TallyEvents = events('tally', {
  Counted: z.object({ writer: z.string(), count: z.int() }),
})

export const streamCount = 100

export function tallyStream(number: number): StreamKey {
  return { tenant: 'default', category: 'tally', id: `tally-${number}` }
}

/** Opens the log at an address: a URL of PostgreSQL, or the directory of an embedded database. */
export async function openTallyLog(address: string): Promise<EventLog> {
  const database = await (address.startsWith('postgres') ? openPostgres(address) : openPglite(address))
  const log = await createLog(postgresLogStorage(database), {
    eventTypes: app('tally', { events: [TallyEvents] }).eventTypes,
  })
  return {
    ...log,
    close: async () => {
      await log.close()
      await database.close()
    },
  }
}

/** An event's mark in a consistency anchor: the last 12 digits of its id. */
export function fingerprintOf(eventId: string): string {
  return eventId.slice(-12)
}
