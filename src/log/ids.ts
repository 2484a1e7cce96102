import type { Runtime } from './runtime.ts'

/**
 * Makes ids that are unique and ordered by time (UUID version 7), each greater than the one before it in this process.
 * The last 12 hex digits are chance alone: they are the fingerprint of an event. Time-ordered ids keep the pages of an
 * index that are written to few; random ones cost two thirds of the throughput at some million rows.
 */
export function makeIds({ now, random }: Pick<Runtime, 'now' | 'random'>): () => string {
  let lastMs = 0
  let counter = 0
  return () => {
    const ms = Math.floor(now())
    if (ms > lastMs) {
      lastMs = ms
      counter = 0
    } else if (++counter > 0xfff) {
      // More than 4096 in a millisecond, or a clock that went back: borrow from the next one.
      lastMs += 1
      counter = 0
    }
    const time = hex(lastMs, 12)
    const variant = hex(0x8000 + Math.floor(random() * 0x4000), 4)
    const chance = hex(Math.floor(random() * 2 ** 48), 12)
    return `${time.slice(0, 8)}-${time.slice(8)}-7${hex(counter, 3)}-${variant}-${chance}`
  }
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0')
}

/** What distinguishes the event at a position from another that was given the same position. */
export function fingerprintOf(eventId: string): string {
  return eventId.slice(-12)
}
