import { expect, test } from 'vitest'
import { type Anchor, origin, type Page } from '../log/index.ts'
import { shareReads } from './shared-reads.ts'

const at = (position: number): Anchor => ({ position, fingerprint: `${position}` })

/** A log of `head` events that counts the pages that are read of it. */
function countingLog(head: number) {
  const log = { head, reads: 0, failing: false }
  const read = async (from: Anchor, { maxEvents = 5000 } = {}): Promise<Page> => {
    log.reads++
    if (log.failing) throw new Error('gone')
    const through = Math.min(from.position + maxEvents, log.head)
    return { events: [], through: at(through), atHead: through === log.head }
  }
  return { log, read: shareReads(read) }
}

test('shards that catch up together read each page once', async () => {
  const { log, read } = countingLog(100)
  const catchUp = async (): Promise<void> => {
    let page = await read(origin, { maxEvents: 10 })
    while (!page.atHead) page = await read(page.through, { maxEvents: 10 })
  }
  await Promise.all([catchUp(), catchUp(), catchUp()])
  expect(log.reads).toBe(10)
})

test('pages of another size, another history or long ago are read', async () => {
  const { log, read } = countingLog(100)
  await read(at(1), { maxEvents: 10 })
  await read(at(1), { maxEvents: 20 })
  await read({ position: 1, fingerprint: 'other' }, { maxEvents: 10 })
  expect(log.reads).toBe(3)
  for (let position = 2; position < 6; position++) await read(at(position), { maxEvents: 10 })
  await read(at(1), { maxEvents: 10 })
  expect(log.reads).toBe(8)
})

test('what was at the head, and what failed, is read again', async () => {
  const { log, read } = countingLog(5)
  expect(await read(origin)).toMatchObject({ through: at(5), atHead: true })
  log.head = 6
  expect(await read(origin)).toMatchObject({ through: at(6) })
  log.failing = true
  await expect(read(at(1))).rejects.toThrow('gone')
  log.failing = false
  expect(await read(at(1))).toMatchObject({ through: at(6) })
})

test('a page that leads nowhere although more was said to be there is read again', async () => {
  // What lies beyond was announced while the page was being read, and was not yet in it.
  let reads = 0
  const read = shareReads(async from =>
    ++reads === 1 ? { events: [], through: from, atHead: false } : { events: [], through: at(6), atHead: true },
  )
  expect(await read(at(5))).toMatchObject({ through: at(5) })
  expect(await read(at(5))).toMatchObject({ through: at(6) })
})
