import { BifoldError, type Column } from '../define/index.ts'
import type { ListedDoc, RollupGroup } from '../project/index.ts'
import type { ReadableView } from './read.ts'

/** What a group is known and listed by. */
export const groupColumns: readonly Column[] = [{ name: 'group', type: 'text', nullable: false }]
export const groupIndexes: readonly (readonly string[])[] = [['group']]

/** A rollup of a view as a view whose rows are the groups. It is as of the lowest shard: each adds to every group. */
export function groupsOf(view: ReadableView, rollup: string): ReadableView {
  const docOf = ({ group, sums }: RollupGroup): string =>
    `{${[['group', JSON.stringify(group)], ...sums.map(([sum, value]) => [sum, numberOf(sum, value)])]
      .map(([name, value]) => `${JSON.stringify(name)}:${value}`)
      .join()}}`

  function numberOf(sum: string, value: bigint): string {
    if (value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER) return String(value)
    throw new BifoldError('query/sum-too-large', { projection: view.projection, rollup, sum })
  }

  return {
    ...view,
    get: async keys => {
      const { value, asOf } = await view.rollups.get(rollup, keys)
      return { value: value.map(group => (group === null ? null : docOf(group))), asOf, shards: [asOf] }
    },
    list: async scan => {
      const { value, asOf } = await view.rollups.list(rollup, scan)
      return { value: value.map((group): ListedDoc => ({ key: group.group, doc: docOf(group) })), asOf }
    },
  }
}
