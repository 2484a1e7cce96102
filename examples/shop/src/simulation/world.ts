/** What the simulated people remember. Every list is bounded: what does not fit is forgotten. */
export interface World {
  readonly customers: string[]
  readonly unpaid: OpenOrder[]
  readonly unreviewed: string[]
  /** Orders that were seen in the queue view and wait for their turn. */
  readonly toShip: string[]
  readonly toDeliver: string[]
}

export interface OpenOrder {
  readonly orderId: string
  readonly total: number
}

const maxRemembered = 500

export function emptyWorld(): World {
  return { customers: [], unpaid: [], unreviewed: [], toShip: [], toDeliver: [] }
}

export function remember<T>(list: T[], item: T): void {
  if (list.length < maxRemembered) list.push(item)
}
