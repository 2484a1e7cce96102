import { describe, expect, test } from 'vitest'
import { type EventLog, origin, type Snapshot, type StreamKey } from './log.ts'

/** What every storage must do with snapshots. `log` opens one on an empty place; `fill` appends events to a stream. */
export function snapshotContract(
  open: () => Promise<EventLog>,
  fill: (log: EventLog, stream: StreamKey, count: number) => Promise<unknown>,
): void {
  const stream = (id: string): StreamKey => ({ tenant: 'default', category: 'order', id })
  const snapshotAt = async (log: EventLog, id: string, version: number, more: Partial<Snapshot> = {}) => {
    const [event] = await log.readStream(stream(id), { fromVersion: version, maxEvents: 1 })
    if (event === undefined) throw new Error('there is no such event')
    const at = { position: event.position, fingerprint: event.id.slice(-12) }
    return { stream: stream(id), snapshotVersion: 1, version, at, state: `{"version":${version}}`, ...more }
  }
  const read = async (log: EventLog, id: string, snapshotVersion = 1, maxEvents = 100) => {
    const { snapshot, events } = await log.readFromSnapshot(stream(id), { snapshotVersion, maxEvents })
    return { snapshot, versions: events.map(({ version }) => version) }
  }

  describe('snapshots', () => {
    test('come back as they were written, with the events after them', async () => {
      const log = await open()
      await fill(log, stream('a'), 5)
      await fill(log, stream('b'), 3)
      const state = JSON.stringify({ text: 'a "quoted" \\ {state},\n\u0000 \ud800 é NULL' })
      const [a, b] = [await snapshotAt(log, 'a', 2, { state }), await snapshotAt(log, 'b', 3)]
      await log.writeSnapshots([a, b])
      expect(await read(log, 'a')).toEqual({ snapshot: a, versions: [3, 4, 5] })
      expect(await read(log, 'a', 1, 2)).toEqual({ snapshot: a, versions: [3, 4] })
      expect(await read(log, 'b')).toEqual({ snapshot: b, versions: [] })
    })

    test('are not needed: a stream without one, or without events, is read from its beginning', async () => {
      const log = await open()
      await fill(log, stream('a'), 3)
      expect(await read(log, 'a')).toEqual({ versions: [1, 2, 3] })
      expect(await read(log, 'a', 1, 2)).toEqual({ versions: [1, 2] })
      expect(await read(log, 'none')).toEqual({ versions: [] })
    })

    test('are kept apart by tenant and by category', async () => {
      const log = await open()
      await fill(log, stream('a'), 2)
      await log.writeSnapshots([await snapshotAt(log, 'a', 2)])
      const other = { ...stream('a'), tenant: 'other' }
      expect(await log.readFromSnapshot(other, { snapshotVersion: 1, maxEvents: 9 })).toEqual({ events: [] })
    })

    test('never go back: an older one does not take the place of a newer', async () => {
      const log = await open()
      await fill(log, stream('a'), 5)
      const [second, fourth] = [await snapshotAt(log, 'a', 2), await snapshotAt(log, 'a', 4)]
      await log.writeSnapshots([fourth])
      await log.writeSnapshots([second])
      expect((await read(log, 'a')).snapshot).toEqual(fourth)
    })

    test('of another snapshot version are passed over, and one of a later version takes their place', async () => {
      const log = await open()
      await fill(log, stream('a'), 5)
      const [old, late] = [await snapshotAt(log, 'a', 4), await snapshotAt(log, 'a', 2, { snapshotVersion: 2 })]
      await log.writeSnapshots([old])
      expect(await read(log, 'a', 2)).toEqual({ versions: [1, 2, 3, 4, 5] })
      await log.writeSnapshots([late])
      expect(await read(log, 'a', 2)).toEqual({ snapshot: late, versions: [3, 4, 5] })
      await log.writeSnapshots([old])
      expect(await read(log, 'a', 1)).toEqual({ versions: [1, 2, 3, 4, 5] })
      expect((await read(log, 'a', 2)).snapshot).toEqual(late)
    })

    test('of an event that is not there are not kept', async () => {
      const log = await open()
      await fill(log, stream('a'), 3)
      const right = await snapshotAt(log, 'a', 2)
      const { position, fingerprint } = right.at
      await log.writeSnapshots([{ ...right, at: { position, fingerprint: '0123456789ab' } }])
      await log.writeSnapshots([{ ...right, at: { position: 99, fingerprint } }])
      await log.writeSnapshots([{ ...right, version: 3 }])
      await log.writeSnapshots([{ ...right, at: origin, version: 0 }])
      await log.writeSnapshots([{ ...right, stream: stream('b') }])
      expect((await read(log, 'a')).snapshot).toBeUndefined()
      expect((await read(log, 'b')).snapshot).toBeUndefined()
    })
  })
}
