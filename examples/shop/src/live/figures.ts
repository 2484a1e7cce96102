import type { Position, ProjectionStatus } from 'bifold'
import { type Spread, slidingWindow, type Window } from './window.ts'

/** What the page shows of the running system. Every figure was measured in this process. */
export interface Snapshot {
  readonly runsOn: string
  /** The log's head. */
  readonly position: Position
  readonly writes: {
    /** Events that came into the log in each of the last seconds, whoever appended them; the newest last. */
    readonly eventsPerSecond: readonly number[]
    /** From taking a command to its answer, which comes after the commit. */
    readonly latencyMs: Spread
  }
  readonly reads: {
    readonly latencyMs: Spread
    /** Queries with a consistency token: the wait for the caller's own write is in it. */
    readonly ownWriteMs: Spread
  }
  readonly views: readonly ViewFigures[]
  /** Commands that a rule refused since the start, by the rule. */
  readonly rejections: Readonly<Record<string, number>>
}

export interface ViewFigures {
  readonly projection: string
  readonly state: ProjectionStatus['state']
  readonly position: Position
  readonly behindEvents: number
  /** From a command's answer to the view answering with what the command wrote. */
  readonly lagMs: Spread
  /** How long the view has been kept waiting for by now, where it has not answered yet. */
  readonly waitingMs: number
}

export interface Figures {
  readonly wrote: Window
  readonly read: Window
  readonly readOwnWrite: Window
  rejected(reason: string): void
  /** Begins to wait for a view. Answers with what ends the wait. */
  waitFor(projection: string): () => void
  /** Takes the log's head, once a second. */
  headIs(position: Position): void
  snapshot(status: readonly ProjectionStatus[]): Snapshot
}

const recent = { windowMs: 30_000, maxSamples: 2_000 }
const historySeconds = 60
const maxReasons = 100

/** @param elapsed a clock that never goes back, in milliseconds. */
export function figures(runsOn: string, elapsed: () => number): Figures {
  const wrote = slidingWindow(elapsed, recent)
  const read = slidingWindow(elapsed, recent)
  const readOwnWrite = slidingWindow(elapsed, recent)
  const lags = new Map<string, Window>()
  const waits = new Map<string, number>()
  const rejections = new Map<string, number>()
  const eventsPerSecond: number[] = []
  let lastHead: { readonly position: Position; readonly at: number } | undefined

  const lagOf = (projection: string): Window => {
    const known = lags.get(projection) ?? slidingWindow(elapsed, recent)
    lags.set(projection, known)
    return known
  }

  const viewFigures = ({ projection, state, position, behind }: ProjectionStatus): ViewFigures => {
    const waitingSince = waits.get(projection)
    return {
      projection,
      state,
      position,
      behindEvents: behind,
      lagMs: lagOf(projection).spread(),
      waitingMs: waitingSince === undefined ? 0 : elapsed() - waitingSince,
    }
  }

  return {
    wrote,
    read,
    readOwnWrite,
    rejected(reason) {
      if (rejections.has(reason) || rejections.size < maxReasons) {
        rejections.set(reason, (rejections.get(reason) ?? 0) + 1)
      }
    },
    waitFor(projection) {
      const since = elapsed()
      waits.set(projection, since)
      return () => {
        waits.delete(projection)
        lagOf(projection).add(elapsed() - since)
      }
    },
    headIs(position) {
      const at = elapsed()
      if (lastHead !== undefined) {
        eventsPerSecond.push(((position - lastHead.position) * 1_000) / (at - lastHead.at))
        if (eventsPerSecond.length > historySeconds) eventsPerSecond.shift()
      }
      lastHead = { position, at }
    },
    snapshot: status => ({
      runsOn,
      position: status[0]?.head ?? 0,
      writes: { eventsPerSecond: [...eventsPerSecond], latencyMs: wrote.spread() },
      reads: { latencyMs: read.spread(), ownWriteMs: readOwnWrite.spread() },
      views: status.map(viewFigures),
      rejections: Object.fromEntries(rejections),
    }),
  }
}
