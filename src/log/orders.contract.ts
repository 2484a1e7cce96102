import { z } from 'zod'
import { type AnyEvents, event, events, type RecordedEvent } from '../define/index.ts'
import { type AppendRequest, type EventLog, origin, type StreamKey } from './log.ts'

/** What the contract of the log appends, and how it looks what became of it. */

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

export async function appended(log: EventLog, request: AppendRequest): Promise<readonly RecordedEvent[]> {
  const outcome = await log.append(request)
  if (outcome.kind !== 'appended') throw new Error(`expected it to be appended, and it was: ${outcome.kind}`)
  return outcome.events
}

export async function everything(log: EventLog): Promise<readonly RecordedEvent[]> {
  const all: RecordedEvent[] = []
  for (let from = origin; ; ) {
    const page = await log.read(from)
    all.push(...page.events)
    if (page.atHead) return all
    from = page.through
  }
}
