import type { AnyQuery, System } from 'bifold'
import { customer } from '../views/customers.ts'
import { order } from '../views/order-summaries.ts'
import { product } from '../views/product-pages.ts'
import type { Figures } from './figures.ts'

/** The cheapest question to each view. */
const questions: readonly (readonly [query: AnyQuery, input: unknown])[] = [
  [customer, { customerId: 'probe' }],
  [order, { orderId: 'probe' }],
  [product, { productId: 'probe' }],
]

const pauseMs = 200

/**
 * Measures each view's lag from outside: when a command has been answered, asks every view with its token and takes
 * the time until the answer. One question at a time for each view, and at most five in a second.
 */
export function lagProbe(
  { query }: Pick<System, 'query'>,
  { figures, elapsed }: { readonly figures: Figures; readonly elapsed: () => number },
): { committed(token: string): void; idle(): Promise<void> } {
  const probes = questions.map(([question, input]) => {
    let asking: Promise<void> | undefined
    let notBefore = 0

    async function ask(after: string): Promise<void> {
      const answered = figures.waitFor(question.from.name)
      try {
        await query(question, input, { after, onTimeout: 'stale' })
        answered()
      } catch {
        answered() // The system is closing, or full: the wait was real all the same
      } finally {
        asking = undefined
        notBefore = elapsed() + pauseMs
      }
    }

    return {
      committed(token: string) {
        if (asking === undefined && elapsed() >= notBefore) asking = ask(token)
      },
      idle: async () => asking,
    }
  })

  return {
    committed(token) {
      for (const probe of probes) probe.committed(token)
    },
    async idle() {
      await Promise.all(probes.map(probe => probe.idle()))
    },
  }
}
