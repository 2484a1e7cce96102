/** What was thrown, and where, without its message: that may quote the event. */
export function thrown(error: unknown): { readonly error: string; readonly source?: string } {
  if (!(error instanceof Error)) return { error: `a ${typeof error}` }
  const source = /^\s+at (.+)$/m.exec(error.stack ?? '')?.[1]
  return source === undefined ? { error: error.name } : { error: error.name, source }
}
