import { app, run, type System } from 'bifold'
import { systemRuntime } from 'bifold/log'
import { inMemory } from 'bifold/stores/memory'
import { expect, test } from 'vitest'
import { Order, OrderSummaries } from './types/orders.ts'

test('a projection that is stopped while it gives way to others stops', async () => {
  let closing: Promise<void> | undefined
  let started: (system: System) => void
  const system = new Promise<System>(resolve => {
    started = resolve
  })
  // The projection gives way before it waits for events: exactly then it is told to stop.
  const turn = async (): Promise<void> => {
    const running = await system
    closing ??= running.close()
    await systemRuntime.turn()
  }
  const shop = app('shop', { aggregates: [Order], projections: [OrderSummaries] })
  started!(await run(shop, { on: inMemory(), runtime: { ...systemRuntime, turn } }))
  await system
  while (closing === undefined) await systemRuntime.turn()
  expect(await closing).toBeUndefined()
}, 10_000)
