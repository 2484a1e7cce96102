import { type AskQuery, type Dispatch, type Dispatched, isError, type System } from 'bifold'
import type { Figures } from './figures.ts'

/** The same system, with each command and query timed, and each refusal counted by its rule. */
export function measured(
  system: System,
  { figures, elapsed, committed }: { figures: Figures; elapsed: () => number; committed: (token: string) => void },
): System {
  async function write(send: () => Promise<Dispatched>): Promise<Dispatched> {
    const start = elapsed()
    try {
      const outcome = await send()
      figures.wrote.add(elapsed() - start)
      committed(outcome.token)
      return outcome
    } catch (error) {
      if (isError(error, 'command/rejected')) figures.rejected(error.data.reason)
      throw error
    }
  }

  async function read<T>(after: string | undefined, ask: () => Promise<T>): Promise<T> {
    const start = elapsed()
    const answer = await ask()
    const window = after === undefined ? figures.read : figures.readOwnWrite
    window.add(elapsed() - start)
    return answer
  }

  return {
    ...system,
    dispatch: ((...args: Parameters<Dispatch>) => write(() => system.dispatch(...args))) as Dispatch,
    dispatchByName: (...args) => write(() => system.dispatchByName(...args)),
    query: ((...args: Parameters<AskQuery>) => read(args[2]?.after, () => system.query(...args))) as AskQuery,
    queryText: (...args) => read(args[2]?.after, () => system.queryText(...args)),
  }
}
