import { projection, query } from 'bifold'
import { z } from 'zod'
import { OrderEvents } from '../domain/order.ts'
import { dayOf } from '../domain/values.ts'

const Day = z.iso.date()

const DayRevenue = z.object({ day: Day, orders: z.int(), revenue: z.int(), refunds: z.int() })

/** What came in on each day, by the day of the payment, and what went back, by the day of the cancellation. */
export const RevenuePerDay = projection('revenue-per-day', {
  from: [OrderEvents],
  state: DayRevenue,
  key: {
    OrderPaid: ({ data }) => dayOf(data.at),
    OrderCancelled: ({ data }) => (data.refund === 0 ? null : dayOf(data.at)),
  },
  on: {
    OrderPaid: (row, { data }, day) => ({
      ...(row ?? empty(day)),
      orders: (row?.orders ?? 0) + 1,
      revenue: (row?.revenue ?? 0) + data.total,
    }),
    OrderCancelled: (row, { data }, day) => ({
      ...(row ?? empty(day)),
      refunds: (row?.refunds ?? 0) + data.refund,
    }),
  },
  indexes: [['day']],
})

const empty = (day: string) => ({ day, orders: 0, revenue: 0, refunds: 0 })

/** The days from `from` to `to` inclusive, the newest first. */
export const revenuePerDay = query('revenue-per-day', {
  from: RevenuePerDay,
  input: z.object({
    from: Day.optional(),
    to: Day.optional(),
    limit: z.int().min(1).max(1000).optional(),
    cursor: z.string().optional(),
  }),
  list: ({ from, to, ...page }) => ({
    index: ['day'],
    where: { day: { ...(from && { gte: from }), ...(to && { lte: to }) } },
    order: 'desc',
    ...page,
  }),
})
