import { setTimeout as sleep } from 'node:timers/promises'

export const perSecond = 200

/** Takes a sample every 1/`perSecond` of a second, whether or not the last one is there, and drops the first `warmUp`. */
export async function paced(
  samples: number,
  warmUp: number,
  sample: (n: number) => Promise<number>,
): Promise<readonly number[]> {
  return (await pacedWhile(n => n < samples, sample)).slice(warmUp)
}

/** Takes samples at that pace as long as `goesOn`. */
export async function pacedWhile<Sample>(
  goesOn: (n: number) => boolean,
  sample: (n: number) => Promise<Sample>,
): Promise<readonly Sample[]> {
  const begin = performance.now()
  const taken: Promise<Sample>[] = []
  for (let n = 0; goesOn(n); n++) {
    const dueMs = begin + (n / perSecond) * 1000
    // Timers are coarse, to a millisecond: what is overdue goes at once.
    const waitMs = dueMs - performance.now()
    if (waitMs > 0) await sleep(waitMs)
    const one = sample(n)
    one.catch(() => undefined)
    taken.push(one)
  }
  return Promise.all(taken)
}
