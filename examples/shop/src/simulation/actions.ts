import type { System } from 'bifold'
import type { Random } from './chance.ts'
import { breakARule, cancel, pay, placeOrder, register, reprice, review } from './customers.ts'
import { deliver, ship } from './warehouse.ts'
import type { World } from './world.ts'

/** Something that somebody does: at most one command, and the queries that lead to it and follow it. */
export type Action = (place: {
  readonly world: World
  readonly random: Random
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly system: Pick<System, 'dispatch' | 'query'>
}) => Promise<void>

/** More hands in the warehouse than there are orders: nothing piles up, and at times there is nothing to do. */
export const actions: readonly { readonly weight: number; readonly act: Action }[] = [
  { weight: 18, act: placeOrder },
  { weight: 19, act: pay },
  { weight: 22, act: ship },
  { weight: 22, act: deliver },
  { weight: 12, act: review },
  { weight: 3, act: register },
  { weight: 2, act: cancel },
  { weight: 1, act: reprice },
  { weight: 2, act: breakARule },
]
