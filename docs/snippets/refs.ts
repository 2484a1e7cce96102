import { events, projection } from 'bifold'
import { z } from 'zod'

const CustomerEvents = events('customer', { CustomerRenamed: z.object({ name: z.string() }) })
const OrderEvents = events('order', { OrderPlaced: z.object({ customerId: z.string(), total: z.int() }) })

export const Customers = projection('customers', {
  from: [CustomerEvents],
  state: z.object({ name: z.string() }),
  on: { CustomerRenamed: (_, { data }) => ({ name: data.name }) },
})

export const Orders = projection('orders', {
  from: [OrderEvents],
  state: z.object({ customerId: z.string(), total: z.int() }),
  on: { OrderPlaced: (_, { data }) => data },
  refs: { customer: { to: Customers, key: order => order.customerId } },
  row: z.object({ customer: z.string(), total: z.int() }),
  present: ({ total }, { customer }) => ({ customer: customer?.name ?? 'unknown', total }),
  indexes: [['customer']],
})
