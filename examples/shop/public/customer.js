import { newId, send } from './api.js'

const idKey = 'shop.customer'
const nameKey = 'shop.name'

/** Who shops here: an id that this browser keeps. */
export const customer = {
  get id() {
    const known = localStorage.getItem(idKey) ?? newId()
    localStorage.setItem(idKey, known)
    return known
  },
  get name() {
    return localStorage.getItem(nameKey) ?? ''
  },
}

/** Registers the customer with the first order. */
export async function introduce(name) {
  if (customer.name === name) return
  try {
    await send('customer', customer.id, 'RegisterCustomer', { name })
  } catch (problem) {
    // Known here already, under another name
    if (problem.code !== 'command/stream-exists') throw problem
    await send('customer', customer.id, 'RenameCustomer', { name })
  }
  localStorage.setItem(nameKey, name)
}
