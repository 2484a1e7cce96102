import type { Dispatch, DispatchByName, Dispatched } from '../command/index.ts'
import { anchorOf, type Token } from '../log/index.ts'
import type { Answer, AskOptions, AskQuery } from '../query/index.ts'
import type { System } from './system.ts'

/** Somebody's view of a system, in which time does not go back: whatever is read holds what was written and read before. */
export interface Session {
  readonly dispatch: Dispatch
  readonly dispatchByName: DispatchByName
  readonly query: AskQuery
  queryText(query: string, input: unknown, options?: AskOptions): Promise<Answer<string>>
  /**
   * Of the latest point that was seen; `undefined` where nothing was. A session is as good as its token: keep it where the
   * user's own session is kept, and go on from it in the next request, in whatever process.
   */
  token(): Token | undefined
}

/**
 * Monotonic reads, and reads of one's own writes, with nothing to pass on: carries the latest token of what was dispatched
 * and queried through it into every query. It holds no resource and needs no end.
 *
 * @param system what is asked.
 * @param after the token of an earlier session, from which this one goes on.
 * @throws `token/invalid` · `token/other-log` where `after` is no token of this log.
 */
export function session(system: System, after?: string): Session {
  const logId = system.log.id
  const positionOf = (token: string): number => anchorOf(token, logId).position
  let latest: { readonly token: Token; readonly position: number } | undefined

  const see = (token: Token): void => {
    const position = positionOf(token)
    if (latest === undefined || position > latest.position) latest = { token, position }
  }
  const seen = (dispatched: Dispatched): Dispatched => {
    see(dispatched.token)
    return dispatched
  }
  const answered = <Result>(answer: Answer<Result>): Answer<Result> => {
    see(answer.token)
    return answer
  }
  /** A token that the caller names himself holds too. */
  const since = (options: AskOptions = {}): AskOptions => {
    const { after: named } = options
    if (latest === undefined || (named !== undefined && positionOf(named) > latest.position)) return options
    return { ...options, after: latest.token }
  }

  if (after !== undefined) see(after)
  return {
    dispatch: (...command) => system.dispatch(...command).then(seen),
    dispatchByName: (...command) => system.dispatchByName(...command).then(seen),
    query: async (query, input, options) => answered(await system.query(query, input, since(options))),
    queryText: async (query, input, options) => answered(await system.queryText(query, input, since(options))),
    token: () => latest?.token,
  }
}
