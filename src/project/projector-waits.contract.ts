import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createLog, defaultTenant, type EventLog } from '../log/index.ts'
import { defaultRebuildLimits } from './limits.ts'
import { PersonEvents, parcels, post, sentBy } from './parcels.contract.ts'
import type { ProjectorUnderTest } from './projector.contract.ts'
import { type Projector, startProjector } from './projector.ts'
import type { ProjectionStatus } from './status.ts'

/** What every log and store must let a projector say of a view that waits for another one. */
export function projectorWaitsContract(name: string, make: () => Promise<ProjectorUnderTest>): void {
  describe(`views that wait for each other: ${name}`, () => {
    let tested: ProjectorUnderTest
    let log: EventLog
    let projector: Projector
    beforeEach(async () => {
      tested = await make()
      log = await createLog(tested.log, { eventTypes: post(parcels()).eventTypes })
    })
    afterEach(async () => {
      await projector.stop()
      await log.close()
      await tested.close()
    })

    test.each([
      ['follows', 20_000],
      ['is to be loaded', 1],
    ])('one that %s, and waits for the view that its rows are made with, says which', async (_, minEvents) => {
      const projected = parcels()
      const { People, Parcels } = projected
      const start = (): Promise<Projector> => {
        const rebuild = { ...defaultRebuildLimits, minEvents }
        return startProjector({ app: post(projected), log, store: tested.store, rebuild })
      }
      const statusWhere = async (is: (status: ProjectionStatus) => boolean): Promise<ProjectionStatus> => {
        for (;;) {
          const status = (await projector.status()).find(({ projection }) => projection === Parcels.name)
          if (status !== undefined && is(status)) return status
          await new Promise(resolve => setTimeout(resolve, 5))
        }
      }
      if (minEvents > 1) {
        projector = await start()
        await statusWhere(({ state }) => state === 'live')
      }
      await tested.store.pause(People.name)
      for (const [category, event] of [
        ['person', PersonEvents.PersonNamed({ name: 'waited for' })],
        ['parcel', sentBy('a', null, 'depot')],
      ] as const) {
        await log.append({ stream: { tenant: defaultTenant, category, id: 'a' }, expected: 'any', events: [event] })
      }
      if (minEvents === 1) projector = await start()
      const waiting = await statusWhere(({ failure }) => failure !== undefined)
      expect(waiting).toMatchObject({ state: 'catching-up', failure: { code: 'project/waits-for-view' } })
      expect(waiting.failure?.message).toContain(`"${People.name}"`)
      expect(await projector.failureOf(Parcels.name)).toBe('project/waits-for-view')
      await tested.store.resume(People.name)
      expect((await statusWhere(({ state }) => state === 'live')).failure).toBeUndefined()
    })
  })
}
