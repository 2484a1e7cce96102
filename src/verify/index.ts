export type { Difference } from './compare.ts'
export {
  type Change,
  type ExplainOptions,
  type Explanation,
  explain,
  type RowOptions,
  rowAt,
  type Step,
} from './explain.ts'
export type { Verifiable } from './verifiable.ts'
export { type Verification, type VerifyOptions, verify } from './verify.ts'
