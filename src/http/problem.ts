import { STATUS_CODES } from 'node:http'
import { BifoldError, type ErrorCode, type ErrorData, errorCodes } from '../define/index.ts'
import { type Appearance, appearanceOf, internal } from './status-of.ts'

/** An error as RFC 9457 says it, ready to be sent. */
export interface Problem {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** JSON, `application/problem+json`. */
  readonly body: string
  /** It was not foreseen: whoever runs the server should hear of it. */
  readonly unexpected: boolean
}

export const problemMediaType = 'application/problem+json'

/** What Fastify and Node call the faults of a request, and what we call them. */
const faults: Readonly<Record<string, () => BifoldError>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: () => new BifoldError('http/body-too-large', {}),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () => new BifoldError('http/unsupported-media-type', {}),
  FST_ERR_CTP_INVALID_JSON_BODY: () => new BifoldError('http/invalid-json', {}),
  FST_ERR_CTP_EMPTY_JSON_BODY: () => new BifoldError('http/invalid-json', {}),
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: () =>
    new BifoldError('http/malformed-request', { problem: 'the body is not as long as Content-Length says' }),
  FST_ERR_BAD_URL: () =>
    new BifoldError('http/malformed-request', { problem: 'the path is not percent-encoded UTF-8' }),
  FST_ERR_MAX_PARAM_LENGTH: () => new BifoldError('http/url-too-long', {}),
  HPE_HEADER_OVERFLOW: () => new BifoldError('http/headers-too-large', {}),
  ERR_HTTP_REQUEST_TIMEOUT: () => new BifoldError('http/request-timeout', {}),
}

/** Did Fastify fail to read a body? */
export const isBodyFault = (error: unknown): boolean => codeOf(error).startsWith('FST_ERR_CTP_')

/** What to answer for an error. An error that is in no table says nothing of itself. */
export function problemOf(thrown: unknown): Problem {
  const error = faults[codeOf(thrown)]?.() ?? thrown
  if (isCatalogued(error)) {
    const known = appearanceOf(error.code)
    if (known !== undefined) return { ...say(known, error), unexpected: false }
  } else if (isRefusal(error)) {
    return { ...relay(error), unexpected: false }
  }
  return { ...say(internal, unforeseen), unexpected: true }
}

const unforeseen = new BifoldError('http/internal', {})

function say({ status, title, retryAfterSeconds }: Appearance, error: BifoldError): Omit<Problem, 'unexpected'> {
  const { detail, ...data } = sayable(error)
  const own = { type: typeUriOf(error.code), title, status, detail, code: error.code }
  // First for who reads it, and last so that no data take the place of it.
  const body = JSON.stringify({ ...own, ...data, ...own })
  return { status, body, headers: retryAfterSeconds === undefined ? {} : { 'retry-after': `${retryAfterSeconds}` } }
}

interface Refusal {
  readonly statusCode: number
  readonly message: string
}

/** A refusal by a plugin or a hook of the server's owner, like the 401 of an authentication: its message is meant to be seen. */
function isRefusal(error: unknown): error is Refusal {
  if (!(error instanceof Error && 'statusCode' in error)) return false
  const { statusCode } = error
  return typeof statusCode === 'number' && Number.isInteger(statusCode) && statusCode >= 400 && statusCode < 500
}

function relay({ statusCode: status, message: detail }: Refusal): Omit<Problem, 'unexpected'> {
  const title = STATUS_CODES[status] ?? 'Refused'
  return { status, body: JSON.stringify({ type: 'about:blank', title, status, detail }), headers: {} }
}

/** The URI that names a kind of problem. */
const typeUriOf = (code: ErrorCode): string => `urn:bifold:error:${code}`

/** A rejection speaks to the caller in the words of the domain; every other error in those of the catalogue. */
function sayable(error: BifoldError): { readonly detail: string } {
  if (error.code === 'command/rejected') {
    const { message, ...data } = error.data as ErrorData<'command/rejected'>
    return { ...data, detail: message }
  }
  return { ...error.data, detail: error.message }
}

const catalogued: ReadonlySet<string> = new Set(errorCodes)

function isCatalogued(error: unknown): error is BifoldError {
  return catalogued.has(codeOf(error)) && error instanceof Error && 'data' in error
}

function codeOf(error: unknown): string {
  return error instanceof Object && 'code' in error ? String(error.code) : ''
}
