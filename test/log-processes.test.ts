import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { expectGapless, expectJournalKept, expectReadInOrder, wholeLog } from './log-processes/judge.ts'
import { fingerprintOf, openTallyLog, TallyEvents, tallyStream } from './log-processes/tally.ts'
import { createDatabase, type Database } from './support/databases.ts'
import { freshDirectory } from './support/directories.ts'
import { describeOwnServer, describePostgres, freshDatabase } from './support/postgres.ts'
import { type Server, startServer } from './support/server.ts'
import { killWorkers, spawnWorker, type Worker } from './support/workers.ts'

let scratch: Awaited<ReturnType<typeof freshDirectory>>

beforeEach(async () => {
  scratch = await freshDirectory()
})
afterEach(async () => {
  await killWorkers()
  await scratch.remove()
})

const journalOf = (name: string): string => join(scratch.path, `${name}.jsonl`)

function startWriter(address: string, name: string, witness?: string): Worker {
  const args = [address, name, journalOf(name), ...(witness === undefined ? [] : [witness])]
  return spawnWorker(import.meta.url, './log-processes/writer-process.ts', args)
}

/** Resolves when the writer has reported once more than it has by now. */
async function progress(worker: Worker): Promise<void> {
  const seen = worker.lines.length
  await worker.line(line => line.startsWith('acknowledged') && worker.lines.lastIndexOf(line) >= seen)
}

async function finish(workers: readonly Worker[], word: string): Promise<void> {
  for (const worker of workers) worker.tell(word)
  for (const worker of workers) expect(await worker.ended).toMatchObject({ code: 0, stderr: '' })
}

describeOwnServer('eight writers on a hundred streams, three readers, and a server that crashes', () => {
  let server: Server
  let database: Database

  beforeAll(async () => {
    server = await startServer()
    database = await createDatabase(server.url)
  })
  afterAll(() => server.stop())

  test('positions are gapless, every reader sees what was committed and in order, nothing is lost or doubled', async () => {
    const { url } = database
    const readers = ['reader-1', 'reader-2', 'reader-3']
    const readerWorkers = readers.map(name =>
      spawnWorker(import.meta.url, './log-processes/reader-process.ts', [url, journalOf(name)]),
    )
    const writers = Array.from({ length: 8 }, (_, index) => `writer-${index + 1}`)
    const workers = new Map(writers.map(name => [name, startWriter(url, name, url)]))
    const kill = (names: readonly string[]) => Promise.all(names.map(async name => await workers.get(name)?.kill()))
    const allProgress = () => Promise.all([...workers.values()].map(progress))
    await allProgress()

    const killed = ['writer-1', 'writer-2', 'writer-3']
    await kill(killed)
    for (const name of killed) workers.set(name, startWriter(url, name, url))
    await allProgress()

    await server.halt('immediate')
    await server.start()
    await allProgress()

    // Dead for good: what these had under way stays unheard of.
    const dead = ['writer-4', 'writer-5']
    await kill(dead)
    for (const name of dead) workers.delete(name)
    await finish([...workers.values()], 'stop')

    const log = await openTallyLog(url)
    const all = await wholeLog(log)
    await log.close()
    await finish(readerWorkers, String(all.length))

    expectGapless(all)
    for (const name of readers) expectReadInOrder(journalOf(name), all)
    const counts = writers.map(name => ({ name, ...expectJournalKept(journalOf(name), all) }))
    // Nobody was spared: all wrote, some met conflicts, and only the dead have not heard what became of everything.
    expect(counts.every(({ acknowledged }) => acknowledged >= 300)).toBe(true)
    expect(counts.some(({ refused }) => refused > 0)).toBe(true)
    expect(counts.filter(({ name, sent }) => sent > 0 && !dead.includes(name))).toEqual([])
  }, 120_000)
})

describePostgres('many processes on an empty database', () => {
  let database: Database

  beforeAll(async () => {
    database = await freshDatabase()
  })
  afterAll(() => database.drop())

  test('ten that start at once make one log, and all can write to it', async () => {
    const workers = Array.from({ length: 10 }, () =>
      spawnWorker(import.meta.url, './log-processes/open-process.ts', [database.url, '3']),
    )
    await Promise.all(workers.map(worker => worker.line(line => line === 'ready')))
    await finish(workers, 'open')
    const ids = workers.map(worker => worker.lines.find(line => line.startsWith('log ')))
    expect(new Set(ids).size).toBe(1)
    const log = await openTallyLog(database.url)
    const all = await wholeLog(log)
    await log.close()
    expect(ids[0]).toBe(`log ${log.id}`)
    expect(all).toHaveLength(30)
    expectGapless(all)
  }, 60_000)
})

describeOwnServer('a database restored to an earlier state under running processes', () => {
  let server: Server
  let database: Database

  beforeEach(async () => {
    server = await startServer()
    database = await createDatabase(server.url)
  })
  afterEach(() => server.stop())

  const count = (count: number) => ({
    stream: tallyStream(1),
    expected: 'any' as const,
    events: [TallyEvents.Counted({ writer: 'running', count })],
  })

  test.each([
    { others: '5', since: 'as many others' },
    { others: '9', since: 'more others' },
    { others: '0', since: 'no others' },
  ])(
    'is noticed after $since came in place of the lost events, and nothing is applied',
    async ({ others }) => {
      const log = await openTallyLog(database.url)
      for (let n = 1; n <= 3; n++) await log.append(count(n))
      await server.halt()
      const restore = await server.save()
      await server.start()
      for (let n = 4; n <= 8; n++) await log.append(count(n))
      const seen = await wholeLog(log)
      const last = seen.at(-1)
      const read = { position: last?.position ?? 0, fingerprint: fingerprintOf(last?.id ?? '') }
      expect(read.position).toBe(8)

      await server.halt()
      await restore()
      await server.start()
      const other = spawnWorker(import.meta.url, './log-processes/open-process.ts', [database.url, others])
      await finish([other], 'open')

      // Of the first append after a lost connection the process cannot know whether it reached the older history.
      const notAppended = expect.stringMatching(/^log\/(rewound|outcome-unknown)$/)
      await expect(log.append(count(9))).rejects.toMatchObject({ code: notAppended })
      await expect(log.append(count(9))).rejects.toMatchObject({ code: 'log/rewound' })
      await expect(log.read(read)).rejects.toMatchObject({ code: 'log/rewound' })
      await expect(log.head()).rejects.toMatchObject({ code: 'log/rewound' })
      await log.close()

      const fresh = await openTallyLog(database.url)
      await expect(fresh.read(read)).rejects.toMatchObject({ code: 'log/rewound' })
      const all = await wholeLog(fresh)
      await fresh.close()
      expectGapless(all)
      expect(all).toHaveLength(3 + Number(others))
      expect(all.slice(0, 3)).toEqual(seen.slice(0, 3))
    },
    60_000,
  )
})

describe('a killed process on an embedded database', () => {
  test('has lost nothing that was acknowledged, and the next one goes on', async () => {
    const directory = join(scratch.path, 'database')
    for (let run = 1; run <= 3; run++) {
      const writer = startWriter(directory, 'writer')
      await progress(writer)
      await writer.kill('SIGKILL')
    }
    const log = await openTallyLog(directory)
    const all = await wholeLog(log)
    await log.close()
    expectGapless(all)
    expect(expectJournalKept(journalOf('writer'), all).acknowledged).toBeGreaterThanOrEqual(300)
  }, 90_000)
})
