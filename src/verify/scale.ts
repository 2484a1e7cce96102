import { BifoldError } from '../define/index.ts'

/** Weighs what is held in memory, in bytes as they are estimated, against a bound. */
export interface Scale {
  fits(bytes: number): boolean
  /** Less than nothing takes away. */
  add(bytes: number): void
  /** The most that was held at a time. */
  peakBytes(): number
  /** One that takes half of what is free here, and weighs here too. */
  half(): Scale
  /** What cannot be divided further does not fit. */
  tooLarge(): BifoldError
}

export function makeScale(projection: string, limitBytes: number): Scale {
  const tooLarge = () => new BifoldError('verify/too-large', { projection, limitBytes })
  return scaleOf(limitBytes, tooLarge, () => undefined)
}

function scaleOf(limitBytes: number, tooLarge: Scale['tooLarge'], onAdd: (bytes: number) => void): Scale {
  let held = 0
  let peak = 0
  const add = (bytes: number): void => {
    held += bytes
    peak = Math.max(peak, held)
    onAdd(bytes)
  }
  return {
    fits: bytes => held + bytes <= limitBytes,
    add,
    peakBytes: () => peak,
    half: () => scaleOf(Math.floor((limitBytes - held) / 2), tooLarge, add),
    tooLarge,
  }
}
