import type { Issue } from './schema.ts'

/**
 * The catalogue of errors. A code is stable and is what callers match on; a message says what happened, with which
 * values, and what to do next. No message holds what users stored: payloads and inputs stay out of logs.
 * `docs/errors.md` explains each code at length; a test binds the two.
 */
const catalogue = {
  // Definitions, checked when the app is made
  'define/invalid-name': (at: { place: string; name: string; rule: string }) =>
    `${at.place}: the name ${quote(at.name)} will not do: ${at.rule}.`,
  'define/duplicate-name': (at: { place: string; name: string }) =>
    `${at.place}: the name ${quote(at.name)} is taken. Names are unique in an app; give one of the two another name.`,
  'define/unhandled-event': (at: { place: string; type: string }) =>
    `${at.place}: no evolve for the event ${quote(at.type)}. Add evolve.${at.type}; return the state as it is where the event changes nothing.`,
  'define/unknown-event': (at: { place: string; type: string }) =>
    `${at.place}: there is no event ${quote(at.type)} in the contracts it is made from. Check the name, or add its contract.`,
  'define/unknown-contract': (at: { place: string; category: string }) =>
    `${at.place}: the contract ${quote(at.category)} belongs to no aggregate of the app. Add its aggregate to \`aggregates\`, or, where another app writes it, the contract to \`events\`.`,
  'define/unknown-projection': (at: { place: string; projection: string }) =>
    `${at.place}: it reads the projection ${quote(at.projection)}, which is not in the app. Add it to \`projections\`.`,
  'define/invalid-row': (at: { place: string; column?: string; problem: string }) =>
    `${at.place}${at.column === undefined ? '' : `, column ${quote(at.column)}`}: ${at.problem}.`,
  'define/invalid-index': (at: { place: string; column: string; problem: string }) =>
    `${at.place}: the index on ${quote(at.column)} cannot be: ${at.problem}.`,
  'define/invalid-upcast': (at: { place: string; problem: string }) => `${at.place}: ${at.problem}.`,
  'define/invalid-definition': (at: { place: string; problem: string }) => `${at.place}: ${at.problem}.`,
  // The log
  'log/invalid-stream': (at: { part: 'tenant' | 'category' | 'id'; rule: string }) =>
    `The stream's ${at.part} will not do: ${at.rule}.`,
  'log/invalid-event': (at: { type: string; issues: readonly Issue[] }) =>
    `An event ${quote(at.type)} was not appended: ${sayIssues(at.issues)}.`,
  'log/invalid-append': (at: { problem: string }) => `An append was refused: ${at.problem}.`,
  'log/overloaded': (at: { queuedEvents: number; queuedBytes: number; limitEvents: number; limitBytes: number }) =>
    `The log's queue is full: ${at.queuedEvents} events and ${at.queuedBytes} bytes wait (limits ${at.limitEvents} and ${at.limitBytes}). Nothing was appended; send it again later.`,
  'log/document-refused': (at: { problem: string }) =>
    `The database refused a document: ${at.problem}. This append alone was refused.`,
  'log/outcome-unknown': (at: { commandId?: string; waitedMs: number }) =>
    `The connection was lost while an append was under way, and after ${at.waitedMs} ms it is still not known whether it was committed. ${
      at.commandId === undefined
        ? 'Look at the stream before you send it again; a command that is given an id can be sent again as it is.'
        : `Send the command again with the id ${quote(at.commandId)}: it is carried out once.`
    }`,
  'log/connection-lost': (at: { problem: string }) => `The connection to the log's database was lost: ${at.problem}.`,
  'log/rewound': (at: { position: number }) =>
    `The log is not the one that this process knows: the event at position ${at.position} is missing or another. It was restored to an earlier state, or failed over without its last events. Nothing was applied; find out what was lost, then start this process again.`,
  'log/storage-failed': (at: { sqlState: string; problem: string }) =>
    `The log's database answered with an error (SQLSTATE ${at.sqlState}): ${at.problem}. Nothing was written.`,
  'log/unknown-event-type': (at: { type: string; position: number }) =>
    `The event at position ${at.position} has the type ${quote(at.type)}, which no contract of this app declares. Add the contract, or read with a filter.`,
  'log/undecodable-event': (at: { type: string; position: number; problem: string }) =>
    `The event ${quote(at.type)} at position ${at.position} cannot be read: ${at.problem}.`,
  'log/closed': (_: Record<string, never>) =>
    'The log is closed: this process is shutting down. Send it to another one.',

  // Setting up
  'setup/missing-peer': (at: { peer: string; purpose: string }) =>
    `The package ${quote(at.peer)}, which ${at.purpose} needs, is not installed. Install it: npm install ${at.peer}`,
  'setup/invalid-option': (at: { option: string; rule: string }) =>
    `The option ${quote(at.option)} will not do: ${at.rule}.`,
  'setup/migration-changed': (at: { name: string }) =>
    `The migration ${at.name} was applied to this database in another form than this release has. Applied migrations never change; restore the file, and put the change into a new migration.`,

  'embedded/unusable-directory': (at: { directory: string; problem: string }) =>
    `The embedded database cannot use the directory ${quote(at.directory)}: ${at.problem}. Give it a directory of its own that this user may write to; if it held a database, put back a copy of it.`,
  'embedded/directory-locked': (at: {
    directory: string
    pid: number
    host: string
    /** ISO 8601. */
    since: string
    /** The lock to remove by hand, where this process cannot see whether the holder lives. */
    lock?: string
  }) =>
    `The database directory ${quote(at.directory)} has been in use by process ${at.pid} on ${at.host} since ${at.since}. One process at a time can open it: stop that one, or give this one another directory.${at.lock === undefined ? '' : ` Whether it still runs cannot be seen from here; if it does not, remove ${quote(at.lock)}.`}`,

  // Consistency tokens
  'token/invalid': (_: Record<string, never>) =>
    'This is no consistency token. Pass on the one that a command answered, unchanged.',
  'token/other-log': (at: { logId: string }) =>
    `The token belongs to another log; this one is ${at.logId}. Positions of one log mean nothing in another.`,
  'token/not-in-log': (at: { position: number }) =>
    `The token names an event at position ${at.position} that is not in the log: the log was restored to an earlier state since. What the token stood for is gone; read without it.`,

  // The command side
  'command/unknown': (at: { category: string; command: string }) =>
    `The app has no command ${quote(at.command)} of ${quote(at.category)}. Check the names, or add its aggregate to the app.`,
  'command/invalid-id': (at: { rule: string }) => `The command id will not do: ${at.rule}.`,
  'command/invalid-input': (at: { category: string; command: string; issues: readonly Issue[] }) =>
    `The input of ${quote(`${at.category}/${at.command}`)} will not do: ${sayIssues(at.issues)}.`,
  'command/rejected': (at: {
    category: string
    command: string
    reason: string
    message: string
    details?: Readonly<Record<string, unknown>>
  }) =>
    `The command ${quote(`${at.category}/${at.command}`)} was rejected: ${at.reason}. Its data say more, for the caller.`,
  'command/stream-not-found': (at: { category: string; streamId: string; command: string }) =>
    `The command ${quote(`${at.category}/${at.command}`)} needs a stream that has events, and ${quote(at.streamId)} has none.`,
  'command/stream-exists': (at: { category: string; streamId: string; command: string; version: number }) =>
    `The command ${quote(`${at.category}/${at.command}`)} begins a stream, and ${quote(at.streamId)} is already at version ${at.version}.`,
  'command/version-mismatch': (at: { category: string; streamId: string; expected: number; version: number }) =>
    `The stream ${quote(at.streamId)} of ${quote(at.category)} is at version ${at.version}, not at the expected ${at.expected}. Look at what has changed, and send the command again.`,
  'command/conflict': (at: { category: string; streamId: string; attempts: number }) =>
    `The stream ${quote(at.streamId)} of ${quote(at.category)} moved ${at.attempts} times while the command was decided. Nothing was appended; send it again.`,
  'command/id-reused': (at: { command: string; commandId: string }) =>
    `The command id ${quote(at.commandId)} was given to another ${quote(at.command)} before: its stream or its input differ. Give every command an id of its own.`,
  'command/decide-failed': (at: { category: string; command: string }) =>
    `The decide of ${quote(`${at.category}/${at.command}`)} threw. Its error is the cause; return reject(…) where a rule says no.`,
  'command/invalid-decision': (at: { category: string; command: string; problem: string }) =>
    `The decide of ${quote(`${at.category}/${at.command}`)} returned what it may not: ${at.problem}.`,
  'command/evolve-failed': (at: { category: string; streamId: string; type: string; version: number }) =>
    `The evolve of ${quote(at.category)} threw on the event ${quote(at.type)} at version ${at.version} of the stream ${quote(at.streamId)}. Its error is the cause; states are frozen, so return a new one.`,
  'command/snapshot-failed': (at: { category: string; streamId: string; version: number; problem: string }) =>
    `The state of the stream ${quote(at.streamId)} of ${quote(at.category)} at version ${at.version} was not kept: ${at.problem}. No command fails of it; without a kept state the stream is folded from further back.`,
  'command/overloaded': (at: { pending: number; limit: number }) =>
    `This process carries out ${at.pending} commands at once, and takes no more than ${at.limit}. Nothing was done; send it again later.`,

  // The query side
  'query/unknown': (at: { query: string }) =>
    `The app has no query ${quote(at.query)}. Check the name, or add it to the app.`,
  'query/not-found': (at: { query: string }) =>
    `The query ${quote(at.query)} found no row under this key. If it was just written, ask with the token of the command that wrote it.`,
  'query/invalid-input': (at: { query: string; issues: readonly Issue[] }) =>
    `The input of the query ${quote(at.query)} will not do: ${sayIssues(at.issues)}.`,
  'query/invalid-request': (at: { query: string; problem: string }) =>
    `The query ${quote(at.query)} cannot be asked so: ${at.problem}.`,
  'query/invalid-cursor': (at: { query: string }) =>
    `The cursor given to the query ${quote(at.query)} belongs to another request, or is none. Begin again without a cursor.`,
  'query/failed': (at: { query: string }) =>
    `The query ${quote(at.query)} threw where it is defined. Its error is the cause.`,
  'query/wrong-store': (at: { query: string; needs: string; store: string }) =>
    `The query ${quote(at.query)} is written for a ${at.needs} store, and its views are in ${at.store}. Run the app on the store it needs, or ask in the verbs that every store answers.`,
  'query/timeout': (at: {
    query: string
    projection: string
    position: number
    reached: number
    waitedMs: number
    failure?: string
  }) =>
    `After ${at.waitedMs} ms the view ${quote(at.projection)} is at position ${at.reached}, and the query ${quote(at.query)} waits for ${at.position}: it is ${at.position - at.reached} behind. ${
      at.failure === undefined
        ? 'Ask again, or take the stale answer (onTimeout: stale).'
        : `Its projection has stopped: ${at.failure}.`
    }`,
  'query/overloaded': (at: { pending: number; limit: number }) =>
    `This process answers ${at.pending} queries at once, and takes no more than ${at.limit}. Ask again later.`,
  'query/closed': (_: Record<string, never>) =>
    'The query side is closed: this process is shutting down. Ask another one.',

  // Projections
  'project/fold-failed': (at: FoldedEvent & { part: 'key' | 'on'; error: string; source?: string }) =>
    `${sayFolded(at)}: ${at.part}.${at.type} threw ${at.error}${at.source === undefined ? '' : ` at ${at.source}`}. The projection stays before this event and tries it again; correct the definition and deploy it.`,
  'project/invalid-key': (at: FoldedEvent & { problem: string }) =>
    `${sayFolded(at)}: key.${at.type} gave a key that will not do: ${at.problem}. The projection stays before this event; correct \`key\` and deploy it.`,
  'project/invalid-row': (at: FoldedEvent & { issues: readonly Issue[] }) =>
    `${sayFolded(at)}: on.${at.type} gave a row that does not fit: ${sayIssues(at.issues)}. The projection stays before this event; correct \`on\` or \`state\` and deploy it.`,
  'project/superseded': (at: { projection: string; epoch: number }) =>
    `The projection ${quote(at.projection)} is carried on by another process, which took it over with epoch ${at.epoch}. This one stands by, and takes over when the other falls silent.`,
  'project/store-unreachable': (at: { projection: string; problem: string }) =>
    `The store of the view ${quote(at.projection)} cannot be reached: ${at.problem}. It is tried again until it can.`,
  'project/store-failed': (at: { projection: string; problem: string }) =>
    `The store of the view ${quote(at.projection)} failed: ${at.problem}. Nothing of what it was asked to write was written. Look at the error's cause.`,

  // Running
  'run/no-role': (at: { role: string }) =>
    `This process was started without ${at.role}. Send it to one that has that role, or turn it on in \`roles\`.`,
  'run/drain-timeout': (at: {
    position: number
    waitedMs: number
    behind: readonly { projection: string; reached: number; state: string; failure?: string }[]
  }) =>
    `After ${at.waitedMs} ms not every projection has reached position ${at.position}: ${at.behind
      .map(({ projection, reached, state, failure }) => {
        return `${quote(projection)} is at ${reached} (${failure === undefined ? state : `${state}, ${failure}`})`
      })
      .join('; ')}. Correct those that failed; give the others more time.`,

  // HTTP
  'http/unreadable-input': (at: { place: string; problem: string }) =>
    `${at.place}: its input cannot be read from a query string: ${at.problem}.`,
  'http/not-found': (_: Record<string, never>) =>
    'There is nothing at this address. What there is, /openapi.json says.',
  'http/method-not-allowed': (at: { allow: string }) => `This address knows only ${at.allow}.`,
  'http/malformed-request': (at: { problem: string }) => `The request cannot be read: ${at.problem}.`,
  'http/invalid-json': (_: Record<string, never>) =>
    "The body is no JSON in UTF-8, or holds a key that would change an object's prototype. Nothing was carried out.",
  'http/invalid-header': (at: { header: string; rule: string }) => `The header ${at.header} will not do: ${at.rule}.`,
  'http/body-too-large': (_: Record<string, never>) =>
    'The body is larger than this server takes. Nothing was carried out; send less at once.',
  'http/url-too-long': (_: Record<string, never>) =>
    'The URL, or a part of its path, is longer than this server takes.',
  'http/unsupported-media-type': (_: Record<string, never>) =>
    "A command's input is sent as application/json. Nothing was carried out.",
  'http/headers-too-large': (_: Record<string, never>) => 'The headers are larger than this server takes.',
  'http/request-timeout': (_: Record<string, never>) =>
    'The request did not arrive whole in the time that this server waits. Nothing was carried out; send it again.',
  'http/closing': (_: Record<string, never>) =>
    'This server is shutting down. Nothing was carried out; send the request again, it will reach another one.',
  'http/internal': (_: Record<string, never>) =>
    'The server failed to answer. What went wrong is in its log. Send a command again only with the same Idempotency-Key.',

  // Verification
  'verify/too-large': (at: { projection: string; limitBytes: number }) =>
    `The rows of the view ${quote(at.projection)} and what the log makes of them need more than ${at.limitBytes} bytes of memory. Nothing was compared; raise \`maxBytes\`.`,
  'verify/no-such-position': (at: { position: number; head: number }) =>
    `There is no position ${at.position} in the log: it goes from 0 to ${at.head}.`,

  // Tests of one's own
  'testing/fold-law-broken': (at: {
    projection: string
    /** With `runs: 1` it shows the same again, where what the fold depends on is the same. */
    seed: number
    tenant: string
    key: string
    /** The row's document as it is when all events are folded at once, and when they are folded in parts. */
    atOnce: string | null
    inParts: string | null
  }) =>
    `projection(${quote(at.projection)}): the row ${quote(at.key)} of the tenant ${quote(at.tenant)} is another one when its events are folded in parts (seed ${at.seed}). Its folds depend on more than the row and the event: look for the clock, chance, and variables outside of them. The data of this error hold both rows.`,
} as const

