import type { Position, Query } from '../define/index.ts'
import type { Token } from '../log/index.ts'

/** How a query is asked. */
export interface AskOptions {
  /** Default `default`. */
  readonly tenant?: string
  /** The token of a command, or of an earlier answer: answer only from a view that contains what is behind it. */
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
  /**
   * Of `asOf`, or of `after` where that is later. Given to the next query as `after`, of this or another view, it reads
   * nothing older than this one did.
   */
  readonly token: Token
  /** The view had not reached `after` when the time was over, or a row stands still before it. */
  readonly stale: boolean
  /**
   * Of an answer by key: one of its rows stands still, since an event of it could not be folded. It is as it was before
   * that event, whatever `asOf` says. Absent: none does.
   */
  readonly parked?: true
}

/** Asks a query. */
export type AskQuery = <Input, Result, Sent>(
  query: Query<Input, Result, Sent>,
  input: Sent,
  options?: AskOptions,
) => Promise<Answer<Result>>
