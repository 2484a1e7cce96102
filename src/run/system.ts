import type { Dispatch, DispatchByName } from '../command/index.ts'
import type { App, Position } from '../define/index.ts'
import type { EventLog } from '../log/index.ts'
import type { ProjectionStatus, ViewStore } from '../project/index.ts'
import type { Answer, AskOptions, AskQuery } from '../query/index.ts'
import type { DrainOptions } from './drain.ts'

/** A running app. */
export interface System {
  readonly app: App
  readonly log: EventLog
  /** Where the views are kept: for `bifold/verify`, and for tools. The system closes it. */
  readonly views: ViewStore
  readonly dispatch: Dispatch
  readonly dispatchByName: DispatchByName
  readonly query: AskQuery
  /** As `query`, with the answer as the JSON text that is stored, never parsed: what an HTTP server sends on. */
  queryText(query: string, input: unknown, options?: AskOptions): Promise<Answer<string>>
  /** Where each projection stands. */
  status(): Promise<readonly ProjectionStatus[]>
  /**
   * Resolves when every projection has committed everything that was in the log when this was called, and answers with
   * that position. For a process that is stopped between its requests, and for tests.
   * @throws `run/drain-timeout` with those that are behind, and why · `run/no-role` in a process without projections ·
   * `log/closed` where the system is closed meanwhile
   */
  drain(options?: DrainOptions): Promise<Position>
  /** Stops taking commands and queries, finishes and commits what is under way, and closes the backend. */
  close(): Promise<void>
}
