import type { System } from 'bifold'
import { figures, type Snapshot } from './figures.ts'
import { measured } from './measured.ts'
import { lagProbe } from './probe.ts'

/** A system that is being watched. */
export interface Live {
  /** The same system, measured: let everybody use this one. */
  readonly system: System
  snapshot(): Promise<Snapshot>
  close(): Promise<void>
}

const everyMs = 1_000

export function watch(system: System, runsOn: string): Live {
  const elapsed = () => performance.now()
  const taken = figures(runsOn, elapsed)
  const probe = lagProbe(system, { figures: taken, elapsed })
  const timer = setInterval(takeHead, everyMs)
  let head: Promise<void> | undefined

  function takeHead(): void {
    head ??= system.log
      .head()
      .then(({ position }) => taken.headIs(position))
      .catch(() => undefined) // The database is away; the views' states say so
      .finally(() => {
        head = undefined
      })
  }

  return {
    system: measured(system, { figures: taken, elapsed, committed: probe.committed }),
    snapshot: async () => taken.snapshot(await system.status()),
    async close() {
      clearInterval(timer)
      await head
      await probe.idle()
    },
  }
}
