import type { RecordedEvent } from '../define/index.ts'

/** The last event of a row, as far as it is known where only its position is. */
export function lastOf(tenant: string, position: number): RecordedEvent {
  return {
    ...{ tenant, position, id: '', category: '', streamId: '', type: '', version: 0, schemaVersion: 1 },
    ...{ tags: [], metadata: {}, recordedAt: '', data: null },
  }
}
