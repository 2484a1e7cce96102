import { query, rollup } from 'bifold'
import { z } from 'zod'
import { OrderSummaries } from './order-summaries.ts'

const Day = z.iso.date()

/** How many orders stand where. */
export const ordersPerStatus = query('orders-per-status', {
  from: rollup(OrderSummaries, 'perStatus'),
  input: z.object({}),
  list: () => ({ index: ['group'] }),
})

const days = z.object({
  from: Day.optional(),
  to: Day.optional(),
  limit: z.int().min(1).max(1000).optional(),
  cursor: z.string().optional(),
})

/** What was paid on the days from `from` to `to` inclusive, the newest first. */
export const revenuePerDay = query('revenue-per-day', {
  from: rollup(OrderSummaries, 'paidPerDay'),
  input: days,
  list: ({ from, to, ...page }) => ({
    index: ['group'],
    where: { group: { gte: from, lte: to } },
    order: 'desc',
    ...page,
  }),
})

/** What was given back on the days from `from` to `to` inclusive, the newest first. */
export const refundsPerDay = query('refunds-per-day', {
  from: rollup(OrderSummaries, 'refundedPerDay'),
  input: days,
  list: ({ from, to, ...page }) => ({
    index: ['group'],
    where: { group: { gte: from, lte: to } },
    order: 'desc',
    ...page,
  }),
})
