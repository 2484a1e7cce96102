import type { Dispatch } from '../command/index.ts'
import type { App } from '../define/index.ts'
import type { EventLog } from '../log/index.ts'
import type { ProjectionStatus } from '../project/index.ts'
import type { Answer, AskOptions, AskQuery } from '../query/index.ts'

/** A running app. */
export interface System {
  readonly app: App
  readonly log: EventLog
  readonly dispatch: Dispatch
  readonly query: AskQuery
  /** As `query`, with the answer as the JSON text that is stored, never parsed: what an HTTP server sends on. */
  queryText(query: string, input: unknown, options?: AskOptions): Promise<Answer<string>>
  /** Where each projection stands. */
  status(): Promise<readonly ProjectionStatus[]>
  /** Stops taking commands and queries, finishes and commits what is under way, and closes the backend. */
  close(): Promise<void>
}
