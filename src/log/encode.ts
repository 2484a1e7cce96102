import { BifoldError, check, type EventType, type Issue, type Metadata, type NewEvent } from '../define/index.ts'
import type { LogLimits } from './limits.ts'
import type { AppendRequest, CommandKey, StreamKey } from './log.ts'
import type { EncodedAppend, EncodedEvent } from './storage.ts'
import { problemOfName } from './text.ts'

/** An append as text, and what it weighs. */
export interface Encoded {
  readonly append: EncodedAppend
  readonly bytes: number
}

export interface EncodeContext {
  readonly eventTypes: ReadonlyMap<string, EventType>
  readonly limits: Pick<LogLimits, 'appendEvents' | 'appendBytes' | 'documentBytes' | 'documentDepth'>
  readonly newId: () => string
}

/**
 * The one way into the log: checks everything that a caller gives, and writes it as the text that is stored.
 * @throws `log/invalid-stream` · `log/invalid-append` · `log/invalid-event` · `log/document-refused`
 */
export function encodeAppend(request: AppendRequest, context: EncodeContext): Encoded {
  const { stream, expected, command } = request
  checkStream(stream)
  if (expected !== 'any' && !(Number.isSafeInteger(expected) && expected >= 0)) {
    throw new BifoldError('log/invalid-append', { problem: 'the expected version is neither a whole number nor `any`' })
  }
  if (command === undefined && request.events.length === 0) {
    throw new BifoldError('log/invalid-append', { problem: 'it has no events and names no command' })
  }
  if (request.events.length > context.limits.appendEvents) {
    throw new BifoldError('log/invalid-append', {
      problem: `it has ${request.events.length} events, and ${context.limits.appendEvents} is the limit`,
    })
  }
  if (command !== undefined) checkCommand(command)
  const metadata = encodeMetadata(request.metadata, command)
  const events = request.events.map(event => encodeEvent(event, stream, metadata, context))
  const bytes = events.reduce((sum, { data }) => sum + data.length + metadata.length, 0)
  if (bytes > context.limits.appendBytes) {
    throw new BifoldError('log/invalid-append', {
      problem: `its events have ${bytes} bytes, and ${context.limits.appendBytes} is the limit`,
    })
  }
  return { append: { stream, expected, command: command ?? ownCommand(context), events }, bytes }
}

/** The name of an append that nobody named. */
export const ownName = 'append'

/** An append that nobody named still has an id: by it the log finds out what became of one whose answer was lost. */
function ownCommand({ newId }: EncodeContext): CommandKey {
  return { name: ownName, id: newId(), hash: '-' }
}

export function checkStream(stream: StreamKey): void {
  for (const part of ['tenant', 'category', 'id'] as const) {
    const rule = problemOfName(stream[part])
    if (rule !== undefined) throw new BifoldError('log/invalid-stream', { part, rule })
  }
}

function checkCommand(command: CommandKey): void {
  for (const part of ['name', 'id', 'hash'] as const) {
    const rule = problemOfName(command[part])
    if (rule !== undefined) {
      throw new BifoldError('log/invalid-append', { problem: `the command's ${part} will not do: ${rule}` })
    }
  }
}

function encodeMetadata(metadata: Metadata | undefined, command: CommandKey | undefined): string {
  if (metadata === undefined && command === undefined) return '{}'
  const text = JSON.stringify(command === undefined ? metadata : { ...metadata, commandId: command.id })
  const problem = text.length > 4096 ? 'it has more than 4096 characters' : problemOfText(text)
  if (problem !== undefined) throw new BifoldError('log/invalid-append', { problem: `its metadata: ${problem}` })
  return text
}

function encodeEvent(event: NewEvent, stream: StreamKey, metadata: string, context: EncodeContext): EncodedEvent {
  const { eventTypes, newId } = context
  const type = eventTypes.get(event.type)
  if (type === undefined || type.category !== stream.category || event.category !== stream.category) {
    throw new BifoldError('log/invalid-append', {
      problem: `no contract of the category ${JSON.stringify(stream.category)} declares the event ${JSON.stringify(event.type)}`,
    })
  }
  const checked = check(type.schema, event.data)
  if (checked.issues !== undefined) throw new BifoldError('log/invalid-event', { type: type.type, ...checked })
  const data = encodeData(checked.value, type.type, context)
  const tags = tagsOf(type, checked.value)
  return { id: newId(), type: type.type, schemaVersion: type.schemaVersion, tags, data, metadata }
}

function encodeData(value: unknown, type: string, { limits }: EncodeContext): string {
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch (cause) {
    // A cycle, a bigint, or a depth that not even the encoder reaches.
    throw invalid(type, 'it has no form in JSON', cause)
  }
  if (text === undefined) throw invalid(type, 'it has no form in JSON')
  const problem =
    text.length * 3 > limits.documentBytes && Buffer.byteLength(text) > limits.documentBytes
      ? `it has more than ${limits.documentBytes} bytes`
      : isDeeper(text, limits.documentDepth)
        ? `it is nested more than ${limits.documentDepth} deep`
        : problemOfText(text)
  if (problem !== undefined) {
    throw new BifoldError('log/document-refused', { problem: `the event ${JSON.stringify(type)}: ${problem}` })
  }
  return text
}

function invalid(type: string, message: string, cause?: unknown): BifoldError {
  const issues: readonly Issue[] = [{ path: '', message }]
  return new BifoldError('log/invalid-event', { type, issues }, { cause })
}

const maxTags = 32

function tagsOf({ type, tags: make }: EventType, data: unknown): readonly string[] {
  let tags: readonly string[]
  try {
    tags = make(data)
  } catch (cause) {
    throw invalid(type, 'its `tags` threw', cause)
  }
  if (!Array.isArray(tags)) throw invalid(type, 'its `tags` answered no array')
  if (tags.length > maxTags) throw invalid(type, `it has ${tags.length} tags, and ${maxTags} is the limit`)
  for (const tag of tags) {
    const rule = problemOfName(tag)
    if (rule !== undefined) throw invalid(type, `a tag will not do: ${rule}`)
  }
  return tags
}

// `JSON.stringify` writes these two as escapes, and nothing else as `\u0000` or `\ud…`. An even number of backslashes
// before it would make it plain text.
const forbidden = /(?<!\\)(?:\\\\)*\\u(?:(0000)|d[89a-f])/

/** What no database may be given in JSON, though JSON allows it. */
function problemOfText(json: string): string | undefined {
  if (!json.includes('\\u')) return undefined
  const match = forbidden.exec(json)
  if (match === null) return undefined
  return match[1] === undefined ? 'it holds half of a surrogate pair' : 'it holds a NUL character'
}

function isDeeper(json: string, limit: number): boolean {
  // As many brackets must be opened as closed.
  if (json.length < 2 * limit) return false
  let depth = 0
  let inString = false
  for (let at = 0; at < json.length; at++) {
    const char = json.charCodeAt(at)
    if (inString) {
      if (char === 0x5c) at++
      else if (char === 0x22) inString = false
    } else if (char === 0x22) inString = true
    else if (char === 0x5b || char === 0x7b) {
      if (++depth > limit) return true
    } else if (char === 0x5d || char === 0x7d) depth--
  }
  return false
}
