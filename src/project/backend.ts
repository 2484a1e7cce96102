import type { LogStorage } from '../log/index.ts'
import type { ViewStore } from './store.ts'

/** What a system runs on: a place for the log and a place for the views, which may be one database. */
export interface Backend {
  readonly log: LogStorage
  readonly views: ViewStore
  /**
   * Are log and views in one database, so that `View.inAppend` takes the client that the log's `within` gets? Only then may a
   * projection be committed with the append. Default false.
   */
  readonly oneDatabase?: boolean
  /**
   * Do notifications come through from one process to another? Asked once, at the start. Absent: there is nothing in between
   * that could keep them back.
   */
  hears?(): Promise<boolean>
  /** Lets go of what both share, after both were closed. */
  close(): Promise<void>
}
