import type { BifoldError } from '../define/index.ts'
import type { KeyFailure, SetAside } from './aside.ts'
import type { ParkedKey, Parking } from './dead-letters.ts'

/** Frames of a stack that are kept, and characters of each. */
const maxFrames = 20
const maxFrameChars = 300
const maxMessageChars = 4000

export interface ParkingContext {
  readonly attempts: number
  /** Milliseconds since the epoch. */
  readonly now: number
  readonly maxEvents: number
}

/** What a commit writes of what was set aside; `undefined` where nothing was. */
export function parkingOf(setAside: SetAside | undefined, context: ParkingContext): Parking | undefined {
  if (setAside === undefined) return undefined
  const { failures, letters } = setAside
  const since = new Date(context.now).toISOString()
  const { attempts, maxEvents } = context
  const parked = failures.map(failure => parkedKeyOf(failure, { attempts, since }))
  return { parked, letters, drained: [], skipped: [], answered: [], maxEvents }
}

/** How a key that failed is kept. */
export function parkedKeyOf(
  { tenant, key, position, error, refsAt }: KeyFailure,
  { attempts, since }: Pick<ParkedKey, 'attempts' | 'since'>,
): ParkedKey {
  const standing = { tenant, key, position, ...(refsAt !== undefined && { refsAt }) }
  return { ...standing, ...describe(error), attempts, since }
}

/** Both of what two parts of a commit write. */
export function bothParkings(one: Parking | undefined, other: Parking | undefined): Parking | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return { ...one, parked: [...one.parked, ...other.parked], letters: [...one.letters, ...other.letters] }
}

/** What is kept of an error: no more of what was thrown than where. Its message may quote what users stored. */
export function describe(error: BifoldError): Pick<ParkedKey, 'code' | 'message' | 'stack'> {
  const thrown = error.cause instanceof Error ? error.cause : undefined
  const frames = (thrown?.stack ?? '')
    .split('\n')
    .flatMap(line => /^\s+(at .+)$/.exec(line)?.[1] ?? [])
    .slice(0, maxFrames)
  const stack = frames.map(frame => storable(frame, maxFrameChars)).join('\n')
  return { code: error.code, message: storable(error.message, maxMessageChars), ...(stack !== '' && { stack }) }
}

/** Text that every store takes. */
function storable(text: string, maxChars: number): string {
  return text.slice(0, maxChars).replaceAll('\u0000', '\ufffd').toWellFormed()
}
