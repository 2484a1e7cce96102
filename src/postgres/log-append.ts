import type { Anchor, EncodedAppend } from '../log/index.ts'
import { fingerprintOf, keyHash } from '../log/index.ts'
import type { Sql } from './client.ts'
import { type Heads, type StreamText, streamText } from './stream-heads.ts'

const appendBatchStatement = {
  name: 'bifold_append_batch',
  text: `select base, base_fingerprint, recorded_at, verdicts, versions
    from bifold.append_batch($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26)`,
}

interface AppendRow {
  readonly base: number
  readonly base_fingerprint: string
  readonly recorded_at: string
  /** 0 appended, 1 repeated, 2 conflict; null where everything was appended. */
  readonly verdicts: readonly number[] | null
  /** Of each append's stream, before it. */
  readonly versions: readonly number[]
}

/** What the database answered, before the outcomes of repeated commands are looked up. */
export type RawVerdict =
  | { readonly kind: 'appended'; readonly firstPosition: number; readonly version: number }
  | { readonly kind: 'repeated' }
  | { readonly kind: 'conflict'; readonly version: number }

export interface RawResult {
  /** The log's head before the batch. */
  readonly base: Anchor
  readonly recordedAt: string
  readonly verdicts: readonly RawVerdict[]
  readonly head: Anchor
}

/** Appends a batch with one statement: in a transaction of its own, or in that of `sql`. */
export async function appendBatch(
  sql: Sql,
  batch: readonly EncodedAppend[],
  known: Anchor,
  heads: Heads,
): Promise<RawResult> {
  const streams = batch.map(append => streamText(append.stream))
  const [row] = await sql.query<AppendRow>(appendBatchStatement, parametersOf(batch, streams, known, heads))
  if (row === undefined) throw new Error('append_batch answered no row')
  return resultOf(batch, row)
}

/** What a batch says of its streams, once it is committed. */
export function learnFrom(batch: readonly EncodedAppend[], { verdicts, head }: RawResult, heads: Heads): void {
  heads.learn(
    batch.map(append => streamText(append.stream)),
    verdicts.map(verdict => (verdict.kind === 'repeated' ? undefined : verdict.version)),
    head,
  )
}

/** Columns of text joined by newlines, of numbers as arrays in PostgreSQL's own notation. */
function parametersOf(
  batch: readonly EncodedAppend[],
  streams: readonly StreamText[],
  known: Anchor,
  heads: Heads,
): readonly unknown[] {
  const offsets: number[] = []
  const ofAppend: number[] = []
  const inAppend: number[] = []
  const events = batch.flatMap(append => append.events)
  const single = batch.every(append => append.events.length === 1)
  const eventStreams = single ? [] : batch.flatMap(({ stream, events }) => events.map(() => stream))
  for (const [index, append] of batch.entries()) {
    offsets.push(ofAppend.length)
    for (let number = 1; number <= append.events.length; number++) {
      ofAppend.push(index + 1)
      inAppend.push(number)
    }
  }
  const sameStreams = earlier(streams)
  const sameCommands = earlier(batch.map(({ stream, command }) => lines([stream.tenant, command.name, command.id])))
  const noneTwice = sameStreams === undefined && sameCommands === undefined
  return [
    known.position,
    known.fingerprint,
    lines(batch.map(({ stream }) => stream.tenant)),
    lines(batch.map(({ stream }) => stream.category)),
    lines(batch.map(({ stream }) => stream.id)),
    integers(batch.map(({ expected }) => (expected === 'any' ? -1 : expected))),
    integers(
      batch.map(({ events, expected }, index) => {
        // One without events meets no unique index that would say that its stream is beyond the version.
        return events.length > 0 && heads.isCertain(streams[index] ?? '', expected, known) ? 1 : 0
      }),
    ),
    lines(batch.map(({ command }) => command.name)),
    lines(batch.map(({ command }) => command.id)),
    lines(batch.map(({ command }) => command.hash)),
    integers(batch.map(append => append.events.length)),
    integers(offsets),
    noneTwice ? null : integers(sameStreams ?? batch.map(() => 0)),
    noneTwice ? null : integers(sameCommands ?? batch.map(() => 0)),
    integers(ofAppend),
    integers(inAppend),
    single ? null : lines(eventStreams.map(({ tenant }) => tenant)),
    single ? null : lines(eventStreams.map(({ category }) => category)),
    single ? null : lines(eventStreams.map(({ id }) => id)),
    lines(events.map(({ type }) => type)),
    integers(events.map(({ schemaVersion }) => schemaVersion)),
    lines(events.map(({ id }) => id)),
    lines(events.map(({ tags }) => textArray(tags))),
    lines(events.map(({ data }) => data)),
    lines(events.map(({ metadata }) => metadata)),
    // As a signed integer.
    integers(batch.map(({ stream }) => keyHash(stream.tenant, stream.id) | 0)),
  ]
}

/** For each text the number, from 1, of the nearest equal one before it, or 0; `undefined` where all differ. */
function earlier(texts: readonly string[]): readonly number[] | undefined {
  const last = new Map<string, number>()
  for (const text of texts) last.set(text, 0)
  if (last.size === texts.length) return undefined
  return texts.map((text, index) => {
    const before = last.get(text) ?? 0
    last.set(text, index + 1)
    return before
  })
}

function lines(texts: readonly string[]): string {
  return texts.join('\n')
}

function integers(values: readonly number[]): string {
  return `{${values.join(',')}}`
}

function textArray(texts: readonly string[]): string {
  return texts.length === 0 ? '{}' : `{${texts.map(text => `"${text.replace(/["\\]/g, '\\$&')}"`).join(',')}}`
}

function resultOf(batch: readonly EncodedAppend[], row: AppendRow): RawResult {
  const base: Anchor = { position: row.base, fingerprint: row.base_fingerprint }
  let head = base
  const verdicts = batch.map(({ events }, index): RawVerdict => {
    const before = row.versions[index] ?? 0
    switch (row.verdicts?.[index] ?? 0) {
      case 0: {
        const firstPosition = head.position + 1
        const last = events.at(-1)
        if (last !== undefined) {
          head = { position: head.position + events.length, fingerprint: fingerprintOf(last.id) }
        }
        return { kind: 'appended', firstPosition, version: before + events.length }
      }
      case 1:
        return { kind: 'repeated' }
      default:
        return { kind: 'conflict', version: before }
    }
  })
  return { base, recordedAt: row.recorded_at, verdicts, head }
}
