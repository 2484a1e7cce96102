import type { IncomingHttpHeaders } from 'node:http'
import type { DispatchOptions } from '../command/index.ts'
import { BifoldError, type Metadata } from '../define/index.ts'
import type { AskOptions } from '../query/index.ts'

/** Who sends a request, as the server knows it. */
export interface Caller {
  /** Default: the header `Bifold-Tenant`, which anybody can set, else `default`. */
  readonly tenant?: string
  /** Goes into the metadata of events. Default: none. */
  readonly actor?: string
}

/**
 * The options of a command, from its headers.
 * @throws `http/invalid-header`
 */
export function commandOptionsOf(headers: IncomingHttpHeaders, caller: Caller): DispatchOptions {
  const commandId = idempotencyKeyOf(textOf(headers, 'idempotency-key'))
  const expectedVersion = expectedVersionOf(headers)
  const tenant = caller.tenant ?? tenantOf(headers)
  return {
    ...(tenant !== undefined && { tenant }),
    ...(commandId !== undefined && { commandId }),
    ...(expectedVersion !== undefined && { expectedVersion }),
    metadata: metadataOf(headers, caller),
  }
}

/**
 * The options of a query, from its headers; `undefined` where none is given, the common case.
 * @throws `http/invalid-header`
 */
export function askOptionsOf(headers: IncomingHttpHeaders, caller: Caller): AskOptions | undefined {
  const tenant = caller.tenant ?? tenantOf(headers)
  const after = textOf(headers, 'bifold-after')
  const waitMs = waitMsOf(textOf(headers, 'bifold-wait-ms'))
  const onTimeout = onTimeoutOf(textOf(headers, 'bifold-on-timeout'))
  if (tenant === undefined && after === undefined && waitMs === undefined && onTimeout === undefined) return undefined
  return {
    ...(tenant !== undefined && { tenant }),
    ...(after !== undefined && { after }),
    ...(waitMs !== undefined && { waitMs }),
    ...(onTimeout !== undefined && { onTimeout }),
  }
}

/** The characters of a token of RFC 9110, and `:` and `/`, which ids of other systems hold. */
const bareKey = /^[!#$%&'*+\-.^_`|~:/0-9A-Za-z]{1,256}$/
/** A string of RFC 8941: printable ASCII in quotes, with `\"` and `\\` inside. */
const quotedKey = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])+)"$/

/** The key as a structured string (`"8e03…"`), as its standard wants it, or bare, as most clients send it. */
function idempotencyKeyOf(value: string | undefined): string | undefined {
  if (value === undefined || bareKey.test(value)) return value
  const quoted = quotedKey.exec(value)?.[1]?.replace(/\\(.)/g, '$1')
  if (quoted === undefined || quoted.length > 256) {
    throw invalid('Idempotency-Key', 'give one string of at most 256 printable ASCII characters, in quotes or bare')
  }
  return quoted
}

const entityTag = /^"(0|[1-9][0-9]{0,15})"$/

/** `If-Match: "3"`: only on version 3 of the stream. `If-None-Match: *`: only if it has no event. */
function expectedVersionOf(headers: IncomingHttpHeaders): number | undefined {
  const match = textOf(headers, 'if-match')
  const noneMatch = textOf(headers, 'if-none-match')
  if (match === undefined && noneMatch === undefined) return undefined
  if (match !== undefined && noneMatch !== undefined) {
    throw invalid('If-None-Match', 'it cannot stand beside If-Match')
  }
  if (noneMatch !== undefined) {
    if (noneMatch !== '*') throw invalid('If-None-Match', 'only `*` will do: the stream must have no event')
    return 0
  }
  const version = Number(entityTag.exec(match ?? '')?.[1])
  if (!Number.isSafeInteger(version)) {
    throw invalid('If-Match', 'give one version of the stream in quotes, like `"3"`')
  }
  return version
}

/** Percent-encoded, as in a path, so that every tenant can be named in ASCII. */
function tenantOf(headers: IncomingHttpHeaders): string | undefined {
  const value = textOf(headers, 'bifold-tenant')
  if (value === undefined) return undefined
  try {
    return decodeURIComponent(value)
  } catch (cause) {
    throw invalid('Bifold-Tenant', 'it is not percent-encoded UTF-8', cause)
  }
}

const traceparent = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$/

function metadataOf(headers: IncomingHttpHeaders, { actor }: Caller): Omit<Metadata, 'commandId'> {
  const correlationId = identifierOf(headers, 'Bifold-Correlation-Id')
  const causationId = identifierOf(headers, 'Bifold-Causation-Id')
  const trace = textOf(headers, 'traceparent')
  return {
    ...(correlationId !== undefined && { correlationId }),
    ...(causationId !== undefined && { causationId }),
    ...(actor !== undefined && { actor }),
    // The standard of trace context has a malformed one ignored: tracing must not make requests fail.
    ...(trace !== undefined && traceparent.test(trace) && { traceparent: trace }),
  }
}

const identifier = /^[\x21-\x7e]{1,256}$/

function identifierOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = textOf(headers, name.toLowerCase())
  if (value !== undefined && !identifier.test(value)) {
    throw invalid(name, 'give 1 to 256 printable ASCII characters without spaces')
  }
  return value
}

const longestWaitMs = 60_000

function waitMsOf(value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  const waitMs = /^[0-9]{1,5}$/.test(value) ? Number(value) : Number.NaN
  if (!(waitMs <= longestWaitMs)) throw invalid('Bifold-Wait-Ms', `give whole milliseconds from 0 to ${longestWaitMs}`)
  return waitMs
}

function onTimeoutOf(value: string | undefined): 'error' | 'stale' | undefined {
  if (value === undefined || value === 'error' || value === 'stale') return value
  throw invalid('Bifold-On-Timeout', 'give `error` or `stale`')
}

function textOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' ? value : undefined
}

function invalid(header: string, rule: string, cause?: unknown): BifoldError {
  return new BifoldError('http/invalid-header', { header, rule }, { cause })
}
