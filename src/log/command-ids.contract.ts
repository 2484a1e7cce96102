import { describe, expect, test } from 'vitest'
import type { AppendRequest, EventLog } from './log.ts'
import { appended, place1, placed, stream } from './orders.contract.ts'

/** What every log must do with what is appended under a command id. `openLog` opens one more on the place of the test. */
export function commandIdsContract(openLog: () => Promise<EventLog>): void {
  describe('a command id', () => {
    const command = { name: 'order/Place', id: 'c-1', hash: 'h1' }
    const request: AppendRequest = { stream: stream('a'), expected: 0, events: [placed('1'), placed('2')], command }

    test('is carried out once, with the same outcome ever after', async () => {
      const log = await openLog()
      await log.append(place1('before'))
      const first = await appended(log, request)
      expect(first[0]?.metadata.commandId).toBe('c-1')
      await log.append({ stream: stream('a'), expected: 2, events: [placed('3')] })
      const other = await openLog()
      for (const again of [log, other]) {
        const outcome = await again.append({ ...request, expected: 'any' })
        expect(outcome).toMatchObject({
          kind: 'repeated',
          outcome: { hash: 'h1', version: 2, head: { position: 3, fingerprint: first[1]?.id.slice(-12) } },
        })
        expect(outcome.kind === 'repeated' && outcome.outcome.events).toEqual(first)
      }
      expect((await other.outcomeOf('default', command))?.events).toEqual(first)
      expect(await log.versionOf(stream('a'))).toBe(3)
    })

    test('is carried out once when it comes twice in one batch', async () => {
      const log = await openLog()
      const outcomes = await Promise.all([
        log.append({ ...request, expected: 1 }),
        log.append(request),
        log.append({ ...request, expected: 'any' }),
        log.append({ ...request, stream: stream('b') }),
      ])
      expect(outcomes.map(o => o.kind)).toEqual(['conflict', 'appended', 'repeated', 'repeated'])
      expect((await log.head()).position).toBe(2)
    })

    test('is another one under another tenant or name', async () => {
      const log = await openLog()
      await appended(log, request)
      await appended(log, { ...request, expected: 'any', command: { ...command, name: 'order/Pay' } })
      await appended(log, { ...request, stream: { ...stream('a'), tenant: 'other' } })
    })

    test('that met a conflict is still free', async () => {
      const log = await openLog()
      expect((await log.append({ ...request, expected: 5 })).kind).toBe('conflict')
      expect(await log.outcomeOf('default', command)).toBeUndefined()
      await appended(log, request)
    })

    test('is remembered where nothing was to be done', async () => {
      const log = await openLog()
      await appended(log, place1('a'))
      const nothing: AppendRequest = { stream: stream('a'), expected: 1, events: [], command }
      expect(await log.append(nothing)).toMatchObject({ kind: 'appended', events: [], version: 1 })
      await log.append(place1('a'))
      const head = { position: 1 }
      expect(await log.append(nothing)).toMatchObject({ kind: 'repeated', outcome: { events: [], version: 1, head } })
      expect(await log.append({ ...nothing, command: { ...command, id: 'c-2' } })).toEqual({
        kind: 'conflict',
        version: 2,
      })
    })

    test('that changed nothing is judged by what another process appended meanwhile', async () => {
      const [one, two] = [await openLog(), await openLog()]
      const nothing = (expected: number): AppendRequest => ({ stream: stream('a'), expected, events: [], command })
      await appended(two, place1('a'))
      expect(await one.append(nothing(0))).toEqual({ kind: 'conflict', version: 1 })
      await appended(one, { ...place1('a'), expected: 1 })
      await appended(two, { ...place1('a'), expected: 2 })
      expect(await one.append(nothing(2))).toEqual({ kind: 'conflict', version: 3 })
      expect(await one.outcomeOf('default', command)).toBeUndefined()
    })
  })
}
