import type { LogStorage } from '../log/index.ts'
import type { ViewStore } from './store.ts'

/** What a system runs on: a place for the log and a place for the views, which may be one database. */
export interface Backend {
  readonly log: LogStorage
  readonly views: ViewStore
  /** Lets go of what both share, after both were closed. */
  close(): Promise<void>
}
