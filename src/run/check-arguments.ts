import { BifoldError } from '../define/index.ts'
import { textProblem } from '../project/index.ts'

interface Rule {
  readonly rule: string
  readonly holds: (value: unknown) => boolean
}

const isWhole = (value: unknown, least: number, most = Number.MAX_SAFE_INTEGER): boolean =>
  Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most
const isText = (value: unknown): boolean => typeof value === 'string' && textProblem(value) === undefined
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null

const text = { rule: 'it is text, without U+0000 and halves of surrogate pairs', holds: isText }
const maxGeneration = 2 ** 31 - 1

const rules = {
  options: { rule: 'they are an object', holds: isObject },
  key: text,
  tenant: text,
  generation: { rule: 'it is a whole number from 1', holds: value => isWhole(value, 1, maxGeneration) },
  position: { rule: 'it is a whole number from 1', holds: value => isWhole(value, 1) },
  limit: { rule: 'it is a whole number from 1', holds: value => isWhole(value, 1) },
  maxEvents: { rule: 'it is a whole number from 0', holds: value => isWhole(value, 0) },
  timeoutMs: { rule: 'it is a number from 0', holds: value => typeof value === 'number' && value >= 0 },
  after: {
    rule: 'it is a key as `list` gives it, with `tenant` and `key`',
    holds: value =>
      isObject(value) &&
      isText(value['tenant']) &&
      isText(value['key']) &&
      (value['generation'] === undefined || isWhole(value['generation'], 1, maxGeneration)),
  },
} satisfies Record<string, Rule>

export type Argument = keyof typeof rules

/**
 * What types do not hold is told by a code before any store is asked: each would say something else, or nothing. What is
 * `undefined` was left out.
 * @throws `run/invalid-argument`
 */
export function checkArguments(operation: string, given: Partial<Record<Argument, unknown>>): void {
  for (const [argument, value] of Object.entries(given) as [Argument, unknown][]) {
    const { rule, holds }: Rule = rules[argument]
    if (value !== undefined && !holds(value))
      throw new BifoldError('run/invalid-argument', { operation, argument, rule })
  }
}

/** The options of an operation, all of which are checked. @throws `run/invalid-argument` */
export function checkOptions(operation: string, options: object | null): void {
  checkArguments(operation, { options })
  const checked = Object.entries(options ?? {}).filter(([name]) => Object.hasOwn(rules, name))
  checkArguments(operation, Object.fromEntries(checked))
}
