import type { EventLog } from '../log/index.ts'
import type { ViewStore } from '../project/index.ts'

/** What is looked at: a running `System`, or a log and a store of views. */
export interface Verifiable {
  readonly log: Pick<EventLog, 'read' | 'readStream' | 'head' | 'holds'>
  readonly views: Pick<ViewStore, 'find' | 'known' | 'generations' | 'skips'>
}
