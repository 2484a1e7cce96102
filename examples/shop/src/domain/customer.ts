import { aggregate, events, reject } from 'bifold'
import { z } from 'zod'
import { Moment, momentOf } from './values.ts'

// Types

const Address = z.object({ postalCode: z.string().max(16), city: z.string().max(100), state: z.string().max(32) })
const Name = z.string().min(1).max(100)

// Events

export const CustomerEvents = events('customer', {
  CustomerRegistered: z.object({ name: Name, address: Address.optional(), at: Moment }),
  CustomerRenamed: z.object({ name: Name, at: Moment }),
})

// State and evolve

type CustomerState = { readonly name: string | null }

const initial = (): CustomerState => ({ name: null })

// Decisions and wiring

/** Nobody registers twice (`stream: 'new'`), and only who is registered takes another name. */
export const Customer = aggregate(CustomerEvents, {
  initial,
  evolve: {
    CustomerRegistered: (_, { data }) => ({ name: data.name }),
    CustomerRenamed: (_, { data }) => ({ name: data.name }),
  },
  commands: {
    RegisterCustomer: {
      stream: 'new',
      input: z.object({ name: Name, address: Address.optional(), at: Moment.optional() }),
      decide: (_, { at, ...customer }, context) => [
        CustomerEvents.CustomerRegistered({ ...customer, at: momentOf(at, context) }),
      ],
    },
    RenameCustomer: {
      input: z.object({ name: Name, at: Moment.optional() }),
      decide: (customer, { name, at }, context) => {
        if (customer.name === null) return reject('customer-not-registered', 'There is no such customer')
        return customer.name === name ? [] : [CustomerEvents.CustomerRenamed({ name, at: momentOf(at, context) })]
      },
    },
  },
})
