/** A decision's "no": a rule of the domain forbids the command. Nothing is appended. */
export interface Rejection {
  readonly kind: 'rejection'
  readonly reason: string
  readonly message: string
  readonly details?: Readonly<Record<string, unknown>>
}

/**
 * Rejects a command from within `decide`.
 *
 * @param reason a stable code of the domain, in kebab-case: `order-not-payable`. Callers match on it.
 * @param message a sentence for people. It is shown to the caller, and not logged.
 * @param details plain data for the caller.
 */
export function reject(reason: string, message: string, details?: Readonly<Record<string, unknown>>): Rejection {
  return details === undefined
    ? { kind: 'rejection', reason, message }
    : { kind: 'rejection', reason, message, details }
}
