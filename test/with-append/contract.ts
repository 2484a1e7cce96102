import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type App, isError, type System } from '../../src/index.ts'
import { createLog, type LogStorage } from '../../src/log/index.ts'
import { type Backend, rowId, type View, viewShapeOf } from '../../src/project/index.ts'
import { type RunOptions, run } from '../../src/run/index.ts'
import { verify } from '../../src/verify/index.ts'
import { Other, Sheet, SheetEvents, sheets, unlucky } from './sheets.ts'

/** One database with a log and views. */
export interface Place {
  /** As one more process reaches it. */
  backend(): Promise<Backend>
  close(): Promise<void>
}

/** What every backend must do for projections that are committed with appends. */
export function withAppendContract(name: string, open: () => Promise<Place>): void {
  describe(`projections committed with appends: ${name}`, () => {
    let place: Place
    let systems: System[]
    beforeEach(async () => {
      place = await open()
      systems = []
    })
    afterEach(async () => {
      await Promise.all(systems.map(system => system.close()))
      await place.close()
    })

    const start = async (app: App, options: Omit<RunOptions, 'on'> = {}): Promise<System> => {
      const system = await run(app, {
        on: place.backend(),
        onWarning: () => undefined,
        ...options,
        projections: { retry: { minDelayMs: 1, maxDelayMs: 20 }, requestPollMs: 20, ...options.projections },
      })
      systems.push(system)
      return system
    }
    const writesOnly = { roles: { commands: true, projections: false, queries: true } } as const
    async function until<T>(look: () => Promise<T | undefined | false>): Promise<T> {
      for (;;) {
        const found = await look()
        if (found !== undefined && found !== false) return found
        await new Promise(resolve => setTimeout(resolve, 5))
      }
    }
    const codeOf = (work: Promise<unknown>): Promise<string> =>
      work.then(
        () => 'accepted',
        error => String(error.code),
      )
    const sumIn = async (system: System, id: string): Promise<number | undefined> =>
      (await system
        .queryText('sheet', { id })
        .then(({ value }) => (JSON.parse(value) as { readonly sum: number } | null)?.sum)) ?? undefined
    const added = (n: number) => SheetEvents.Added({ n })
    /** Appends as a release does that does not know the projection. */
    const appendOutside = async (id: string, ...events: ReturnType<(typeof SheetEvents)['Added' | 'Spoilt']>[]) => {
      const log = await createLog((await place.backend()).log, { eventTypes: sheets().app.eventTypes })
      const stream = { tenant: 'default', category: 'sheet', id }
      const outcome = await log.append({ stream, expected: 'any', events })
      if (outcome.kind !== 'appended') throw new Error(outcome.kind)
      return outcome.head.position
    }
    const expectRight = async (system: System, projection: ReturnType<typeof sheets>['Sheets']) => {
      await system.drain()
      expect(await verify(system, projection)).toMatchObject({ equal: true })
    }

    describe('an accepted command', () => {
      test('is in its row and in the sums when it is answered, for every process, without a token', async () => {
        const { app, sheet, total } = sheets()
        const [one, other] = [await start(app), await start(app, { roles: { commands: false, projections: false } })]
        for (let n = 1; n <= 20; n++) {
          const { position, events } = await one.dispatch(Sheet, 'a', 'AddTwice', { n: 1 })
          for (const system of [one, other]) {
            const { value, asOf } = await system.query(sheet, { id: 'a' })
            expect(value).toEqual({ sum: 2 * n, position, recordedAt: events[1]?.recordedAt })
            expect(asOf).toBe(position)
            const totals = await system.query(total, { sign: 'positive' })
            expect(totals.value).toEqual({ group: 'positive', sheets: 1, total: 2 * n })
          }
        }
        await one.dispatch(Sheet, 'a', 'Clear', {})
        expect(await sumIn(other, 'a')).toBeUndefined()
        await expectRight(one, sheets().Sheets)
      })

      test('shares its transaction with others: each sees its own event, whatever went with it', async () => {
        const { app, sheet, Sheets } = sheets()
        const system = await start(app)
        await system.dispatch(Other, 'first', 'Happen', {})
        const seen = await Promise.all(
          Array.from({ length: 300 }, async (_, n) => {
            const id = `s-${n % 40}`
            if (n % 3 === 0) await system.dispatch(Other, `o-${n}`, 'Happen', {})
            const { position } = await system.dispatch(Sheet, id, 'Add', { n: 1 })
            return (await system.query(sheet, { id })).asOf >= position
          }),
        )
        expect(seen.filter(right => !right)).toEqual([])
        await expectRight(system, Sheets)
      })

      test('is passed over by the projector, which goes on holding the shard as it took it', async () => {
        const { app, Sheets } = sheets()
        const system = await start(app)
        await system.dispatch(Sheet, 'a', 'Add', { n: 1 })
        await system.drain()
        const view = await system.views.open(viewShapeOf(Sheets))
        const { epoch } = await view.checkpoint(0)
        for (let n = 0; n < 50; n++) await system.dispatch(Sheet, 'a', 'Add', { n: 1 })
        await system.drain()
        expect((await view.checkpoint(0)).epoch).toBe(epoch)
      })

      test('is carried out once under its id, and folded once', async () => {
        const { app } = sheets()
        const [one, other] = [await start(app), await start(app, writesOnly)]
        const again = { commandId: 'c-1' }
        await one.dispatch(Sheet, 'a', 'Add', { n: 5 }, again)
        expect((await other.dispatch(Sheet, 'a', 'Add', { n: 5 }, again)).repeated).toBe(true)
        expect(await sumIn(one, 'a')).toBe(5)
      })

      test('of a process that does nothing but take commands is in the view as well', async () => {
        const { app } = sheets()
        const writer = await start(app, { roles: { commands: true, projections: false, queries: false } })
        const reader = await start(app, { roles: { commands: false, projections: false, queries: true } })
        await writer.dispatch(Sheet, 'a', 'Add', { n: 3 })
        expect(await sumIn(reader, 'a')).toBe(3)
      })
    })

    describe('an event that cannot be folded', () => {
      test.each([
        ['fold', 'Spoil', { how: 'fold' }, 'project/fold-failed'],
        ['row', 'Spoil', { how: 'row' }, 'project/invalid-row'],
        ['present', 'Spoil', { how: 'present' }, 'project/present-failed'],
        ['rollup', 'Add', { n: unlucky }, 'project/invalid-rollup'],
      ] as const)('by its %s refuses its command alone, and says nothing of what is stored', async (...given) => {
        const [, command, input, failure] = given
        const { app, Sheets } = sheets()
        const system = await start(app)
        const others = Array.from({ length: 30 }, (_, n) => system.dispatch(Sheet, `s-${n}`, 'Add', { n: 1 }))
        const refused = await system.dispatch(Sheet, 'bad', command, input as never).catch((error: unknown) => error)
        await Promise.all(others)
        if (!isError(refused, 'project/append-refused')) throw refused
        expect(refused.data).toMatchObject({ projection: 'sheets', failure })
        expect(refused.message).not.toMatch(/secret/)
        for (let n = 0; n < 30; n++) expect(await sumIn(system, `s-${n}`)).toBe(1)
        expect(await system.log.versionOf({ tenant: 'default', category: 'sheet', id: 'bad' })).toBe(0)
        expect((await system.log.head()).position).toBe(30)
        expect(await system.deadLetters.list({ projection: Sheets })).toMatchObject([])
        expect((await system.status())[0]).not.toHaveProperty('failure')
        // The stream goes on from where it is.
        await system.dispatch(Sheet, 'bad', 'Add', { n: 7 })
        expect(await sumIn(system, 'bad')).toBe(7)
        await expectRight(system, Sheets)
      })

      test('leaves the id of its command free', async () => {
        const mood = { breaks: true }
        const { app } = sheets({ mood })
        const system = await start(app)
        const once = () => system.dispatch(Sheet, 'a', 'Spoil', { how: 'fold' }, { commandId: 'c-1' })
        expect(await codeOf(once())).toBe('project/append-refused')
        expect(await codeOf(once())).toBe('project/append-refused')
        mood.breaks = false
        expect((await once()).repeated).toBe(false)
        expect(await sumIn(system, 'a')).toBe(0)
      })

      test('takes none of those behind it in its stream along', async () => {
        const { app, Sheets } = sheets()
        const system = await start(app)
        const outcomes = await Promise.all(
          Array.from({ length: 40 }, (_, n) =>
            codeOf(
              n % 4 === 1
                ? system.dispatch(Sheet, 'a', 'Spoil', { how: 'row' })
                : system.dispatch(Sheet, 'a', 'Add', { n: 1 }),
            ),
          ),
        )
        expect(outcomes.filter(code => code === 'project/append-refused')).toHaveLength(10)
        expect(outcomes.filter(code => code === 'accepted')).toHaveLength(30)
        expect(await sumIn(system, 'a')).toBe(30)
        await expectRight(system, Sheets)
      })
    })

    describe('a view that is behind', () => {
      test('is brought to the head by the next append, where that is little', async () => {
        const { app, Sheets } = sheets()
        const system = await start(app, writesOnly)
        await system.dispatch(Sheet, 'a', 'Add', { n: 1 })
        await appendOutside('a', added(10), added(100))
        await appendOutside('b', added(5))
        await system.dispatch(Sheet, 'a', 'Add', { n: 1000 - 111 })
        expect(await sumIn(system, 'a')).toBe(1000)
        expect(await sumIn(system, 'b')).toBe(5)
        await start(app)
        await expectRight(systems[1]!, Sheets)
      })

      test('since one of its events cannot be folded is left to the projector, and no append is refused for that', async () => {
        const mood = { breaks: true }
        const { app, Sheets } = sheets({ mood })
        const writer = await start(app, writesOnly)
        await writer.dispatch(Sheet, 'a', 'Add', { n: 1 })
        await appendOutside('b', SheetEvents.Spoilt({ how: 'row' }))
        for (let n = 0; n < 3; n++) await writer.dispatch(Sheet, 'a', 'Add', { n: 1 })
        expect(await sumIn(writer, 'a')).toBe(1)
        const system = await start(app)
        await until(async () => (await system.deadLetters.list({ projection: Sheets })).length === 1)
        await system.drain()
        expect(await sumIn(writer, 'a')).toBe(4)
        await writer.dispatch(Sheet, 'a', 'Add', { n: 1 })
        expect(await sumIn(writer, 'a')).toBe(5)
      })

      test('by more than the bound is left to the projector, and appends write to it again once it is there', async () => {
        const { app, sheet, Sheets } = sheets()
        const bounds = { projections: { appendGapEvents: 3 } }
        const writer = await start(app, { ...writesOnly, ...bounds })
        await writer.dispatch(Sheet, 'a', 'Add', { n: 1 })
        await appendOutside('b', added(1), added(1), added(1), added(1))
        const { token } = await writer.dispatch(Sheet, 'a', 'Add', { n: 1 })
        expect(await sumIn(writer, 'a')).toBe(1)
        const system = await start(app, bounds)
        expect((await system.query(sheet, { id: 'a' }, { after: token })).value?.sum).toBe(2)
        await writer.dispatch(Sheet, 'a', 'Add', { n: 1 })
        expect(await sumIn(writer, 'a')).toBe(3)
        await expectRight(system, Sheets)
      })

      test('since it is new on a log that has events is built as any, and then written to by appends', async () => {
        const before = sheets({ version: 1 })
        const first = await start(before.app)
        for (let n = 0; n < 30; n++) await first.dispatch(Sheet, `s-${n % 5}`, 'Add', { n: 1 })
        await first.close()
        systems = []
        const { app, sheet, Sheets } = sheets({ version: 2 })
        const system = await start(app)
        await until(async () => (await system.status())[0]?.generation === 2)
        const { position } = await system.dispatch(Sheet, 's-1', 'Add', { n: 1 })
        const { value, asOf } = await system.query(sheet, { id: 's-1' })
        expect([value?.sum, asOf]).toEqual([7, position])
        await expectRight(system, Sheets)
      })

      test('is carried on by projector and appends at once under load, and each event is in it once', async () => {
        const { app, sheet, Sheets } = sheets()
        const system = await start(app, { projections: { emptyMoveMs: 0, minBatchEvents: 3, appendGapEvents: 5 } })
        const outside = async () => {
          for (let n = 0; n < 15; n++)
            await appendOutside(`s-${n % 10}`, ...Array.from({ length: 1 + (n % 9) }, () => added(1)))
        }
        const inside = Array.from({ length: 8 }, async (_, writer) => {
          for (let n = 0; n < 30; n++) {
            await system.dispatch(Sheet, `s-${(n + writer) % 10}`, 'Add', { n: 1 })
            if (n % 3 === 0) await system.dispatch(Other, `o-${writer}`, 'Happen', {})
          }
        })
        await Promise.all([outside(), ...inside])
        await expectRight(system, Sheets)
        const sums = await Promise.all(Array.from({ length: 10 }, (_, n) => system.query(sheet, { id: `s-${n}` })))
        const outsideEvents = Array.from({ length: 15 }, (_, n) => 1 + (n % 9)).reduce((a, b) => a + b)
        expect(sums.reduce((sum, { value }) => sum + (value?.sum ?? 0), 0)).toBe(8 * 30 + outsideEvents)
        const { position } = await system.dispatch(Sheet, 's-1', 'Add', { n: 1 })
        expect((await system.query(sheet, { id: 's-1' })).asOf).toBe(position)
      })
    })

    describe('what operators do', () => {
      test('a paused projection is not written by appends, which go on; resumed, it comes to the head again', async () => {
        const { app, Sheets } = sheets()
        const system = await start(app)
        await system.dispatch(Sheet, 'a', 'Add', { n: 1 })
        await system.pause(Sheets)
        await system.dispatch(Sheet, 'a', 'Add', { n: 1 })
        expect(await codeOf(system.dispatch(Sheet, 'a', 'Spoil', { how: 'row' }))).toBe('accepted')
        expect(await sumIn(system, 'a')).toBe(1)
        await system.dispatch(Sheet, 'b', 'Add', { n: 1 })
        await system.resume(Sheets)
        await system.drain()
        expect(await sumIn(system, 'b')).toBe(1)
        await system.dispatch(Sheet, 'b', 'Add', { n: 1 })
        expect(await sumIn(system, 'b')).toBe(2)
      })

      test('a view that was reset is folded again, and written by appends once it is at the head', async () => {
        const { app, sheet, Sheets } = sheets()
        const system = await start(app)
        for (let n = 0; n < 20; n++) await system.dispatch(Sheet, `s-${n % 3}`, 'Add', { n: 1 })
        const going = Promise.all(
          Array.from({ length: 20 }, (_, n) => system.dispatch(Sheet, `s-${n % 3}`, 'Add', { n: 1 })),
        )
        await system.reset(Sheets)
        await going
        await expectRight(system, Sheets)
        const { position } = await system.dispatch(Sheet, 's-0', 'Add', { n: 1 })
        expect((await system.query(sheet, { id: 's-0' })).asOf).toBe(position)
      })

      test('a generation that is built beside the one that serves is written by appends too, so that a swap is seamless', async () => {
        const { app, sheet, Sheets } = sheets()
        const system = await start(app, { projections: { rebuild: { swap: 'manual' } } })
        for (let n = 0; n < 20; n++) await system.dispatch(Sheet, 'a', 'Add', { n: 1 })
        const next = await system.rebuild(Sheets)
        await until(async () => {
          await system.dispatch(Sheet, 'a', 'Add', { n: 1 })
          const generations = (await system.views.generations('sheets')).map(
            ({ checkpoints }) => checkpoints[0]?.position,
          )
          return generations[0] === generations[1]
        })
        await system.swap(Sheets, next)
        const { position } = await system.dispatch(Sheet, 'a', 'Add', { n: 1 })
        const { asOf } = await system.query(sheet, { id: 'a' })
        expect(asOf).toBe(position)
        await system.swap(Sheets, 1)
        expect((await system.query(sheet, { id: 'a' })).asOf).toBe(position)
        await expectRight(system, Sheets)
      })
    })

    describe('a parked key', () => {
      test('takes the events of appends as dead letters in their transactions, and goes on with them when it is retried', async () => {
        const mood = { breaks: true }
        const { app, sheet, Sheets } = sheets({ mood })
        const system = await start(app)
        await system.dispatch(Sheet, 'a', 'Add', { n: 1 })
        const spoilt = await appendOutside('a', SheetEvents.Spoilt({ how: 'fold' }))
        await until(async () => (await system.deadLetters.list({ projection: Sheets })).length === 1)
        for (let n = 0; n < 3; n++) {
          await system.dispatch(Sheet, 'a', 'Add', { n: 1 })
          const [parked] = await system.deadLetters.list({ projection: Sheets })
          expect(parked).toMatchObject({ key: 'a', position: spoilt, events: 2 + n })
        }
        const { position } = await system.dispatch(Sheet, 'b', 'Add', { n: 1 })
        expect((await system.query(sheet, { id: 'b' })).asOf).toBe(position)
        mood.breaks = false
        // Appends go on meanwhile: the shard's checkpoint has to stand still for a retry.
        let isDone = false
        const going = (async () => {
          while (!isDone) await system.dispatch(Sheet, 'b', 'Add', { n: 0 })
        })()
        await system.deadLetters.retry(Sheets, 'a')
        isDone = true
        await going
        expect(await system.deadLetters.list({ projection: Sheets })).toEqual([])
        expect(await sumIn(system, 'a')).toBe(4)
        await expectRight(system, Sheets)
        await system.dispatch(Sheet, 'a', 'Add', { n: 1 })
        expect(await sumIn(system, 'a')).toBe(5)
      })

      test('for whose events there is no room stops the view and not the appends', async () => {
        const mood = { breaks: true }
        const { app, Sheets } = sheets({ mood })
        const system = await start(app, { projections: { maxParkedEvents: 2 } })
        await system.dispatch(Sheet, 'b', 'Add', { n: 1 })
        await appendOutside('a', SheetEvents.Spoilt({ how: 'fold' }))
        await until(async () => (await system.deadLetters.list({ projection: Sheets })).length === 1)
        for (let n = 0; n < 4; n++) await system.dispatch(Sheet, 'a', 'Add', { n: 1 })
        await until(async () => (await system.status())[0]?.failure?.code === 'project/dead-letters-full')
        mood.breaks = false
        await system.deadLetters.retry(Sheets, 'a')
        await expectRight(system, Sheets)
        await system.dispatch(Sheet, 'a', 'Add', { n: 1 })
        expect(await sumIn(system, 'a')).toBe(5)
      })
    })

    test('nobody writes to a view between what an append reads of it and what it writes', async () => {
      const { app, Sheets } = sheets()
      const backend = await place.backend()
      const shape = viewShapeOf(Sheets)
      const view = await backend.views.open(shape)
      const { epoch } = await view.claim(0)
      const key = { tenant: 'default', key: 'k' }
      const row = (sum: number) => ({ sum, position: 1, recordedAt: '2026-11-28T00:00:00Z' })
      const upsert = (sum: number) => ({
        ...{ ...key, position: 1, row: row(sum), doc: JSON.stringify(row(sum)) },
        state: JSON.stringify({ ...row(sum), how: '' }),
      })
      const sumOf = async ({ load }: Pick<View, 'load'>): Promise<number> => {
        const doc = (await load([key])).get(rowId(key))?.doc
        return doc == null ? 0 : (JSON.parse(doc) as { readonly sum: number }).sum
      }
      /** As a retry of dead letters does: the checkpoint stays. */
      const addOne = async () => {
        const at = await view.checkpoint(0)
        const sum = await sumOf(view)
        return view.commit({ shard: 0, epoch, from: at, to: at, upserts: [upsert(sum + 1)], deletes: [] })
      }
      let other: Promise<string> | undefined
      const log = await createLog(backend.log, {
        eventTypes: app.eventTypes,
        participant: {
          concerns: () => true,
          join: () => ({
            committed: () => undefined,
            failed: () => false,
            within: async ({ client, head }) => {
              const inAppend = view.inAppend!(client)
              const at = await inAppend.hold(1000)
              const sum = await sumOf(inAppend)
              other ??= addOne()
              await new Promise(resolve => setTimeout(resolve, 50))
              const to = { shard: 0, epoch, from: at!, to: head, deletes: [] }
              expect(await inAppend.commit({ ...to, upserts: [upsert(sum + 1)] })).toBe('committed')
            },
          }),
        },
      })
      const stream = { tenant: 'default', category: 'sheet', id: 'k' }
      await log.append({ stream, expected: 0, events: [added(1)] })
      const isIn = (await other) === 'committed'
      expect(await sumOf(view)).toBe(isIn ? 2 : 1)
      await log.close()
      await backend.views.close()
      await backend.close()
    })

    test('appends that concern no such projection go as they do without one', async () => {
      const backend = await place.backend()
      const along: boolean[] = []
      const log: LogStorage = {
        ...backend.log,
        appendBatch: (batch, known, within) => {
          along.push(within !== undefined)
          return backend.log.appendBatch(batch, known, within)
        },
      }
      const system = await run(sheets().app, { on: { ...backend, log } })
      systems.push(system)
      await system.dispatch(Other, 'o', 'Happen', {})
      await system.dispatch(Sheet, 'a', 'Add', { n: 1 })
      expect(along).toEqual([false, true])
    })

    test('a backend whose log and views are not one database refuses them at the start', async () => {
      const { oneDatabase: _, ...apart } = await place.backend()
      expect(await codeOf(run(sheets().app, { on: apart }))).toBe('project/not-one-database')
    })
  })
}
