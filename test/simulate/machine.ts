import type { Runtime } from '../../src/log/index.ts'
import type { Faults } from './faults.ts'
import type { Scheduler } from './scheduler.ts'

/**
 * A process of the simulated world. It touches the world by its clock and by calls to ports alone. Once it has crashed
 * nothing is run for it any more: its promises stay as they are for ever, and with them all that waits for them.
 */
export interface Machine {
  readonly name: string
  readonly runtime: Runtime
  isAlive(): boolean
  crash(): void
  /** Nothing is run for this process for so long. What it has sent is carried out all the same. */
  pause(forMs: number): void
  jumpClock(byMs: number): void
  /** Runs `run` in this process. */
  task(delayMs: number, label: string, run: () => void): () => void
  /** How long a message takes. */
  latencyMs(): number
  /** Is it time for a fault of this rate? */
  hit(rate: number): boolean
  /** Runs `wake` soon: or late, or twice, or never. */
  hint(label: string, wake: () => void): void
  /** Sends a request, which arrives after `delayMs` and is carried out by `effect`; answers with what that answers. */
  send<T>(label: string, delayMs: number, effect: () => Promise<T>): Promise<T>
  /** Lets a request be carried out once more, some time, whatever has become of it. @param withinMs default: `slowMs` */
  again(label: string, effect: () => Promise<unknown>, withinMs?: number): void
  /** As `send`, over a connection that fails at times. `gone` makes the error of that. */
  call<T>(
    label: string,
    effect: () => Promise<T>,
    gone: () => Error,
    options?: { readonly mayDouble?: boolean },
  ): Promise<T>
}

export interface MachineOptions {
  readonly name: string
  readonly scheduler: Scheduler
  readonly faults: () => Faults
  /** Counts what was sent, by whomever, and has not arrived. */
  readonly wire: Wire
  readonly onCrash: () => void
}

export interface Wire {
  underWay: number
}

/** 2026-01-01: what clocks on walls show at the beginning. */
export const epochMs = 1_767_225_600_000

const never = <T>(): Promise<T> => new Promise(() => undefined)

export function makeMachine({ name, scheduler, faults, wire, onCrash }: MachineOptions): Machine {
  const { random } = scheduler
  let alive = true
  let pausedUntilMs = 0
  let skewMs = 0

  const hit = (rate: number): boolean => rate > 0 && random() < rate
  const latencyMs = (): number => (hit(faults().slow) ? random() * faults().slowMs : 0.05 + random() ** 3 * 5)
  const crash = (): void => {
    if (!alive) return
    alive = false
    onCrash()
  }
  const task = (delayMs: number, label: string, run: () => void): (() => void) => {
    let cancel = (): void => undefined
    const due = (): void => {
      if (!alive) return
      const leftMs = pausedUntilMs - scheduler.elapsed()
      if (leftMs > 0) cancel = scheduler.after(leftMs, `${name} waits`, due)
      else run()
    }
    cancel = scheduler.after(delayMs, `${name} ${label}`, due)
    return () => cancel()
  }
  const mayCrash = (): boolean => {
    if (hit(faults().crash)) crash()
    return !alive
  }
  const arrive = (delayMs: number, label: string, run: () => void): void => {
    wire.underWay++
    scheduler.after(delayMs, `${name} ${label}`, () => {
      wire.underWay--
      run()
    })
  }
  const send: Machine['send'] = (label, delayMs, effect) => {
    if (mayCrash()) return never()
    return new Promise((resolve, reject) => {
      arrive(delayMs, label, () => {
        // What a process sent before it died may have got through.
        if (!alive && random() < 0.5) return
        mayCrash()
        effect().then(
          value => task(latencyMs(), `${label} answered`, () => resolve(value)),
          (error: unknown) => task(latencyMs(), `${label} refused`, () => reject(error as Error)),
        )
        mayCrash()
      })
    })
  }

  /** What is between a process and a port has sent a request twice. */
  const again: Machine['again'] = (label, effect, withinMs = faults().slowMs) => {
    arrive(random() * withinMs, `${label} again`, () => {
      effect().catch(() => undefined)
    })
  }

  return {
    name,
    runtime: {
      now: () => epochMs + scheduler.elapsed() + skewMs,
      elapsed: scheduler.elapsed,
      random,
      after: (delayMs, run) => task(delayMs + random(), 'timer', run),
      turn: () => new Promise(resolve => task(random() * 0.2, 'turn', resolve)),
      stayAlive: () => () => undefined,
    },
    isAlive: () => alive,
    crash,
    pause: forMs => {
      pausedUntilMs = Math.max(pausedUntilMs, scheduler.elapsed() + forMs)
    },
    jumpClock: byMs => {
      skewMs += byMs
    },
    task,
    latencyMs,
    hit,
    hint: (label, wake) => {
      if (!alive || hit(faults().wakeLost)) return
      task(latencyMs(), label, wake)
      if (hit(faults().wakeDoubled)) task(latencyMs() * 3, label, wake)
    },
    send,
    again,
    call: (label, effect, gone, { mayDouble = true } = {}) => {
      const { lost, unanswered, late, doubled, slowMs } = faults()
      const failing = (delayMs: number, why: string): Promise<never> =>
        new Promise((_, reject) => {
          task(delayMs, `${label} ${why}`, () => reject(gone()))
        })
      if (hit(lost)) return mayCrash() ? never() : failing(latencyMs(), 'lost')
      if (hit(late)) {
        send(label, random() * slowMs, effect).catch(() => undefined)
        return failing(latencyMs(), 'given up')
      }
      const answer = send(label, latencyMs(), effect)
      if (mayDouble && hit(doubled)) again(label, effect)
      if (!hit(unanswered)) return answer
      return answer.then(() => {
        throw gone()
      })
    },
  }
}
