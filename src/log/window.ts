import type { Held } from './decode.ts'
import { fingerprintOf } from './ids.ts'
import { type Anchor, origin } from './log.ts'

/** The latest events that this process has seen, without a gap between them. */
export interface Window {
  /** The point before the first event, and the point of the last one: the same where the window is empty. */
  base(): Anchor
  last(): Anchor
  /** The point of history at a position from `base` to `last`. */
  anchorAt(position: number): Anchor | undefined
  /** Takes what follows `last`, and passes over what it has. Answers `false`, and takes nothing, where there is a gap. */
  extend(events: readonly Held[]): boolean
  /** Forgets everything, and goes on from here. */
  restart(at: Anchor): void
  /** Events after a position from `base` on, and how far they go. */
  after(position: number, types: ReadonlySet<string> | undefined, maxEvents: number): WindowSlice
}

export interface WindowSlice {
  readonly events: readonly Held[]
  readonly through: Anchor
}

export function makeWindow(limits: { readonly windowEvents: number; readonly windowBytes: number }): Window {
  let base = origin
  let events: Held[] = []
  // Events before this index are gone. The array is cut seldom, since cutting moves all that is left.
  let start = 0
  let bytes = 0

  const last = (): Anchor => (start === events.length ? base : anchorOfHeld(events.at(-1) as Held))
  const trim = (): void => {
    while (events.length - start > limits.windowEvents || (bytes > limits.windowBytes && start < events.length)) {
      const gone = events[start++] as Held
      bytes -= weightOf(gone)
      base = anchorOfHeld(gone)
    }
    if (start > events.length / 2) {
      events = events.slice(start)
      start = 0
    }
  }

  return {
    base: () => base,
    last,
    anchorAt: position => {
      if (position === base.position) return base
      const held = events[start + position - base.position - 1]
      return held === undefined || position < base.position ? undefined : anchorOfHeld(held)
    },
    extend: added => {
      const next = last().position + 1
      const first = added[0]?.stored.position
      if (first === undefined) return true
      if (first > next) return false
      for (let index = next - first; index < added.length; index++) {
        const held = added[index] as Held
        events.push(held)
        bytes += weightOf(held)
      }
      trim()
      return true
    },
    restart: at => {
      base = at
      events = []
      start = 0
      bytes = 0
    },
    after: (position, types, maxEvents) => {
      const found: Held[] = []
      let index = start + position - base.position
      for (; index < events.length && found.length < maxEvents; index++) {
        const held = events[index] as Held
        if (types === undefined || types.has(held.stored.type)) found.push(held)
      }
      const scanned = events[index - 1]
      return { events: found, through: scanned === undefined || index === start ? base : anchorOfHeld(scanned) }
    },
  }
}

function anchorOfHeld({ stored }: Held): Anchor {
  return { position: stored.position, fingerprint: fingerprintOf(stored.id) }
}

/** Characters of JSON, and about what an object of JavaScript costs beside them. */
function weightOf({ stored }: Held): number {
  return stored.data.length + stored.metadata.length + 256
}
