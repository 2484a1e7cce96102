import { createDispatcher } from 'bifold/command'
import { createLog, type LogStorage, memoryLogStorage, origin, systemRuntime } from 'bifold/log'
import { beforeAll, describe, expect, test } from 'vitest'
import { shop } from '../src/app.ts'
import { readInput } from './files.ts'
import { madeUpFolder } from './made-up-files.ts'
import { type Plan, planOf } from './plan.ts'
import { sendAll, type Tally } from './send.ts'

let plan: Plan

beforeAll(async () => {
  const folder = await madeUpFolder()
  plan = planOf(await readInput(folder.path))
  await folder.remove()
})

async function importInto(storage: LogStorage, commands = plan.commands) {
  const log = await createLog(storage, { eventTypes: shop.eventTypes })
  const dispatcher = createDispatcher({ app: shop, log, runtime: systemRuntime })
  const progress: number[] = []
  const tally = await sendAll({
    commands,
    dispatch: dispatcher.dispatch,
    log,
    onProgress: ({ handled }: Tally) => progress.push(handled),
  })
  const { events } = await log.read(origin)
  await dispatcher.close()
  return { tally, events, progress }
}

const rejected = {
  'command/stream-exists': 1,
  'order-not-paid': 1,
  'order-not-shipped': 1,
  'order-not-delivered': 1,
  'order-already-reviewed': 1,
}

describe('sending the plan', () => {
  test('commands are accepted, or rejected by a rule, and each is counted', async () => {
    const { tally, events, progress } = await importInto(memoryLogStorage())
    expect({ ...tally, rejected: Object.fromEntries(tally.rejected) }).toEqual({
      handled: 19,
      accepted: 14,
      repeated: 0,
      refusedBefore: 0,
      rejected,
    })
    expect(events).toHaveLength(14)
    expect(progress).toEqual(progress.map((_, index) => index + 1))
  })

  test('the log has the order of the plan', async () => {
    const { events } = await importInto(memoryLogStorage())
    const ids = events.map(event => event.metadata.commandId)
    expect(ids).toEqual(plan.commands.map(command => command.commandId).filter(id => ids.includes(id)))
  })

  test('a second import changes nothing, though what came too early would be accepted now', async () => {
    const storage = memoryLogStorage()
    const first = await importInto(storage)
    const { tally, events } = await importInto(storage)
    expect(events).toEqual(first.events)
    // The order that was shipped before it was paid is not shipped now. What stands behind a stream's last event is sent
    // once more, and refused again: nothing has happened to the stream since.
    expect({ ...tally, rejected: Object.fromEntries(tally.rejected) }).toEqual({
      handled: 19,
      accepted: 0,
      repeated: 14,
      refusedBefore: 1,
      rejected: { ...rejected, 'order-not-paid': undefined },
    })
  })

  test('a second import goes by what is in the log, whether or not the command ids are remembered', async () => {
    const storage = memoryLogStorage()
    const first = await importInto(storage)
    const forgetful: LogStorage = { ...storage, outcomeOf: async () => undefined }
    const { tally, events } = await importInto(forgetful)
    expect(events).toEqual(first.events)
    expect(tally).toMatchObject({ accepted: 0, repeated: 14 })
  })

  test('wherever an import was cut off, the next one completes it to the same events', async () => {
    const whole = (await importInto(memoryLogStorage())).events
    for (let cut = 1; cut < plan.commands.length; cut++) {
      const storage = memoryLogStorage()
      await importInto(storage, plan.commands.slice(0, cut))
      const { events } = await importInto(storage)
      expect(events.map(({ type, streamId, data }) => ({ type, streamId, data }))).toEqual(
        whole.map(({ type, streamId, data }) => ({ type, streamId, data })),
      )
    }
  })

  test('a log that fails ends the import with its error', async () => {
    const storage = memoryLogStorage()
    let batches = 0
    const failing: LogStorage = {
      ...storage,
      appendBatch: async (batch, known) => {
        if (++batches > 1) throw new Error('the disk is full')
        return storage.appendBatch(batch, known)
      },
    }
    await expect(importInto(failing)).rejects.toThrow('the disk is full')
  })
})
