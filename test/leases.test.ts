import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import { type ShardCheckpoint, shardOf } from '../src/project/index.ts'
import { type Carrier, type Fleet, openFleet } from './leases/fleet.ts'
import { shards } from './leases/tally.ts'
import type { Database } from './support/databases.ts'
import { describePostgres, freshDatabase } from './support/postgres.ts'
import { killWorkers } from './support/workers.ts'

describePostgres('processes that divide eight shards between them', () => {
  let database: Database
  let fleet: Fleet
  const longMs = 600_000
  const shortMs = 400
  const all = Array.from({ length: shards }, (_, shard) => shard)
  const sorted = (numbers: readonly number[]): readonly number[] => numbers.toSorted((a, b) => a - b)
  const heldBy = (carriers: readonly Carrier[]): readonly number[] => sorted(carriers.flatMap(one => one.held()))
  const epochsOf = (checkpoints: readonly ShardCheckpoint[]): readonly number[] => checkpoints.map(({ epoch }) => epoch)

  beforeEach(async () => {
    database = await freshDatabase()
    fleet = await openFleet(database.url)
  })
  afterEach(async () => {
    await killWorkers()
    await fleet.close()
    await database.drop()
  })
  afterAll(killWorkers)

  async function expectRight(): Promise<void> {
    await fleet.reached(await fleet.mark(3))
    const { found, expected } = await fleet.rows()
    expect(found).toEqual(expected)
  }

  /** Resolves when they say at the same time that each has its share, and all are had. */
  async function divided(...carriers: readonly Carrier[]): Promise<void> {
    const share = shards / carriers.length
    const isDivided = (): boolean =>
      String(heldBy(carriers)) === String(all) && carriers.every(carrier => carrier.held().length === share)
    while (!isDivided()) await new Promise(resolve => setTimeout(resolve, 10))
  }

  /** Writes all the time, until what it answers with is called. */
  function marking(): () => Promise<void> {
    let isOver = false
    const writing = (async () => {
      while (!isOver) await fleet.mark()
    })()
    return async () => {
      isOver = true
      await writing
    }
  }

  test('each that joins gets its share, and the shards that stay where they are never stop', async () => {
    const carriers = [fleet.start(longMs)]
    await carriers[0]?.holds(all)
    const stopMarking = marking()
    for (const share of [
      [4, 4],
      [3, 3, 2],
    ]) {
      const before = carriers.map(carrier => carrier.held())
      const epochs = epochsOf(await fleet.checkpoints())
      carriers.push(fleet.start(longMs))
      while (String(sorted(carriers.map(carrier => carrier.held().length)).toReversed()) !== String(share)) {
        await new Promise(resolve => setTimeout(resolve, 10))
      }
      expect(heldBy(carriers)).toEqual(all)
      const stayed = before.flatMap((had, n) => had.filter(shard => carriers[n]?.held().includes(shard)))
      expect(stayed).toHaveLength(8 - (share.at(-1) ?? 0))
      const after = epochsOf(await fleet.checkpoints())
      for (const shard of stayed) expect(after[shard]).toBe(epochs[shard])
      for (const shard of all) if (!stayed.includes(shard)) expect(after[shard]).toBe((epochs[shard] ?? 0) + 1)
    }
    await stopMarking()
    await expectRight()
  }, 60_000)

  test('one that is told to stop hands its shards over at once', async () => {
    const [one, two] = [fleet.start(longMs), fleet.start(longMs)]
    await divided(one, two)
    const stopMarking = marking()
    const epochs = epochsOf(await fleet.checkpoints())
    const stayed = two.held()
    one.signal('SIGTERM')
    expect(await one.ended).toMatchObject({ code: 0, stderr: '' })
    // Its lease would have lasted for ten minutes.
    await two.holds(all)
    const after = epochsOf(await fleet.checkpoints())
    for (const shard of all) expect(after[shard]).toBe((epochs[shard] ?? 0) + (stayed.includes(shard) ? 0 : 1))
    await stopMarking()
    await expectRight()
  }, 60_000)

  test('one that is killed is found out when its leases have run out', async () => {
    const [one, two, three] = [fleet.start(shortMs), fleet.start(shortMs), fleet.start(shortMs)]
    const left = [two, three]
    while (String(heldBy([one, ...left])) !== String(all)) await new Promise(resolve => setTimeout(resolve, 10))
    const stopMarking = marking()
    await one.kill()
    await divided(...left)
    await stopMarking()
    await expectRight()
  }, 60_000)

  test('one that was stopped in a fold past its lease wakes up and changes neither rows nor checkpoint', async () => {
    const stopped = fleet.start(shortMs, 'stop')
    await stopped.holds(all)
    await fleet.mark(2)
    const position = await fleet.poison(0)
    const poisoned = shardOf({ tenant: 'default', key: 's0' }, shards)
    // It loses none of them meanwhile, however busy the machine is.
    const other = fleet.start(5000)
    await other.holds(all)
    await fleet.reached(position)
    await expectRight()
    const rows = await fleet.rows()
    const checkpoints = await fleet.checkpoints()
    const epoch = checkpoints[poisoned]?.epoch ?? 0

    stopped.signal('SIGCONT')
    await stopped.line(line => line.startsWith('folded '))
    // It has a share again only after it has heard that what it had is another's.
    await stopped.holds(4)
    const after = await fleet.checkpoints()
    expect(await fleet.rows()).toEqual(rows)
    expect(after.map(({ position: reached }) => reached)).toEqual(checkpoints.map(({ position: reached }) => reached))
    expect((after[poisoned]?.epoch ?? 0) - epoch).toBeLessThanOrEqual(1)
    await expectRight()
  }, 60_000)

  const slow = [
    ['folds', 'slow'],
    ['keys', 'slow-key'],
  ] as const
  test.for(slow)(
    'a process whose %s are slow, one after the other, keeps its shards',
    { timeout: 60_000 },
    async ([, how]) => {
      const leaseMs = 5000
      const [one, other] = [fleet.start(leaseMs, how), fleet.start(leaseMs, how)]
      await divided(one, other)
      await fleet.mark()
      const epochs = epochsOf(await fleet.checkpoints())
      // A batch of them takes longer than a lease.
      await fleet.reached(await fleet.poison(0, how === 'slow' ? 20 : 40))
      expect(epochsOf(await fleet.checkpoints())).toEqual(epochs)
      await expectRight()
    },
  )

  test('a fold that blocks its process past the lease is told by name, and does no harm', async () => {
    const blocked = fleet.start(shortMs, 'block')
    await blocked.holds(all)
    const other = fleet.start(longMs)
    await divided(blocked, other)
    const folded = blocked.line(line => line.startsWith('folded '))
    // On a busy machine its lease may run out before: it takes its share again, and has to come to such an event there.
    let isFolded = false
    void folded.then(() => {
      isFolded = true
    })
    while (!isFolded) {
      for (const stream of all) await fleet.poison(stream)
      await new Promise(resolve => setTimeout(resolve, shortMs))
    }
    const shard = shardOf({ tenant: 'default', key: (await folded).slice('folded '.length) }, shards)
    await blocked.line(line => line === `warning project/lease-lost totals ${shard}`)
    await expectRight()
  }, 60_000)
})
