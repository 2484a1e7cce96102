import type { Runtime } from './runtime.ts'

/**
 * Makes ids that are unique and ordered by time (UUID version 7), each greater than the one before it in this process.
 * The last 12 hex digits are chance alone: they are the fingerprint of an event. Time-ordered ids keep the pages of an
 * index that are written to few; random ones cost two thirds of the throughput at some million rows.
 */
export function makeIds({ now, random }: Pick<Runtime, 'now' | 'random'>): () => string {
  let lastMs = 0
  let counter = 0
  let time = ''
  return () => {
    const ms = Math.floor(now())
    if (ms > lastMs) {
      lastMs = ms
      counter = 0
      time = timeOf(lastMs)
    } else if (++counter > 0xfff) {
      // More than 4096 in a millisecond, or a clock that went back: borrow from the next one.
      lastMs += 1
      counter = 0
      time = timeOf(lastMs)
    }
    const variant = 0x8000 + Math.floor(random() * 0x4000)
    const left = Math.floor(random() * 0x1000000)
    const right = Math.floor(random() * 0x1000000)
    return `${time}-${four(0x7000 + counter)}-${four(variant)}-${six(left)}${six(right)}`
  }
}

function timeOf(ms: number): string {
  const hex = ms.toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}`
}

// Looked up, since `toString(16)` of large numbers took a quarter of the time of an append.
const pairs = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
const pair = (byte: number): string => pairs[byte & 0xff] as string
const four = (value: number): string => pair(value >> 8) + pair(value)
const six = (value: number): string => pair(value >> 16) + four(value)

/** What distinguishes the event at a position from another that was given the same position. */
export function fingerprintOf(eventId: string): string {
  return eventId.slice(-12)
}
