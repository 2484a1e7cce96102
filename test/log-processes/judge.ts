import { expect } from 'vitest'
import type { RecordedEvent } from '../../src/define/index.ts'
import { type EventLog, origin } from '../../src/log/index.ts'
import { type Entry, entriesOf, linesOf } from './journal.ts'

/** What a reader wrote down of an event. */
interface Seen {
  readonly position: number
  readonly streamId: string
  readonly version: number
  readonly id: string
}

export async function wholeLog(log: EventLog): Promise<RecordedEvent[]> {
  const all: RecordedEvent[] = []
  for (let from = origin; ; ) {
    const page = await log.read(from)
    all.push(...page.events)
    from = page.through
    if (page.atHead) return all
  }
}

/** Positions are 1 to n, versions 1 to m in each stream, ids unique, and the recorded time never goes back. */
export function expectGapless(all: readonly RecordedEvent[]): void {
  expect(all.map(event => event.position)).toEqual(all.map((_, index) => index + 1))
  expect(new Set(all.map(event => event.id)).size).toBe(all.length)
  expect(versionsOutOfOrder(all)).toEqual([])
  const times = all.map(event => event.recordedAt)
  expect(times).toEqual(times.toSorted())
}

/**
 * A reader saw every event once, in order, and each as it is in the log now: nothing that was not committed, which a
 * crash would have taken away.
 */
export function expectReadInOrder(journal: string, all: readonly RecordedEvent[]): void {
  const seen = linesOf<Seen>(journal)
  expect(versionsOutOfOrder(seen)).toEqual([])
  expect(seen).toEqual(all.map(({ position, streamId, version, id }) => ({ position, streamId, version, id })))
}

/**
 * Every command that a writer heard of as done is in the log once and whole; every one that it heard of as refused is
 * not; of the others each is there once and whole, or not at all.
 *
 * @returns how many there were of each
 */
export function expectJournalKept(journal: string, all: readonly RecordedEvent[]): Record<Entry['state'], number> {
  const byCommand = Map.groupBy(all, event => event.metadata.commandId ?? '')
  const counts = { sent: 0, acknowledged: 0, refused: 0 }
  const wrong: unknown[] = []
  for (const entry of entriesOf(journal).values()) {
    const found = byCommand.get(entry.id) ?? []
    counts[entry.state]++
    const whole =
      found.length === entry.eventCount &&
      found.every((event, index) => event.position === (found[0]?.position ?? 0) + index) &&
      found.every(event => event.streamId === `tally-${entry.stream}`)
    const right = {
      acknowledged: whole && found.at(-1)?.version === entry.version,
      refused: found.length === 0,
      sent: whole || found.length === 0,
    }
    if (!right[entry.state]) wrong.push({ entry, found })
  }
  expect(wrong).toEqual([])
  return counts
}

function versionsOutOfOrder(events: readonly Seen[]): readonly Seen[] {
  const last = new Map<string, number>()
  return events.filter(({ streamId, version }) => {
    const expected = (last.get(streamId) ?? 0) + 1
    last.set(streamId, version)
    return version !== expected
  })
}
