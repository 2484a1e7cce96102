import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { app, events, projection } from '../define/index.ts'
import { defaultTenant, origin } from '../log/index.ts'
import type { ProjectorLimits } from './limits.ts'
import type { Projector } from './projector.ts'
import { type ProjectorUnderTest, projectorUnderTest, statusWhere, until } from './projector-under-test.contract.ts'
import type { ProjectionStatus } from './status.ts'
import type { View, ViewCommit, ViewStore } from './store.ts'
import { viewShapeOf } from './view-shape.ts'

const Gifts = events('gift', { Given: z.object({ to: z.array(z.string()), amount: z.int() }) })

let names = 0
const newName = (): string => `gifts-${++names}`

/** Throws for the events and keys that it is told to, until it is told not to. */
interface Guard {
  bad: (key: string, position: number) => boolean
}

/** What each one was given, with the positions: an event too many, too few or out of order shows. */
function received(guard: Guard = { bad: () => false }, name = newName(), shards = 1, version = 1) {
  return projection(name, {
    from: [Gifts],
    shards,
    version,
    state: z.object({ sum: z.int(), seen: z.array(z.int()) }),
    key: { Given: e => e.data.to },
    on: {
      Given: (row, e, key) => {
        if (guard.bad(key, e.position)) throw new TypeError('a-secret')
        return { sum: (row?.sum ?? 0) + e.data.amount, seen: [...(row?.seen ?? []), e.position].slice(-2000) }
      },
    },
  })
}
type Received = ReturnType<typeof received>

