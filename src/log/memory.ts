import { BifoldError } from '../define/index.ts'
import { fingerprintOf, makeIds } from './ids.ts'
import { type Anchor, origin, type Snapshot, type StreamKey } from './log.ts'
import { type Runtime, systemRuntime } from './runtime.ts'
import type { BatchResult, EncodedAppend, LogStorage, StoredEvent, StoredOutcome, Verdict } from './storage.ts'

/**
 * A log in memory: the specification of `LogStorage` in the fewest words, and a log for tests. Several `createLog` on
 * one storage are as several processes on one database. It outlives `close`, as a database does.
 */
export function memoryLogStorage(runtime: Runtime = systemRuntime): LogStorage {
  const logId = makeIds(runtime)()
  const events: StoredEvent[] = []
  const streams = new Map<string, StoredEvent[]>()
  const commands = new Map<string, StoredOutcome>()
  const snapshots = new Map<string, Snapshot>()
  const listeners = new Set<(position: number) => void>()
  let lastMs = 0

  const anchorAt = (position: number): Anchor =>
    position === 0 ? origin : { position, fingerprint: fingerprintOf(events[position - 1]?.id ?? '') }
  const head = (): Anchor => anchorAt(events.length)
  const holds = (anchor: Anchor): boolean =>
    anchor.position <= events.length && anchorAt(anchor.position).fingerprint === anchor.fingerprint
  const mustHold = (anchor: Anchor): void => {
    if (!holds(anchor)) throw new BifoldError('log/rewound', { position: anchor.position })
  }
  const versionOf = (stream: StreamKey): number => streams.get(idOf(stream))?.length ?? 0
  const isInLog = ({ stream, version, at }: Snapshot): boolean =>
    holds(at) && streams.get(idOf(stream))?.[version - 1]?.position === at.position

  const appendOne = ({ stream, expected, command, events: added }: EncodedAppend, recordedAt: string): Verdict => {
    const commandKey = JSON.stringify([stream.tenant, command.name, command.id])
    const outcome = commands.get(commandKey)
    if (outcome !== undefined) return { kind: 'repeated', outcome }
    const before = versionOf(stream)
    if (expected !== 'any' && expected !== before) return { kind: 'conflict', version: before }
    const firstPosition = events.length + 1
    const stored = added.map((event, index) => ({
      ...event,
      stream,
      version: before + index + 1,
      position: firstPosition + index,
      recordedAt,
    }))
    events.push(...stored)
    const own = streams.get(idOf(stream))
    if (own === undefined) streams.set(idOf(stream), [...stored])
    else own.push(...stored)
    const version = before + added.length
    commands.set(commandKey, { hash: command.hash, version, head: head(), events: stored })
    return { kind: 'appended', firstPosition, version }
  }

  const appendBatch = (batch: readonly EncodedAppend[], known: Anchor): BatchResult => {
    mustHold(known)
    for (const { events: added } of batch) for (const { data, metadata } of added) mustBeJson(data, metadata)
    lastMs = Math.max(lastMs, Math.floor(runtime.now()))
    const recordedAt = new Date(lastMs).toISOString().replace('Z', '000Z')
    const before = events.length
    const verdicts = batch.map(append => appendOne(append, recordedAt))
    if (events.length > before) for (const wake of listeners) wake(events.length)
    return { recordedAt, verdicts, head: head() }
  }

  return {
    open: async () => ({ logId }),
    appendBatch: async (batch, known) => appendBatch(batch, known),
    readStream: async (stream, fromVersion, maxEvents) =>
      (streams.get(idOf(stream)) ?? []).slice(fromVersion - 1, fromVersion - 1 + maxEvents),
    readFromSnapshot: async (stream, snapshotVersion, maxEvents) => {
      const kept = snapshots.get(idOf(stream))
      const from = kept?.snapshotVersion === snapshotVersion && isInLog(kept) ? kept.version : 0
      const events = (streams.get(idOf(stream)) ?? []).slice(from, from + maxEvents)
      return from === 0 || kept === undefined ? { events } : { snapshot: kept, events }
    },
    writeSnapshots: async added => {
      for (const snapshot of added.filter(isInLog)) {
        const id = idOf(snapshot.stream)
        const kept = snapshots.get(id)
        if (kept === undefined || !isInLog(kept) || isNewer(snapshot, kept)) snapshots.set(id, snapshot)
      }
    },
    versionsOf: async keys => keys.map(versionOf),
    read: async (from, types, maxEvents) => {
      mustHold(from)
      const page: StoredEvent[] = []
      let position = from.position
      while (position < events.length && page.length < maxEvents) {
        const event = events[position++] as StoredEvent
        if (types === undefined || types.includes(event.type)) page.push(event)
      }
      return { events: page, through: anchorAt(position), atHead: position === events.length }
    },
    head: async () => head(),
    holds: async anchor => holds(anchor),
    outcomeOf: async (tenant, name, id) => commands.get(JSON.stringify([tenant, name, id])),
    listen: async wake => {
      listeners.add(wake)
      return async () => {
        listeners.delete(wake)
      }
    },
    close: async () => undefined,
  }
}

function isNewer(one: Snapshot, other: Snapshot): boolean {
  if (one.snapshotVersion !== other.snapshotVersion) return one.snapshotVersion > other.snapshotVersion
  return one.version > other.version
}

function idOf({ tenant, category, id }: StreamKey): string {
  return JSON.stringify([tenant, category, id])
}

function mustBeJson(...documents: readonly string[]): void {
  for (const document of documents) {
    try {
      JSON.parse(document)
    } catch {
      throw new BifoldError('log/document-refused', { problem: 'it is no JSON' })
    }
  }
}
