import type { Position, Query } from '../define/index.ts'

/** How a query is asked. */
export interface AskOptions {
  /** Default `default`. */
  readonly tenant?: string
  /** A token of a command: answer only from a view that contains what it wrote. */
  readonly after?: string
  /** How long to wait for `after`. Default 5000, at most 60000. */
  readonly waitMs?: number
  /** What to do when that time is over: throw `query/timeout` (default), or answer as it is with `stale: true`. */
  readonly onTimeout?: 'error' | 'stale'
}

/** An answer, and how much of the log is in it. */
export interface Answer<Result> {
  readonly value: Result
  /** The view contained every event up to this position when it was read. */
  readonly asOf: Position
  /** The view had not reached `after` when the time was over. */
  readonly stale: boolean
}

/** Asks a query. */
export type AskQuery = <Input, Result, Sent>(
  query: Query<Input, Result, Sent>,
  input: Sent,
  options?: AskOptions,
) => Promise<Answer<Result>>
