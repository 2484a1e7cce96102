import type { Dispatch, DispatchByName } from '../command/index.ts'
import type { AnyProjection, App, Position } from '../define/index.ts'
import type { EventLog } from '../log/index.ts'
import type { ProjectionStatus, ViewStore } from '../project/index.ts'
import type { Answer, AskOptions, AskQuery } from '../query/index.ts'
import type { DeadLetterOperations } from './dead-letters.ts'
import type { DrainOptions } from './drain.ts'

/** What a swap has brought. */
export interface Swapped {
  /** How many keys of the generation that serves now stand still. Asked for by hand, it serves whatever is parked. */
  readonly parkedKeys: number
}

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
  /** What `status()` of any process calls this one, as the `owner` of shards. Absent: it has no role `projections`. */
  readonly owner?: string
  /**
   * Where each projection stands. A process without the role `projections` knows of them what the store keeps: how far they
   * are, whether they are paused, and what is parked; one that neither projects nor answers queries, of those alone that are
   * committed with its appends.
   * @throws `run/closed`
   */
  status(): Promise<readonly ProjectionStatus[]>
  /**
   * Resolves when every projection has committed everything that was in the log when this was called, and answers with
   * that position. For a process that is stopped between its requests, and for tests.
   * @throws `run/drain-timeout` with those that are behind, and why · `run/no-role` in a process without projections ·
   * `run/closed` where the system is closed, or is closed meanwhile · `run/invalid-argument`
   */
  drain(options?: DrainOptions): Promise<Position>
  /**
   * Stops carrying a projection on, in every process and whatever its release, until it is resumed. When this resolves,
   * nothing of it is written any more; commands, queries and the other projections go on. A query that waits for it times
   * out and names the pause.
   * @throws `run/unknown-projection`
   */
  pause(projection: AnyProjection): Promise<void>
  /** Lets a paused projection go on from where it stands. @throws `run/unknown-projection` */
  resume(projection: AnyProjection): Promise<void>
  /**
   * Empties the view of a projection and folds the log again from its beginning. Meanwhile queries see what is there
   * already; skips stay, and what was parked is tried again. Where one must not see that, build a new generation instead.
   * @throws `run/unknown-projection`
   */
  reset(projection: AnyProjection): Promise<void>
  /**
   * Lets a generation of a projection serve: one that was built while `rebuild.swap` is `manual`, or one that served
   * before and has kept up. `status()` shows which there are.
   * @throws `project/generation-behind` with its lag · `project/generation-loading` while it is made in bulk ·
   * `project/generation-dropped` where there is no such generation · `run/unknown-projection`
   */
  swap(projection: AnyProjection, generation: number): Promise<Swapped>
  /**
   * Builds one more generation of a projection beside those that there are, from the log's first event on: where rows are
   * to be made again although the definition's version is the same. Processes with projections build it; it comes to serve
   * as a new version does. Answers with its number; `status()` shows its progress.
   * @throws `project/rebuild-running` where one is being built · `run/unknown-projection`
   */
  rebuild(projection: AnyProjection): Promise<number>
  /**
   * Drops a generation of a projection that does not serve: a rebuild that is not wanted any more, or one that nobody will
   * swap back to. A process whose definition it is makes it again when it starts.
   * @throws `project/generation-in-use` where it serves, or others stand on its rows · `project/generation-dropped` where
   * there is none · `run/unknown-projection`
   */
  drop(projection: AnyProjection, generation: number): Promise<void>
  /** What is done with keys whose fold failed. */
  readonly deadLetters: DeadLetterOperations
  /** Stops taking commands and queries, finishes and commits what is under way, and closes the backend. */
  close(): Promise<void>
}
