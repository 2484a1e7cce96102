import { describe, expect, test } from 'vitest'
import { sentBy } from './parcels.contract.ts'
import { parcelsUnderTest } from './parcels-under-test.contract.ts'
import type { Projector } from './projector.ts'
import { type ProjectorUnderTest, statusWhere } from './projector-under-test.contract.ts'
import type { ProjectionStatus } from './status.ts'

/** What every log and store must let a projector say of a view that waits for another one. */
export function projectorWaitsContract(name: string, make: () => Promise<ProjectorUnderTest>): void {
  describe(`views that wait for each other: ${name}`, () => {
    const its = parcelsUnderTest(make, {})

    test.each([
      ['follows', 20_000],
      ['is to be loaded', 1],
    ])('one that %s, and waits for the view that its rows are made with, says which', async (_, minEvents) => {
      const projected = its.parcels()
      const { People, Parcels } = projected
      const start = (): Promise<Projector> => its.start(projected, { rebuild: { minEvents } })
      const saying = (projector: Projector, is: (status: ProjectionStatus) => boolean): Promise<ProjectionStatus> =>
        statusWhere(projector, status => status.projection === Parcels.name && is(status))
      const following = minEvents > 1 ? await start() : undefined
      if (following !== undefined) await saying(following, ({ state }) => state === 'live')
      await its.tested.store.pause(People.name)
      await its.named('a', 'waited for')
      await its.append('parcel', 'a', sentBy('a', null, 'depot'))
      const projector = following ?? (await start())
      const waiting = await saying(projector, ({ failure }) => failure !== undefined)
      expect(waiting).toMatchObject({ state: 'catching-up', failure: { code: 'project/waits-for-view' } })
      expect(waiting.failure?.message).toContain(`"${People.name}"`)
      expect(await projector.failureOf(Parcels.name)).toBe('project/waits-for-view')
      await its.tested.store.resume(People.name)
      expect((await saying(projector, ({ state }) => state === 'live')).failure).toBeUndefined()
    })
  })
}
