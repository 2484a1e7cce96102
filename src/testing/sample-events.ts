import { type AnyProjection, type NewEvent, type RecordedEvent, typesOf } from '../define/index.ts'
import { createLog, defaultTenant, memoryLogStorage, origin } from '../log/index.ts'

/** An event for a projection to fold. */
export interface SampleEvent {
  /** The id of its stream. */
  readonly stream: string
  /** As its contract makes it: `OrderEvents.OrderPlaced({ … })`. */
  readonly event: NewEvent
  /** Default: the default tenant. */
  readonly tenant?: string
}

/** The events as a log gives them out: they go through one in memory, which checks, encodes, decodes and upcasts them. */
export async function recordedFrom(
  projection: AnyProjection,
  samples: readonly SampleEvent[],
): Promise<readonly RecordedEvent[]> {
  const referred = Object.values(projection.refs).flatMap(({ to }) => to.from)
  const log = await createLog(memoryLogStorage(), { eventTypes: typesOf([...projection.from, ...referred]) })
  try {
    const events: RecordedEvent[] = []
    for (const { stream: id, event, tenant = defaultTenant } of samples) {
      const stream = { tenant, category: event.category, id }
      await log.append({ stream, expected: 'any', events: [event] })
    }
    let cursor = origin
    for (;;) {
      const page = await log.read(cursor)
      events.push(...page.events)
      cursor = page.through
      if (page.atHead) return events
    }
  } finally {
    await log.close()
  }
}
