import { projection, query } from 'bifold'
import { z } from 'zod'
import { OrderEvents, OrderStatus } from '../domain/order.ts'

type Count = { readonly status: z.output<typeof OrderStatus>; readonly orders: number }

const StatusCount = z.object({ status: OrderStatus, orders: z.int() })

/** How many orders stand where. An event touches two rows: the status that the order left, and the one it came to. */
export const OrdersPerStatus = projection('orders-per-status', {
  from: [OrderEvents],
  state: StatusCount,
  key: {
    OrderPlaced: () => 'placed',
    OrderPaid: () => ['placed', 'paid'],
    OrderShipped: () => ['paid', 'shipped'],
    OrderDelivered: () => ['shipped', 'delivered'],
    OrderCancelled: ({ data }) => [data.from, 'cancelled'],
  },
  on: {
    OrderPlaced: row => arrived('placed', row),
    OrderPaid: (row, _, key) => (key === 'paid' ? arrived('paid', row) : left(row)),
    OrderShipped: (row, _, key) => (key === 'shipped' ? arrived('shipped', row) : left(row)),
    OrderDelivered: (row, _, key) => (key === 'delivered' ? arrived('delivered', row) : left(row)),
    OrderCancelled: (row, _, key) => (key === 'cancelled' ? arrived('cancelled', row) : left(row)),
  },
  indexes: [['status']],
})

function arrived(status: Count['status'], row: Count | null): Count {
  return { status, orders: (row?.orders ?? 0) + 1 }
}

function left(row: Count | null): Count | null {
  return row === null || row.orders === 1 ? null : { ...row, orders: row.orders - 1 }
}

export const ordersPerStatus = query('orders-per-status', {
  from: OrdersPerStatus,
  input: z.object({}),
  list: () => ({ index: ['status'] }),
})
