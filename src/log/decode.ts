import { BifoldError, type EventType, type Metadata, type RecordedEvent } from '../define/index.ts'
import type { StoredEvent } from './storage.ts'

/** An event as it is stored, which is decoded when it is first asked for, and once. */
export interface Held {
  readonly stored: StoredEvent
  /** @throws `log/unknown-event-type` · `log/undecodable-event` */
  readonly decoded: () => RecordedEvent
}

/**
 * The one way out of the log: parses, upcasts to the newest schema version, and freezes, since one event is handed to
 * everybody who reads it.
 */
export function makeDecoder(eventTypes: ReadonlyMap<string, EventType>): (stored: StoredEvent) => Held {
  return stored => {
    let event: RecordedEvent | undefined
    return {
      stored,
      decoded: () => {
        event ??= decode(stored, eventTypes)
        return event
      },
    }
  }
}

function decode(stored: StoredEvent, eventTypes: ReadonlyMap<string, EventType>): RecordedEvent {
  const { type, position, stream } = stored
  const definition = eventTypes.get(type)
  if (definition === undefined || definition.category !== stream.category) {
    throw new BifoldError('log/unknown-event-type', { type, position })
  }
  return Object.freeze({
    category: stream.category,
    type,
    data: freezeDeep(upcast(parse(stored.data, stored), stored, definition)),
    id: stored.id,
    tenant: stream.tenant,
    streamId: stream.id,
    version: stored.version,
    position,
    schemaVersion: stored.schemaVersion,
    tags: stored.tags.length === 0 ? none : Object.freeze([...stored.tags]),
    metadata: stored.metadata === '{}' ? noMetadata : (freezeDeep(parse(stored.metadata, stored)) as Metadata),
    recordedAt: stored.recordedAt,
  })
}

const none: readonly string[] = Object.freeze([])
const noMetadata: Metadata = Object.freeze({})

function parse(json: string, { type, position }: StoredEvent): unknown {
  try {
    return JSON.parse(json)
  } catch {
    // The parser's own message quotes the document.
    throw new BifoldError('log/undecodable-event', { type, position, problem: 'it is no JSON' })
  }
}

function upcast(data: unknown, { type, position, schemaVersion }: StoredEvent, definition: EventType): unknown {
  if (schemaVersion > definition.schemaVersion) {
    throw new BifoldError('log/undecodable-event', {
      type,
      position,
      problem: `it was written with schema version ${schemaVersion}, and this app knows ${definition.schemaVersion}; a newer release wrote it`,
    })
  }
  let newest = data
  for (let version = schemaVersion; version < definition.schemaVersion; version++) {
    try {
      newest = definition.upcast[version]?.(newest)
    } catch (cause) {
      const problem = `its upcast from schema version ${version} threw`
      throw new BifoldError('log/undecodable-event', { type, position, problem }, { cause })
    }
  }
  return newest
}

function freezeDeep(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  // What JSON gives has no properties but its own. A list of its values would cost more than all else here.
  for (const name in value) {
    const part = (value as Readonly<Record<string, unknown>>)[name]
    if (typeof part === 'object' && part !== null) freezeDeep(part)
  }
  return Object.freeze(value)
}
