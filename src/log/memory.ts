import { BifoldError } from '../define/index.ts'
import { fingerprintOf, makeIds } from './ids.ts'
import { keyHash } from './key-hash.ts'
import { type Anchor, origin, type ShardFilter, type Snapshot, type StreamKey } from './log.ts'
import { type Runtime, systemRuntime } from './runtime.ts'
import type {
  BatchResult,
  EncodedAppend,
  LogStorage,
  StoredEvent,
  StoredOutcome,
  StoredPage,
  Verdict,
  WithinAppend,
} from './storage.ts'

/**
 * The client that `within` gets: what it writes, it leaves here. Where one of the checks does not hold any more when the
 * append is to be committed, all of it is done again.
 */
export interface MemoryTransaction {
  readonly checks: (() => boolean)[]
  readonly writes: (() => void)[]
}

/** A batch that is checked, and not in the log yet. */
interface Prepared {
  readonly result: BatchResult
  readonly events: readonly StoredEvent[]
  readonly outcomes: ReadonlyMap<string, StoredOutcome>
}

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

  /** Judges a batch by what is committed, and changes nothing. */
  const prepare = (batch: readonly EncodedAppend[], known: Anchor): Prepared => {
    mustHold(known)
    for (const { events: added } of batch) for (const { data, metadata } of added) mustBeJson(data, metadata)
    lastMs = Math.max(lastMs, Math.floor(runtime.now()))
    const recordedAt = new Date(lastMs).toISOString().replace('Z', '000Z')
    const added: StoredEvent[] = []
    const outcomes = new Map<string, StoredOutcome>()
    const versions = new Map<string, number>()
    const headWith = (): Anchor => {
      const last = added.at(-1)
      return last === undefined ? head() : { position: last.position, fingerprint: fingerprintOf(last.id) }
    }
    const verdicts = batch.map(({ stream, expected, command, events: own }): Verdict => {
      const commandKey = JSON.stringify([stream.tenant, command.name, command.id])
      const outcome = outcomes.get(commandKey) ?? commands.get(commandKey)
      if (outcome !== undefined) return { kind: 'repeated', outcome }
      const before = versions.get(idOf(stream)) ?? versionOf(stream)
      if (expected !== 'any' && expected !== before) return { kind: 'conflict', version: before }
      const firstPosition = headWith().position + 1
      const stored = own.map((event, index) => ({
        ...event,
        stream,
        version: before + index + 1,
        position: firstPosition + index,
        recordedAt,
      }))
      added.push(...stored)
      const version = before + own.length
      versions.set(idOf(stream), version)
      outcomes.set(commandKey, { hash: command.hash, version, head: headWith(), events: stored })
      return { kind: 'appended', firstPosition, version }
    })
    return { result: { recordedAt, verdicts, head: headWith() }, events: added, outcomes }
  }
  const commit = ({ result, events: added, outcomes }: Prepared): BatchResult => {
    for (const event of added) {
      events.push(event)
      const own = streams.get(idOf(event.stream))
      if (own === undefined) streams.set(idOf(event.stream), [event])
      else own.push(event)
    }
    for (const [command, outcome] of outcomes) commands.set(command, outcome)
    if (added.length > 0) for (const wake of listeners) wake(events.length)
    return result
  }
  const commitWith = async (batch: readonly EncodedAppend[], known: Anchor, within: WithinAppend) => {
    for (;;) {
      const prepared = prepare(batch, known)
      const transaction: MemoryTransaction = { checks: [], writes: [] }
      await within({
        base: head(),
        result: prepared.result,
        client: transaction,
        read: async (from, types, maxEvents) => pageOf([...events, ...prepared.events], from, types, maxEvents),
      })
      if (!transaction.checks.every(holds => holds())) continue
      for (const write of transaction.writes) write()
      return commit(prepared)
    }
  }
  /** Held from an append's first look at the log until what it writes is there. */
  let lock: Promise<unknown> | undefined
  const locked = async <T>(run: () => Promise<T>): Promise<T> => {
    while (lock !== undefined) await lock
    const held = run().finally(() => {
      lock = undefined
    })
    lock = held.catch(() => undefined)
    return held
  }
  const pageOf = (
    all: readonly StoredEvent[],
    from: Anchor,
    types: readonly string[] | undefined,
    maxEvents: number,
    shards?: ShardFilter,
  ): StoredPage => {
    mustHold(from)
    const isAsked = ({ type, stream: { tenant, id } }: StoredEvent): boolean =>
      types === undefined ||
      (types.includes(type) && (shards === undefined || shards.own.includes(keyHash(tenant, id) % shards.count)))
    const end = types === undefined ? all.length : Math.min(all.length, shards?.upTo ?? all.length)
    const page: StoredEvent[] = []
    let position = from.position
    while (position < end && page.length < maxEvents) {
      const event = all[position++] as StoredEvent
      if (isAsked(event)) page.push(event)
    }
    const last = all[position - 1]
    const through = last === undefined ? origin : { position, fingerprint: fingerprintOf(last.id) }
    return { events: page, through, atHead: position === all.length }
  }

  return {
    open: async () => ({ logId }),
    appendBatch: async (batch, known, within) => {
      if (within !== undefined) return locked(() => commitWith(batch, known, within))
      while (lock !== undefined) await lock
      return commit(prepare(batch, known))
    },
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
    read: async (from, types, maxEvents, shards) => pageOf(events, from, types, maxEvents, shards),
    readAt: async positions => positions.toSorted((a, b) => a - b).flatMap(position => events[position - 1] ?? []),
    head: async () => head(),
    holds: async anchors => anchors.map(holds),
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
