import type { ErrorCode } from '../define/index.ts'

/** How an error looks over HTTP. What is not listed is a fault of the server: 500, `http/internal`, and no detail. */
export interface Appearance {
  readonly status: number
  /** The same for every problem of the code. */
  readonly title: string
  /** Sent as `Retry-After`: sending the same request again may help, after so long. */
  readonly retryAfterSeconds?: number
}

const retryAfterSeconds = 1

/**
 * The one table from codes to statuses. A rejection is 422, not 409: the request was understood and a rule of the
 * domain says no, and sending it again to fresh state is not what the caller should do first.
 * An unknown outcome is 504: it does not say that the command failed, because it may have been carried out.
 */
const appearances: Partial<Record<ErrorCode, Appearance>> = {
  'log/invalid-stream': { status: 400, title: 'The stream has no valid name' },
  'log/overloaded': { status: 503, title: 'The log is overloaded', retryAfterSeconds },
  'log/document-refused': { status: 422, title: 'The database refused the document' },
  'log/outcome-unknown': { status: 504, title: 'The outcome of the command is unknown' },
  'log/connection-lost': { status: 503, title: 'The database cannot be reached', retryAfterSeconds },
  'log/rewound': { status: 503, title: 'The log was restored to an earlier state' },
  'log/closed': { status: 503, title: 'The server is shutting down', retryAfterSeconds },
  'token/invalid': { status: 400, title: 'The consistency token is malformed' },
  'token/other-log': { status: 409, title: 'The consistency token belongs to another log' },
  'token/not-in-log': { status: 409, title: 'The consistency token belongs to a history that was lost' },
  'command/unknown': { status: 404, title: 'There is no such command' },
  'command/invalid-id': { status: 400, title: 'The command id is malformed' },
  'command/invalid-input': { status: 400, title: 'The input of the command is invalid' },
  'command/rejected': { status: 422, title: 'The command was rejected' },
  'command/stream-not-found': { status: 404, title: 'There is no such stream' },
  'command/stream-exists': { status: 409, title: 'The stream exists already' },
  'command/version-mismatch': { status: 412, title: 'The stream is at another version' },
  'command/conflict': { status: 409, title: 'The stream kept moving', retryAfterSeconds },
  'command/id-reused': { status: 422, title: 'The idempotency key was given to another command' },
  'command/overloaded': { status: 503, title: 'The server is overloaded', retryAfterSeconds },
  'project/append-refused': { status: 422, title: 'A view refused the event' },
  'project/store-unreachable': { status: 503, title: 'The database cannot be reached', retryAfterSeconds },
  'project/generation-dropped': { status: 503, title: 'The view of this release is gone' },
  'project/store-busy': { status: 503, title: 'The database is busy', retryAfterSeconds },
  'query/unknown': { status: 404, title: 'There is no such query' },
  'query/not-found': { status: 404, title: 'There is no such row' },
  'query/invalid-input': { status: 400, title: 'The input of the query is invalid' },
  'query/invalid-request': { status: 400, title: 'The query cannot be asked so' },
  'query/invalid-cursor': { status: 400, title: 'The cursor is malformed' },
  'query/sum-too-large': { status: 500, title: 'A sum is too large to be answered' },
  'query/timeout': { status: 503, title: 'The view has not got that far yet', retryAfterSeconds },
  'query/parked': { status: 503, title: 'The row stands still' },
  'query/overloaded': { status: 503, title: 'The server is overloaded', retryAfterSeconds },
  'query/closed': { status: 503, title: 'The server is shutting down', retryAfterSeconds },
  'run/no-role': { status: 421, title: 'This server does not do that' },
  'http/not-found': { status: 404, title: 'There is no such resource' },
  'http/method-not-allowed': { status: 405, title: 'The resource does not know the method' },
  'http/malformed-request': { status: 400, title: 'The request is malformed' },
  'http/invalid-json': { status: 400, title: 'The body is no valid JSON' },
  'http/invalid-header': { status: 400, title: 'A header is malformed' },
  'http/body-too-large': { status: 413, title: 'The body is too large' },
  'http/url-too-long': { status: 414, title: 'The URL is too long' },
  'http/unsupported-media-type': { status: 415, title: 'The body must be JSON' },
  'http/headers-too-large': { status: 431, title: 'The headers are too large' },
  'http/request-timeout': { status: 408, title: 'The request took too long to arrive' },
  'http/closing': { status: 503, title: 'The server is shutting down', retryAfterSeconds },
}

export const internal: Appearance = { status: 500, title: 'The server failed' }

/** How an error of the catalogue looks over HTTP, or `undefined` for what stays inside. */
export function appearanceOf(code: ErrorCode): Appearance | undefined {
  return appearances[code]
}

/** The codes that an answer can carry. */
export const visibleCodes = [...Object.keys(appearances), 'http/internal'] as readonly ErrorCode[]
