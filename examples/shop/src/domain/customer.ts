import { aggregate, events } from 'bifold'
import { z } from 'zod'
import { Moment, momentOf } from './values.ts'

// Types

const Address = z.object({ postalCode: z.string().max(16), city: z.string().max(100), state: z.string().max(32) })
const Name = z.string().min(1).max(100)

// Events

export const CustomerEvents = events('customer', {
  CustomerRegistered: z.object({ name: Name, address: Address.optional(), at: Moment }),
})

// State and evolve: no later decision needs to know anything of a customer

type CustomerState = { readonly registered: boolean }

const initial = (): CustomerState => ({ registered: false })

// Decisions and wiring

/** `stream: 'new'` is the whole rule: nobody registers twice. */
export const Customer = aggregate(CustomerEvents, {
  initial,
  evolve: {
    CustomerRegistered: () => ({ registered: true }),
  },
  commands: {
    RegisterCustomer: {
      stream: 'new',
      input: z.object({ name: Name, address: Address.optional(), at: Moment.optional() }),
      decide: (_, { at, ...customer }, context) => [
        CustomerEvents.CustomerRegistered({ ...customer, at: momentOf(at, context) }),
      ],
    },
  },
})
