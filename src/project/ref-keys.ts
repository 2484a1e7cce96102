import { type AnyProjection, BifoldError } from '../define/index.ts'
import type { Row } from './encode-row.ts'
import { foldedAt, type LastEvent } from './folded-at.ts'
import { keyProblem } from './key-problem.ts'
import { thrown } from './thrown.ts'

/** Which rows a state refers to, by the names of the refs; `null` where to none. */
export type RefKeys = Readonly<Record<string, string | null>>

/** What the refs of a projection give for a state: pure. `undefined` where it has none. */
export function makeRefKeys({ name, refs }: AnyProjection): ((state: Row, last: LastEvent) => RefKeys) | undefined {
  const all = Object.entries(refs)
  if (all.length === 0) return undefined
  return (state, last) => {
    const keys: Record<string, string | null> = {}
    for (const [ref, { key: keyOf }] of all) {
      let key: unknown
      try {
        key = keyOf(state)
      } catch (cause) {
        const at = { ...foldedAt(name, last()), part: `refs.${ref}.key` }
        throw new BifoldError('project/present-failed', { ...at, ...thrown(cause) }, { cause })
      }
      const problem = key === null ? undefined : keyProblem(key)
      if (problem !== undefined) {
        throw new BifoldError('project/invalid-ref', { ...foldedAt(name, last()), ref, problem })
      }
      keys[ref] = key as string | null
    }
    return keys
  }
}
