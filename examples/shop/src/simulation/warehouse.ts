import { Order } from '../domain/order.ts'
import { orderQueue } from '../views/order-summaries.ts'
import type { Action } from './actions.ts'
import { simulated } from './customers.ts'
import { remember } from './world.ts'

/** How long a paid order is packed, and how long a shipped one is on its way: time to watch it, or to cancel it. */
const packingMs = 6_000
const travellingMs = 8_000

/**
 * Ships whatever is paid, whoever ordered it. The queue is a view, and may still show an order that was shipped a
 * moment ago: the command id makes a second time the same as the first.
 */
export const ship: Action = async ({ world, now, system }) => {
  if (world.toShip.length === 0) {
    const { rows } = (await system.query(orderQueue, { status: 'paid', limit: 100 })).value
    for (const { orderId, paidAt } of rows) if (olderThan(packingMs, paidAt, now())) remember(world.toShip, orderId)
  }
  const orderId = world.toShip.shift()
  if (orderId !== undefined) await system.dispatch(Order, orderId, 'ShipOrder', {}, { commandId: `ship:${orderId}` })
}

export const deliver: Action = async ({ world, now, system }) => {
  if (world.toDeliver.length === 0) {
    const { rows } = (await system.query(orderQueue, { status: 'shipped', limit: 100 })).value
    for (const { orderId, shippedAt } of rows)
      if (olderThan(travellingMs, shippedAt, now())) remember(world.toDeliver, orderId)
  }
  const orderId = world.toDeliver.shift()
  if (orderId === undefined) return
  const { repeated } = await system.dispatch(Order, orderId, 'DeliverOrder', {}, { commandId: `deliver:${orderId}` })
  if (!repeated && orderId.startsWith(simulated)) remember(world.unreviewed, orderId)
}

function olderThan(ageMs: number, moment: string | null, now: number): boolean {
  return moment !== null && now - Date.parse(moment) > ageMs
}
