import { BifoldError } from '../define/index.ts'
import type { LogLimits } from '../log/index.ts'
import type { ProjectorLimits, RebuildLimits } from '../project/index.ts'
import type { RunOptions } from './run.ts'

/** What a number may be. */
interface Range {
  readonly least: number
  readonly most?: number
  /** Fractions will do, too. Default: whole numbers, and `Infinity` where there is no `most`. */
  readonly isFraction?: boolean
  /** `least` itself is not allowed. */
  readonly isAbove?: boolean
}

type Rule = Range | { readonly oneOf: readonly unknown[] } | 'function' | 'anything'
/** One for each option: a new one is not forgotten here. */
type Rules<Options> = { readonly [Name in keyof Options]-?: Rule | AnyRules }
interface AnyRules {
  readonly [name: string]: Rule | AnyRules
}

const none: Range = { least: 0 }
const some: Range = { least: 1 }
const ms: Range = { least: 0, isFraction: true }
const boolean = { oneOf: [true, false] } as const

const backoff: Rules<ProjectorLimits['retry']> = { minDelayMs: ms, maxDelayMs: ms }

const ofRebuilds: Rules<RebuildLimits> = {
  minEvents: none,
  memoryBytes: none,
  refWaitMs: ms,
  share: { least: 0, most: 1, isFraction: true, isAbove: true },
  eventsPerSecond: { least: 0, isFraction: true, isAbove: true },
  swap: { oneOf: ['auto', 'manual'] },
  retireAfterMs: ms,
  returnAfterMs: ms,
}

const ofProjections: Rules<ProjectorLimits> = {
  // Beaten for every fifth of it: shorter than this, a lease says more of the machine's load than of who is alive.
  leaseMs: { least: 100, most: 2 ** 31 - 1, isFraction: true },
  maxShards: some,
  foldAttempts: some,
  maxParkedEvents: none,
  requestPollMs: ms,
  retry: backoff,
  reconnect: backoff,
  minBatchEvents: some,
  maxBatchEvents: some,
  batchBytes: some,
  cacheBytes: none,
  // Nobody else appends meanwhile.
  appendGapEvents: { least: 0, most: 10_000 },
  appendGapPositions: none,
  // A lock time-out of 0 would be none.
  appendHoldMs: { least: 1, most: 60_000 },
  emptyMoveMs: ms,
  stretchEvents: some,
  turnEvents: some,
  maxChangedRefs: some,
  presentRows: some,
  refPollMs: ms,
  rebuild: ofRebuilds,
}

const ofLog: Rules<LogLimits> = {
  batchEvents: some,
  batchBytes: some,
  overlapEvents: some,
  queueEvents: some,
  queueBytes: some,
  appendEvents: some,
  appendBytes: some,
  documentBytes: some,
  documentDepth: some,
  unknownTimeoutMs: ms,
  windowEvents: none,
  windowBytes: none,
  minPollMs: ms,
  maxPollMs: ms,
}

const ofCommands: Rules<NonNullable<RunOptions['commands']>> = {
  attempts: some,
  maxPending: some,
  cacheStates: none,
  pageEvents: some,
  maxPendingSnapshots: none,
  onSnapshotFailed: 'function',
}

const ofQueries: Rules<NonNullable<RunOptions['queries']>> = {
  maxPending: some,
  gatherKeys: some,
  gatherInFlight: some,
  pollMs: ms,
}

const rules: Rules<RunOptions> = {
  on: 'anything',
  roles: { commands: boolean, projections: boolean, queries: boolean },
  runtime: 'anything',
  onWarning: 'function',
  log: ofLog,
  commands: ofCommands,
  projections: ofProjections,
  queries: ofQueries,
}

/**
 * A bound that is misspelt, or that nothing could go on under, is found at the start: at run time it would look like a view
 * that stands still, or like no bound at all.
 * @throws `setup/invalid-option`
 */
export function checkOptions(options: RunOptions): void {
  checkAll(options, rules, '')
}

function checkAll(options: unknown, all: AnyRules, path: string): void {
  if (typeof options !== 'object' || options === null) refuse(path.slice(0, -1) || 'options', 'it is an object')
  for (const [name, value] of Object.entries(options)) {
    const rule = Object.hasOwn(all, name) ? all[name] : undefined
    if (rule === undefined)
      refuse(`${path}${name}`, `there is no such option; there are ${Object.keys(all).join(', ')}`)
    if (isGroup(rule)) checkAll(value, rule, `${path}${name}.`)
    else if (!isWithin(value, rule)) refuse(`${path}${name}`, said(rule))
  }
}

function isGroup(rule: Rule | AnyRules): rule is AnyRules {
  return typeof rule === 'object' && !('least' in rule) && !('oneOf' in rule)
}

function isWithin(value: unknown, rule: Rule): boolean {
  if (rule === 'anything') return true
  if (rule === 'function') return typeof value === 'function'
  if ('oneOf' in rule) return rule.oneOf.includes(value)
  const { least, most = Number.POSITIVE_INFINITY, isFraction = false, isAbove = false } = rule
  if (typeof value !== 'number' || !(isAbove ? value > least : value >= least) || value > most) return false
  return isFraction || value === Number.POSITIVE_INFINITY || Number.isInteger(value)
}

function said(rule: Rule): string {
  if (rule === 'anything') return 'it is given'
  if (rule === 'function') return 'it is a function'
  if ('oneOf' in rule) return `it is ${rule.oneOf.map(one => JSON.stringify(one)).join(' or ')}`
  const { least, most, isFraction = false, isAbove = false } = rule
  const kind = isFraction ? 'a number' : 'a whole number'
  return `it is ${kind} ${isAbove ? `above ${least}` : `from ${least} on`}${most === undefined ? '' : `, up to ${most}`}`
}

function refuse(option: string, rule: string): never {
  throw new BifoldError('setup/invalid-option', { option, rule })
}
