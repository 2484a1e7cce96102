/** A command that was carried out, and its token. */
export interface Sent {
  readonly id: string
  readonly token: string
}

/** What a process of one role is told to do: open accounts, ask for them with tokens, or say how far it is. */
export type Task = { readonly open: readonly string[] } | { readonly ask: readonly Sent[] } | 'count'

/** Answers carry the number of their task, since one may be overtaken by another. */
export interface Numbered {
  readonly number: number
  readonly task: Task
}

/** How far the queries are that were asked last. */
export interface Counted {
  readonly answered: number
  /** Looks at where the view is. */
  readonly looks: number
  /** Statements that asked whether tokens are in the log. */
  readonly checks: number
  /** Tokens for which they were answered. */
  readonly checked: number
}

/** What became of queries that were asked at once. */
export interface Asked extends Counted {
  /** Those whose answer held what their command wrote. */
  readonly right: number
  readonly ms: number
}
