import type { EventLog, Page } from '../log/index.ts'

/** Pages far behind the head that are kept for the shards that come after the one that read them. */
const keptPages = 4

/**
 * Reads each page of the log once for all shards of a projection. They begin together and grow their batches alike, so
 * that those that catch up ask for the same pages within a short time. One that has fallen behind by more than the kept
 * pages, or whose batches have another size, reads for itself. At the tail the log itself holds what is recent.
 */
export function shareReads(read: EventLog['read']): EventLog['read'] {
  const kept = new Map<string, Promise<Page>>()
  return (from, options) => {
    const id = JSON.stringify([from.position, from.fingerprint, options])
    const known = kept.get(id)
    if (known !== undefined) return known
    const page = read(from, options)
    kept.set(id, page)
    for (const oldest of kept.keys()) {
      if (kept.size <= keptPages) break
      kept.delete(oldest)
    }
    const forget = (): void => {
      if (kept.get(id) === page) kept.delete(id)
    }
    // What lies at the head changes, and what failed is tried again. A page that leads nowhere, while something was said
    // to lie beyond it, was read a moment too early: kept, it would be handed out for ever.
    page.then(({ atHead, through }) => {
      if (atHead || through.position === from.position) forget()
    }, forget)
    return page
  }
}
