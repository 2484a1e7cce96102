import { sqlStateOf } from './client.ts'

const attempts = 5

/**
 * Begins again where PostgreSQL has ended this one of two transactions that waited for each other. It is for what is asked
 * for once and has nobody else to try it again. What operators do locks in one order, and commits do, but not all that a
 * batch projection's user does.
 */
export async function againAfterDeadlock<T>(run: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run()
    } catch (error) {
      const deadlock = '40P01'
      if (sqlStateOf(error) !== deadlock || attempt === attempts) throw error
    }
  }
}
