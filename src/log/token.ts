import { BifoldError } from '../define/index.ts'
import type { Anchor } from './log.ts'

/**
 * A consistency token: a point in the history of one log, as a string that callers pass on and do not read.
 * It is `<log id>.<position>.<fingerprint>`, and stays valid through rebuilds and swaps of views.
 */
export type Token = string & { readonly __brand?: 'Token' }

export function tokenOf(logId: string, anchor: Anchor): Token {
  return `${logId}.${anchor.position}.${anchor.fingerprint}`
}

/**
 * Reads a token of the log `logId`.
 * @throws `token/invalid` for what is no token · `token/other-log` for a token of another log, whose positions mean
 * nothing here.
 */
export function anchorOf(token: string, logId: string): Anchor {
  const match = /^([0-9a-f-]{1,64})\.(0|[1-9][0-9]{0,15})\.([0-9a-f]{12}|)$/.exec(token)
  const position = Number(match?.[2])
  const fingerprint = match?.[3] ?? ''
  if (match === null || !Number.isSafeInteger(position) || (position === 0) !== (fingerprint === '')) {
    throw new BifoldError('token/invalid', {})
  }
  if (match[1] !== logId) throw new BifoldError('token/other-log', { logId })
  return { position, fingerprint }
}
