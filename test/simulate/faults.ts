/** How often what goes wrong, as parts of 1. Those of ports are for each call. */
export interface Faults {
  /** A request is lost, its connection with it: it was not carried out. */
  readonly lost: number
  /** A request is carried out; its answer is lost. */
  readonly unanswered: number
  /** A request is given up by the client, and carried out later. */
  readonly late: number
  /** A request is carried out twice, the second time later. */
  readonly doubled: number
  /** A request, or its answer, takes up to `slowMs`. */
  readonly slow: number
  readonly slowMs: number
  /** The process ends: when it calls, before the call is carried out, or after it and before the answer. */
  readonly crash: number
  /** A wake-up does not come, comes twice, or comes late (up to `slowMs`). */
  readonly wakeLost: number
  readonly wakeDoubled: number
  /** For each process and `eventMs`: it stands still for up to `pauseMs`. */
  readonly pause: number
  readonly pauseMs: number
  /** For each process and `eventMs`: it is stopped in order, and started again. */
  readonly restart: number
  /** For each process and `eventMs`: the clock on the wall jumps, to and fro. */
  readonly clockJump: number
  /** For each process and `eventMs`: it hears that it was reconnected. */
  readonly reconnect: number
  /** About how often an operator of each process does something; 0: never. */
  readonly operateMs: number
}

export const eventMs = 100

export const noFaults: Faults = {
  lost: 0,
  unanswered: 0,
  late: 0,
  doubled: 0,
  slow: 0,
  slowMs: 0,
  crash: 0,
  wakeLost: 0,
  wakeDoubled: 0,
  pause: 0,
  pauseMs: 0,
  restart: 0,
  clockJump: 0,
  reconnect: 0,
  operateMs: 0,
}

/**
 * Each seed has its own kinds of fault, some often and others never: what goes wrong only where nothing else does is
 * then found as well as what takes several at once.
 */
export function drawFaults(random: () => number): Faults {
  const upTo = (most: number): number => (random() < 0.5 ? 0 : random() ** 2 * most)
  return {
    lost: upTo(0.2),
    unanswered: upTo(0.2),
    late: upTo(0.1),
    doubled: upTo(0.1),
    slow: upTo(0.2),
    slowMs: 10 + random() * 1500,
    crash: upTo(0.01),
    wakeLost: upTo(1),
    wakeDoubled: upTo(0.3),
    pause: upTo(0.2),
    pauseMs: 100 + random() * 5000,
    restart: upTo(0.05),
    clockJump: upTo(0.2),
    reconnect: upTo(0.1),
    operateMs: random() < 0.5 ? 0 : 30 + random() * 600,
  }
}