/** What every log and store must let a projector do with keys that fail. */
export function projectorLettersContract(name: string, make: () => Promise<ProjectorUnderTest>): void {
  describe(`dead letters of a projection: ${name}`, () => {
    const its = projectorUnderTest(make, app('gifts', { events: [Gifts] }), {
      retry: { minDelayMs: 1, maxDelayMs: 5 },
      reconnect: { minDelayMs: 1, maxDelayMs: 20 },
      requestPollMs: 5,
    })

    const key = (name: string) => ({ tenant: defaultTenant, key: name })
    const given = (...to: string[]) => Gifts.Given({ to, amount: 1 })
    const give = (...added: ReturnType<typeof given>[]): Promise<number> => its.append('gift', 'all', ...added)
    const start = (
      projected: Received,
      limits: Partial<ProjectorLimits> = {},
      store: ViewStore = its.tested.store,
    ): Promise<Projector> =>
      its.start({ app: app('gifts', { projections: [projected], events: [Gifts] }), store, ...limits })
    const caughtUp = (projector: Projector): Promise<ProjectionStatus> =>
      statusWhere(projector, ({ behind, state }) => behind === 0 && state === 'live')
    const viewOf = (projected: Received): Promise<View> => its.tested.other.open(viewShapeOf(projected))
    const answered = (view: View) => until(async () => (await view.letters.openRequests()) === 0)
    const docs = async (projected: Received, keys: readonly string[]): Promise<readonly (string | null)[]> =>
      (await (await viewOf(projected)).get(keys.map(key))).value
    /** What these rows must be: those of a projection that never fails. */
    async function expectWhole(projected: Received, keys: readonly string[]): Promise<void> {
      const healthy = received()
      await caughtUp(await start(healthy))
      expect(await docs(projected, keys)).toEqual(await docs(healthy, keys))
    }
    const listed = async (projected: Received) => (await viewOf(projected)).letters.list({ limit: 100 })

    test('a key whose fold throws is parked with its events, and every other key goes on', async () => {
      const first = (await give(given('park-a'), given('park-b'))) + 1
      const projected = received({ bad: (to, position) => to === 'park-a' && position >= first })
      const projector = await start(projected)
      await give(given('park-a', 'park-b'), given('park-b'), given('park-a'))
      expect(await caughtUp(projector)).toMatchObject({ parkedKeys: 1, position: (await its.log.head()).position })
      expect(await listed(projected)).toMatchObject([
        { ...key('park-a'), position: first, code: 'project/fold-failed', attempts: 3, events: 2, shard: 0 },
      ])
      const [found] = await listed(projected)
      expect(found?.message).toContain(`at position ${first}`)
      expect(JSON.stringify(found)).not.toContain('a-secret')
      expect(found?.stack).toContain('projector-letters.contract.ts')
      // What comes later joins them, also after the shard was taken anew.
      await give(given('park-a'), given('park-b'))
      await caughtUp(projector)
      await projector.stop()
      const again = await start(projected)
      await give(given('park-a'), given('park-b'))
      await caughtUp(again)
      expect(await (await viewOf(projected)).letters.positions(key('park-a'), 0, 100)).toEqual([
        first,
        first + 2,
        first + 3,
        first + 5,
      ])
      const [row] = await docs(projected, ['park-a'])
      expect(JSON.parse(row ?? '')).toEqual({ sum: 1, seen: [first - 2] })
      await expectWhole(projected, ['park-b'])
    })

    test('a fold that throws now and then is tried again, and nothing is parked', async () => {
      let failures = 0
      const projected = received({ bad: to => to === 'again' && failures++ < 2 })
      await give(given('again'))
      const projector = await start(projected)
      await caughtUp(projector)
      expect(failures).toBeGreaterThanOrEqual(2)
      expect(await listed(projected)).toEqual([])
      await expectWhole(projected, ['again'])
    })

    test('a retry folds what waits in order, however many events there are, and those that come meanwhile', async () => {
      const guard: Guard = { bad: to => to.startsWith('many') }
      const projected = received(guard, newName(), 2)
      const projector = await start(projected)
      const keys = ['many-1', 'many-2', 'others']
      for (let n = 0; n < 4; n++) await give(...Array.from({ length: 100 }, () => given(...keys)))
      await give(...Array.from({ length: 450 }, () => given('many-1')))
      expect(await caughtUp(projector)).toMatchObject({ parkedKeys: 2 })
      guard.bad = () => false
      const view = await viewOf(projected)
      expect(await view.letters.request('retry-all')).toEqual({ keys: 2 })
      for (let n = 0; n < 20; n++) await give(given(...keys))
      await answered(view)
      await give(given(...keys))
      expect((await caughtUp(projector)).parkedKeys).toBeUndefined()
      expect(await listed(projected)).toEqual([])
      await expectWhole(projected, keys)
    }, 30_000)

    test('a retry that fails at a later event keeps what came before it, and the new error', async () => {
      const first = (await give(given('later'))) as number
      const guard: Guard = { bad: to => to === 'later' }
      const projected = received(guard)
      const projector = await start(projected)
      await give(given('later'), given('later'), given('later'))
      await caughtUp(projector)
      const since = (await listed(projected))[0]?.since
      guard.bad = (to, position) => to === 'later' && position === first + 2
      const view = await viewOf(projected)
      await view.letters.request({ ...key('later'), position: first, action: 'retry' })
      await answered(view)
      expect(await listed(projected)).toMatchObject([{ position: first + 2, events: 2, attempts: 4, since }])
      const [row] = await docs(projected, ['later'])
      expect(JSON.parse(row ?? '')).toEqual({ sum: 2, seen: [first, first + 1] })
    })

    test('a skip leaves one event out, here and in a later generation, and no other event', async () => {
      const bad = await give(given('skip'), given('skip'))
      const guard: Guard = { bad: (to, position) => to === 'skip' && position === bad }
      const name = newName()
      const projected = received(guard, name)
      const projector = await start(projected)
      await give(given('skip'))
      await caughtUp(projector)
      const view = await viewOf(projected)
      const skip = { ...key('skip'), action: 'skip', reason: 'sent twice' } as const
      // One that was meant for another event does nothing.
      await view.letters.request({ ...skip, position: bad + 1 })
      await answered(view)
      expect(await listed(projected)).toMatchObject([{ position: bad, events: 2 }])
      await view.letters.request({ ...skip, position: bad })
      await answered(view)
      expect(await listed(projected)).toEqual([])
      expect(await view.letters.skips()).toMatchObject([{ ...key('skip'), position: bad, reason: 'sent twice' }])
      const later = received(guard, name, 3, 2)
      await start(later)
      const head = (await its.log.head()).position
      const built = await viewOf(later)
      await until(async () => (await built.checkpoints()).every(({ position }) => position >= head))
      const expected = JSON.stringify({ sum: 2, seen: [bad - 1, bad + 1] })
      expect(await docs(projected, ['skip'])).toEqual([expected])
      expect(await docs(later, ['skip'])).toEqual([expected])
      expect(await listed(later)).toEqual([])
    })

    test('what is asked of a key reads the skips of that key, however many others have some', async () => {
      const guard: Guard = { bad: to => to.startsWith('skips') }
      const projected = received(guard)
      const read: number[] = []
      const counting: ViewStore = {
        ...its.tested.store,
        open: async (...asked) => {
          const view = await its.tested.store.open(...asked)
          const skips: View['letters']['skips'] = async key => {
            const found = await view.letters.skips(key)
            read.push(found.length)
            return found
          }
          return { ...view, letters: { ...view.letters, skips } }
        },
      }
      const projector = await start(projected, {}, counting)
      const keys = Array.from({ length: 20 }, (_, n) => `skips-${n}`)
      await give(given(...keys), given(...keys))
      await caughtUp(projector)
      const view = await viewOf(projected)
      for (const { tenant, key: own, position } of await listed(projected)) {
        await view.letters.request({ tenant, key: own, position, action: 'skip', reason: 'one of many' })
      }
      await answered(view)
      guard.bad = () => false
      await view.letters.request('retry-all')
      await answered(view)
      expect((await view.letters.skips()).length).toBe(20)
      expect([await listed(projected), Math.max(...read), read.length]).toEqual([[], 1, 40])
    })

    test('where there is no room the shard stops with a code, drops nothing, and goes on when there is', async () => {
      const guard: Guard = { bad: to => to === 'full' }
      const projected = received(guard)
      const from = await give(given('healthy'))
      const projector = await start(projected, { maxParkedEvents: 3 })
      await caughtUp(projector)
      await give(...Array.from({ length: 5 }, () => [given('full'), given('healthy')]).flat())
      const stopped = await statusWhere(projector, ({ failure }) => failure?.code === 'project/dead-letters-full')
      expect(stopped).toMatchObject({ state: 'stopped', parkedKeys: 1 })
      // Whoever appends does not notice.
      await give(given('healthy'))
      // Everything before the first event that has no room is in the view.
      const status = await statusWhere(projector, ({ position }) => position === from + 6)
      expect(status.behind).toBe(5)
      expect(await listed(projected)).toMatchObject([{ events: 3 }])
      guard.bad = () => false
      const view = await viewOf(projected)
      await view.letters.request('retry-all')
      await answered(view)
      const recovered = await caughtUp(projector)
      expect(recovered.failure).toBeUndefined()
      await expectWhole(projected, ['full', 'healthy'])
    })

    test('a key that throws stops the shard with a code, and parked keys are carried on nevertheless', async () => {
      const guard: Guard = { bad: to => to === 'stuck' }
      let isBroken = false
      const projected = received(guard)
      const keyed: Received = {
        ...projected,
        key: {
          Given: (e: { data: { to: string[] } }) => {
            if (isBroken && e.data.to.includes('nobody')) throw new RangeError('a-secret')
            return e.data.to
          },
        },
      }
      const projector = await start(keyed)
      await give(given('stuck'), given('fine'))
      await caughtUp(projector)
      isBroken = true
      const position = await give(given('nobody'))
      const stopped = await statusWhere(projector, ({ state }) => state === 'stopped')
      expect(stopped).toMatchObject({
        position: position - 1,
        failure: { code: 'project/key-failed', event: { position, type: 'Given' } },
      })
      expect(stopped.failure?.message).not.toContain('a-secret')
      guard.bad = () => false
      const view = await viewOf(projected)
      await view.letters.request('retry-all')
      await answered(view)
      expect(await listed(projected)).toEqual([])
      isBroken = false
      await caughtUp(projector)
      await expectWhole(projected, ['stuck', 'fine'])
    })

    /** A store of a process that dies at a commit: nothing of it ever goes on. */
    function dying(diesAt: (commit: ViewCommit) => 'before' | 'after' | undefined) {
      let died = (): void => undefined
      const death = new Promise<void>(resolve => {
        died = resolve
      })
      let isDead = false
      const never = new Promise<never>(() => undefined)
      const store: ViewStore = {
        ...its.tested.store,
        // A dead process renews no lease.
        beat: beat => (isDead ? never : its.tested.store.beat(beat)),
        open: async shape => {
          const view = await its.tested.store.open(shape)
          const commit: View['commit'] = async change => {
            if (isDead) return never
            const moment = diesAt(change)
            if (moment === undefined) return view.commit(change)
            isDead = true
            if (moment === 'after') await view.commit(change)
            died()
            return never
          }
          return { ...view, commit }
        },
      }
      return { store, death }
    }

    for (const moment of ['before', 'after'] as const) {
      test(`a process that dies ${moment} it parks a key, and another takes over`, async () => {
        const victim = `dying-${moment}`
        const guard: Guard = { bad: to => to === victim }
        const projected = received(guard)
        await give(given(victim), given('living'), given(victim))
        const { store, death } = dying(({ parking }) => (parking === undefined ? undefined : moment))
        // Never stopped: it waits for its commit for ever, as a dead one does.
        const dead = await start(projected, { leaseMs: 200 }, store)
        its.abandon(dead)
        await death
        const projector = await start(projected, { leaseMs: 200 }, its.tested.other)
        await caughtUp(projector)
        expect(await listed(projected)).toMatchObject([{ ...key(victim), events: 2 }])
        guard.bad = () => false
        const view = await viewOf(projected)
        await view.letters.request('retry-all')
        await answered(view)
        expect(await listed(projected)).toEqual([])
        await expectWhole(projected, [victim, 'living'])
      })

      for (const action of ['retry', 'skip'] as const) {
        test(`a process that dies ${moment} a part of a ${action}, and another finishes it`, async () => {
          const half = `half-${moment}-${action}`
          const guard: Guard = { bad: to => to === half }
          const projected = received(guard)
          for (let n = 0; n < 3; n++) await give(...Array.from({ length: 400 }, () => given(half, 'other')))
          let parts = 0
          const { store, death } = dying(({ parking }) =>
            (parking?.drained.length ?? 0) > 0 && ++parts === 2 ? moment : undefined,
          )
          const dead = await start(projected, { leaseMs: 200 }, store)
          its.abandon(dead)
          await caughtUp(dead)
          guard.bad = () => false
          const view = await viewOf(projected)
          const { position } = (await view.letters.find(key(half))) ?? { position: 0 }
          const request = { ...key(half), position }
          await view.letters.request(
            action === 'skip' ? { ...request, action, reason: 'not this one' } : { ...request, action },
          )
          await death
          const left = await view.letters.positions(key(half), 0, 5000)
          expect(left.length).toBe(moment === 'before' ? 700 : 200)
          await give(given(half, 'other'))
          const projector = await start(projected, { leaseMs: 200 }, its.tested.other)
          await answered(view)
          expect(await caughtUp(projector)).not.toHaveProperty('parkedKeys')
          const skipped = await view.letters.skips()
          expect(skipped.map(skip => skip.position)).toEqual(action === 'skip' ? [position] : [])
          await expectWhole(projected, ['other'])
          const all: number[] = []
          for (let at = origin; ; ) {
            const page = await its.log.read(at)
            for (const e of page.events) if ((e.data as { to: string[] }).to.includes(half)) all.push(e.position)
            at = page.through
            if (page.atHead) break
          }
          const seen = all.filter(one => action === 'retry' || one !== position)
          const [row] = await docs(projected, [half])
          expect(JSON.parse(row ?? '')).toEqual({ sum: seen.length, seen: seen.slice(-2000) })
        }, 60_000)
      }
    }
  })
}
