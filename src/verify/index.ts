export type { Difference } from './compare.ts'
export type { GroupSums, PlannedCounts, PlannedGroup, PlannedRollups } from './compare-groups.ts'
export type { SumDifference, SumSide } from './compare-sums.ts'
export type { Estimate } from './estimate.ts'
export {
  type Change,
  type ExplainOptions,
  type Explanation,
  explain,
  type RowOptions,
  rowAt,
  type Step,
} from './explain.ts'
export { type Plan, type PlannedRow, type PlanOptions, plan } from './plan.ts'
export type { Verifiable } from './verifiable.ts'
export { type Verification, type VerifyOptions, verify } from './verify.ts'
