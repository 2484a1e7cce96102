import type { Runtime } from '../log/index.ts'
import { pause } from './pause.ts'

/** Bounds of bulk loads, and of generations that are built page by page. All have a default. */
export interface LoadLimits {
  /** A log that is shorter is folded a page at a time, each written at once. Default 20000. */
  readonly minEvents: number
  /**
   * About how many bytes the rows may take that are folded in memory, in all loads of this process together. A load that
   * finds that they take more writes what it has, and goes on by loading and writing rows. Default 256 MiB.
   */
  readonly memoryBytes: number
  /**
   * How long a load that has folded all waits for the views to which its rows refer to come as far. When it is over, the log
   * is gone through page by page. Default 10000.
   */
  readonly refWaitMs: number
  /** The share of this process's time that loads may take, with what is done for them elsewhere, from above 0 up to 1. Default 1. */
  readonly share: number
  /** How many events a second loads may fold in this process. Default `Infinity`. */
  readonly eventsPerSecond: number
}

export const defaultLoadLimits: LoadLimits = {
  minEvents: 20_000,
  memoryBytes: 256 * 2 ** 20,
  refWaitMs: 10_000,
  share: 1,
  eventsPerSecond: Number.POSITIVE_INFINITY,
}

/** A page of a bounded load takes a few milliseconds. With larger ones the 99th percentile of appends would be what it is without a bound. */
const boundedEvents = 250

/** Each write holds a connection, of which the pool has ten for everything that the process does. */
const writesAtOnce = 4

/** What the views that are built in one process share: its memory, and the time that they leave to everybody else. */
export interface LoadBudget {
  readonly limits: LoadLimits
  /** Loads rest at times. Then nothing is read or written while they do: it would be work that nobody counts. */
  readonly isBounded: boolean
  /** How many of these events may be read and folded at once: what others may have to wait for, and what one second allows. */
  most(events: number): number
  /** Writes of loads that are bounded go one after the other: each holds a connection, and rests in between. Of others a few do. */
  inTurn<T>(write: () => Promise<T>): Promise<T>
  /** A load begins. Answers with how it tells what it takes, and that it has ended. */
  begin(): LoadShare
}

export interface LoadShare {
  /** The rows of this load take so many bytes now. Answers whether all loads together stay within the bound. */
  holds(bytes: number): boolean
  /** This load has worked for `tookMs`, on so many events. Resolves when it may go on, or `signal` is aborted. */
  rest(work: { readonly tookMs: number; readonly events: number }, signal: AbortSignal): Promise<void>
  end(): void
}

export function makeLoadBudget(limits: LoadLimits, runtime: Pick<Runtime, 'elapsed' | 'after'>): LoadBudget {
  const held = new Map<LoadShare, number>()
  /** Before this moment no load goes on: what each owes adds up, so that the bounds hold for all of them together. */
  let freeAt = Number.NEGATIVE_INFINITY

  function begin(): LoadShare {
    const share: LoadShare = {
      holds: bytes => {
        held.set(share, bytes)
        let all = 0
        for (const one of held.values()) all += one
        return all <= limits.memoryBytes
      },
      rest: async ({ tookMs, events }, signal) => {
        const owedMs = Math.max(
          (tookMs * (1 - limits.share)) / limits.share,
          (events * 1000) / limits.eventsPerSecond - tookMs,
        )
        if (owedMs <= 0) return
        freeAt = Math.max(freeAt, runtime.elapsed()) + owedMs
        await pause(runtime, Math.max(0, freeAt - runtime.elapsed()), signal)
      },
      end: () => {
        held.delete(share)
      },
    }
    held.set(share, 0)
    return share
  }
  const { share: ofTime, eventsPerSecond } = limits
  const isBounded = ofTime < 1 || Number.isFinite(eventsPerSecond)
  let writing = 0
  const waiting: (() => void)[] = []
  return {
    limits,
    isBounded,
    most: events => (isBounded ? Math.min(events, boundedEvents, Math.max(1, Math.floor(eventsPerSecond))) : events),
    inTurn: async write => {
      if (writing === (isBounded ? 1 : writesAtOnce)) await new Promise<void>(resolve => waiting.push(resolve))
      else writing++
      try {
        return await write()
      } finally {
        const next = waiting.shift()
        if (next === undefined) writing--
        else next()
      }
    },
    begin,
  }
}
