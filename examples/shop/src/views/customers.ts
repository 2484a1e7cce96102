import { projection, query } from 'bifold'
import { z } from 'zod'
import { CustomerEvents } from '../domain/customer.ts'
import { Id, Moment } from '../domain/values.ts'

/** Who buys here: a row for each customer. */
export const Customers = projection('customers', {
  from: [CustomerEvents],
  state: z.object({ customerId: Id, name: z.string(), city: z.string().nullable(), registeredAt: Moment }),
  on: {
    CustomerRegistered: (_, { streamId, data }) => ({
      customerId: streamId,
      name: data.name,
      city: data.address?.city ?? null,
      registeredAt: data.at,
    }),
    CustomerRenamed: (customer, { data }) => customer && { ...customer, name: data.name },
  },
})

export const customer = query('customer', {
  from: Customers,
  input: z.object({ customerId: Id }),
  get: ({ customerId }) => customerId,
})
