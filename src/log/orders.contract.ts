import { z } from 'zod'
import { type AnyEvents, event, events } from '../define/index.ts'
import type { AppendRequest, StreamKey } from './log.ts'

/** What the contract of the log appends. */

export const Orders = events('order', {
  OrderPlaced: z.object({ text: z.string() }),
  OrderPaid: event(z.unknown(), { tags: () => ['paid', 'a "quoted" \\ {tag}, NULL', 'é'] }),
  OrderSent: z.object({}),
})
export const Notes = events('note', { NoteTaken: z.unknown() })
export const contracts: readonly AnyEvents[] = [Orders, Notes]

export const placed = (text: string) => Orders.OrderPlaced({ text })
export const stream = (id: string): StreamKey => ({ tenant: 'default', category: 'order', id })

/** An append of one event to the stream `id`. */
export const place1 = (id: string, text = id): AppendRequest => ({
  stream: stream(id),
  expected: 'any',
  events: [placed(text)],
})
