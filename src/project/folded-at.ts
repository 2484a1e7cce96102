import type { RecordedEvent } from '../define/index.ts'

/** The last event that was folded into a state, for errors: it is looked up where there is one. */
export type LastEvent = () => RecordedEvent

/** Stands for an event until it is read: which one it was matters only where somebody has to be told. */
export const unreadEvent: RecordedEvent = {
  ...{ id: '', tenant: '', category: '', streamId: '', type: '' },
  ...{ version: 0, position: 0, schemaVersion: 1, tags: [], metadata: {}, recordedAt: '', data: null },
}

/** What an error says of the event at which a projection stands. */
export function foldedAt(projection: string, { position, type, id }: RecordedEvent) {
  return { projection, position, type, eventId: id }
}