/** The event at which a projection stands. */
interface FoldedEvent {
  readonly projection: string
  readonly position: number
  readonly type: string
  readonly eventId: string
}

function sayFolded(at: FoldedEvent): string {
  return `projection(${quote(at.projection)}), event ${at.type} at position ${at.position} (${at.eventId})`
}

type Catalogue = typeof catalogue

/** The stable code of an error. */
export type ErrorCode = keyof Catalogue

/** What an error of a given code carries. */
export type ErrorData<Code extends ErrorCode> = Parameters<Catalogue[Code]>[0]

/** An error of the catalogue. Recognise it by `code` (`isError`), never by its class or message. */
export class BifoldError<Code extends ErrorCode = ErrorCode> extends Error {
  readonly code: Code
  readonly data: ErrorData<Code>

  constructor(code: Code, data: ErrorData<Code>, options?: ErrorOptions) {
    super((catalogue[code] as (data: ErrorData<Code>) => string)(data), options)
    this.name = 'BifoldError'
    this.code = code
    this.data = data
  }
}

/** Is `error` the catalogue's error `code`? Works across copies of the package and across realms. */
export function isError<Code extends ErrorCode>(error: unknown, code: Code): error is BifoldError<Code> {
  return error instanceof Object && 'code' in error && error.code === code
}

/** Every code, in the catalogue's order. */
export const errorCodes = Object.keys(catalogue) as readonly ErrorCode[]

/** `lines.0.quantity: expected a number; …`, for messages. */
export function sayIssues(issues: readonly Issue[]): string {
  const said = issues.slice(0, 5).map(issue => (issue.path === '' ? issue.message : `${issue.path}: ${issue.message}`))
  const more = issues.length > 5 ? `; and ${issues.length - 5} more` : ''
  return said.join('; ') + more
}

function quote(name: string): string {
  return JSON.stringify(name)
}
