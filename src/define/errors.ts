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
  'log/outcome-unknown': (at: { commandId: string; waitedMs: number }) =>
    `The connection was lost while an append was under way, and after ${at.waitedMs} ms it is still not known whether it was committed. Send the command again with the id ${quote(at.commandId)}: it is carried out once.`,
  'log/connection-lost': (at: { problem: string }) => `The connection to the log's database was lost: ${at.problem}.`,
  'log/rewound': (at: { position: number }) =>
    `The log is not the one that this process knows: the event at position ${at.position} is missing or another. It was restored to an earlier state, or failed over without its last events. Nothing was applied; find out what was lost, then start this process again.`,
  'log/unknown-event-type': (at: { type: string; position: number }) =>
    `The event at position ${at.position} has the type ${quote(at.type)}, which no contract of this app declares. Add the contract, or read with a filter.`,
  'log/undecodable-event': (at: { type: string; position: number; problem: string }) =>
    `The event ${quote(at.type)} at position ${at.position} cannot be read: ${at.problem}.`,
  'log/closed': (_: Record<string, never>) =>
    'The log is closed: this process is shutting down. Send it to another one.',

  // Setting up
  'setup/missing-peer': (at: { peer: string; purpose: string }) =>
    `The package ${quote(at.peer)}, which ${at.purpose} needs, is not installed. Install it: npm install ${at.peer}`,

  // Consistency tokens
  'token/invalid': (_: Record<string, never>) =>
    'This is no consistency token. Pass on the one that a command answered, unchanged.',
  'token/other-log': (at: { logId: string }) =>
    `The token belongs to another log; this one is ${at.logId}. Positions of one log mean nothing in another.`,
} as const

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
