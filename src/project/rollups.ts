import { type AnyProjection, BifoldError, type Rollup } from '../define/index.ts'
import type { Row } from './encode-row.ts'
import { foldedAt, type LastEvent } from './folded-at.ts'
import { keyProblem } from './key-problem.ts'
import { compareText } from './order.ts'
import type { RollupSum } from './rollup-store.ts'
import { thrown } from './thrown.ts'

/** What one row adds to one rollup. */
export interface Contribution {
  readonly rollup: string
  readonly group: string
  readonly sums: readonly (readonly [name: string, value: number])[]
}

/** The name of the sum that counts the rows of a group. No sum of a definition is named so. */
export const rowCount = ''

const maxSums = 64

/** What a projection's rows add to its rollups: pure, and each row for itself. `undefined` where it has none. */
export function makeContributions(
  projection: AnyProjection,
): ((row: Row, last: LastEvent) => readonly Contribution[]) | undefined {
  const rollups = Object.entries(projection.rollups) as readonly [string, Rollup][]
  if (rollups.length === 0) return undefined

  function call(rollup: string, part: 'by' | 'sum', give: (row: Row) => unknown, row: Row, last: LastEvent): unknown {
    try {
      return give(row)
    } catch (cause) {
      const at = { ...foldedAt(projection.name, last()), part: `rollups.${rollup}.${part}` }
      throw new BifoldError('project/present-failed', { ...at, ...thrown(cause) }, { cause })
    }
  }

  return (row, last) => {
    const found: Contribution[] = []
    for (const [rollup, { by, sum }] of rollups) {
      const group = call(rollup, 'by', by, row, last)
      if (group === null) continue
      const given = call(rollup, 'sum', sum, row, last)
      const problem = groupProblem(group) ?? sumsProblem(given)
      if (problem !== undefined) {
        throw new BifoldError('project/invalid-rollup', { ...foldedAt(projection.name, last()), rollup, problem })
      }
      found.push({ rollup, group: group as string, sums: Object.entries(given as Record<string, number>) })
    }
    return found
  }
}

function groupProblem(group: unknown): string | undefined {
  if (typeof group !== 'string') return `\`by\` gives text or null, not ${typeof group}`
  const problem = keyProblem(group)
  return problem === undefined ? undefined : `the group that \`by\` gives will not do: ${problem}`
}

function sumsProblem(sums: unknown): string | undefined {
  if (typeof sums !== 'object' || sums === null) return `\`sum\` gives an object of integers, not ${typeof sums}`
  const entries = Object.entries(sums)
  if (entries.length > maxSums) return `\`sum\` gives more than ${maxSums} sums`
  for (const [name, value] of entries) {
    if (!/^[A-Za-z][A-Za-z0-9_]*$/.test(name) || name.length > 63) {
      return 'the name of a sum begins with a letter, goes on with letters, digits and _, and has at most 63 characters'
    }
    if (name === 'group') return "a sum cannot be named 'group': so is the group itself"
    if (!Number.isSafeInteger(value)) return `the sum '${name}' is no integer between -(2^53 - 1) and 2^53 - 1`
  }
  return undefined
}

/** Adds up contributions. Each group has a sum more than the definition names, which counts its rows. */
export function addUp(): {
  add(tenant: string, contribution: Contribution, sign: 1 | -1): void
  /** What is not zero, in the order of rollups, tenants, groups and names. */
  sums(): readonly RollupSum[]
} {
  const found = new Map<string, { -readonly [Part in keyof RollupSum]: RollupSum[Part] }>()

  function addOne(id: string, at: Pick<RollupSum, 'rollup' | 'tenant' | 'group' | 'sum'>, value: bigint, sign: 1 | -1) {
    const sum = found.get(id)
    if (sum === undefined) {
      found.set(id, { ...at, rows: sign, value })
      return
    }
    sum.rows += sign
    sum.value += value
  }

  return {
    add: (tenant, { rollup, group, sums }, sign) => {
      const id = `${rollup}\u0000${tenant}\u0000${group}\u0000`
      addOne(id, { rollup, tenant, group, sum: rowCount }, 0n, sign)
      for (const [name, value] of sums) {
        const exact = BigInt(value)
        addOne(id + name, { rollup, tenant, group, sum: name }, sign === 1 ? exact : -exact, sign)
      }
    },
    sums: () => [...found.values()].filter(({ rows, value }) => rows !== 0 || value !== 0n).sort(compareSums),
  }
}

type SumName = Pick<RollupSum, 'rollup' | 'tenant' | 'group' | 'sum'>

/** The order in which stores keep sums and give them out. */
export function compareSums(a: SumName, b: SumName): number {
  return (
    compareText(a.rollup, b.rollup) ||
    compareText(a.tenant, b.tenant) ||
    compareText(a.group, b.group) ||
    compareText(a.sum, b.sum)
  )
}
