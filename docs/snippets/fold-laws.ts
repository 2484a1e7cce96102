import { events, projection } from 'bifold'
import { foldLaws } from 'bifold/testing'
import { z } from 'zod'

const OrderEvents = events('order', {
  OrderPlaced: z.object({ customer: z.string(), total: z.int() }),
  OrderCancelled: z.object({ customer: z.string(), total: z.int() }),
})

const Spending = projection('spending', {
  from: [OrderEvents],
  key: { OrderPlaced: ({ data }) => data.customer, OrderCancelled: ({ data }) => data.customer },
  state: z.object({ total: z.int() }),
  on: {
    OrderPlaced: (row, { data }) => ({ total: (row?.total ?? 0) + data.total }),
    OrderCancelled: (row, { data }) =>
      row === null || row.total === data.total ? null : { total: row.total - data.total },
  },
})

// In any test runner: it resolves, or rejects with the seed that shows what is wrong.
await foldLaws(Spending, {
  events: [
    { stream: 'o-1', event: OrderEvents.OrderPlaced({ customer: 'ana', total: 40 }) },
    { stream: 'o-2', event: OrderEvents.OrderPlaced({ customer: 'bo', total: 10 }) },
    { stream: 'o-3', event: OrderEvents.OrderPlaced({ customer: 'ana', total: 2 }) },
    { stream: 'o-2', event: OrderEvents.OrderCancelled({ customer: 'bo', total: 10 }) },
  ],
})
