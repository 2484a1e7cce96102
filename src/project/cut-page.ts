import type { Position } from '../define/index.ts'
import type { Anchor, Page } from '../log/index.ts'
import type { Changes } from './referred.ts'

/** How far a view that rows refer to is, and which of its rows changed on the way there. */
export interface Reach extends Pick<Changes, 'asOf' | 'changed' | 'pastFrom'> {
  /** With so many changes there may be more than these. */
  readonly limit: number
}

/**
 * What of a page can be taken so that the rows referred to are known as of its end, and not too many of them changed: all of
 * it, a part, or nothing, where a view is no further than the page's beginning. Before the position from which on the past of
 * all views is known, rows are as of that one: nothing is taken until all of them have come so far.
 */
export function cutPage(page: Page, from: Anchor, reaches: readonly Reach[]): Page {
  const known = pastKnownFrom(reaches)
  const isBehind = from.position < known && reaches.some(({ asOf }) => asOf.position < known)
  let through: Anchor = isBehind ? from : page.through
  for (const { asOf, changed, limit } of reaches) {
    // Beyond `asOf` there may be changes of shards that are ahead: the last one known says nothing of the others.
    const last = changed.length >= limit ? changed.at(-1) : undefined
    for (const end of last === undefined ? [asOf] : [asOf, last]) {
      if (end.position < through.position) through = { position: end.position, fingerprint: end.fingerprint }
    }
  }
  if (through === page.through) return page
  return { events: page.events.filter(({ position }) => position <= through.position), through, atHead: false }
}

/** From where on it is known in every one of the views what all of their rows were. */
export function pastKnownFrom(reaches: readonly Pick<Reach, 'pastFrom'>[]): Position {
  return Math.max(0, ...reaches.map(({ pastFrom }) => pastFrom))
}

/** What a page holds behind `at`. */
export function pageAfter(page: Page, at: Anchor): Page {
  return { ...page, events: page.events.filter(({ position }) => position > at.position) }
}

/** Reads from `from` until everything up to `to` is read, and gives that as one page. */
export async function readThrough(read: (from: Anchor) => Promise<Page>, from: Anchor, to: Anchor): Promise<Page> {
  const events: Page['events'][number][] = []
  let at = from
  while (at.position < to.position) {
    const page = await read(at)
    events.push(...page.events.filter(({ position }) => position <= to.position))
    // A log that ends before `to` was rewound, which the next read says.
    at = page.through.position > at.position ? page.through : to
  }
  return { events, through: to, atHead: false }
}
