import type { Plan } from './plan.ts'
import type { Tally } from './send.ts'

/** Where progress is written: a terminal shows one line that changes, anything else a line now and then. */
export interface Screen {
  readonly isTTY?: boolean
  write(text: string): unknown
}

export interface Progress {
  update(tally: Tally): void
  /** Ends the line that changes. */
  end(): void
}

const redrawMs = 100
const lineMs = 2000

/** @param elapsed milliseconds of a clock that never goes back */
export function progressOn(screen: Screen, total: number, elapsed: () => number = () => performance.now()): Progress {
  const startedMs = elapsed()
  const everyMs = screen.isTTY === true ? redrawMs : lineMs
  let drawnMs = startedMs - everyMs
  let last: Tally | undefined
  const draw = (tally: Tally): void => {
    const done = tally.handled
    const perSecond = done / Math.max(0.001, (elapsed() - startedMs) / 1000)
    const percent = total === 0 ? 100 : Math.floor((done / total) * 100)
    const line = `${grouped(done)} of ${grouped(total)} commands (${percent} %), ${grouped(perSecond)}/s`
    screen.write(screen.isTTY === true ? `\r\u001b[K${line}` : `${line}\n`)
    drawnMs = elapsed()
    last = undefined
  }
  return {
    update: tally => {
      last = tally
      if (elapsed() - drawnMs >= everyMs) draw(tally)
    },
    end: () => {
      if (last !== undefined) draw(last)
      if (screen.isTTY === true) screen.write('\n')
    },
  }
}

/** What is said at the end: what was accepted, repeated and rejected by which rule, and which rows told of nothing. */
export function summaryOf(tally: Tally, idle: Plan['idle'], seconds: number): string {
  const rejected = [...tally.rejected].sort(([, a], [, b]) => b - a)
  const sum = rejected.reduce((sum, [, count]) => sum + count, 0)
  const lines: (readonly [string, number])[] = [
    ['accepted', tally.accepted],
    ['repeated (accepted by an earlier import)', tally.repeated],
    ['refused by an earlier import', tally.refusedBefore],
    ['rejected', sum],
    ...rejected.map(([rule, count]) => [`  ${rule}`, count] as const),
  ]
  const silent = Object.entries(idle).filter(([, count]) => count > 0)
  return [
    `${grouped(tally.handled)} commands in ${seconds.toFixed(1)} s`,
    ...table(lines),
    ...(silent.length === 0 ? [] : ['rows without a command', ...table(silent)]),
    '',
  ].join('\n')
}

function table(lines: readonly (readonly [string, number])[]): string[] {
  const width = Math.max(...lines.map(([name]) => name.length))
  return lines.map(([name, count]) => `  ${name.padEnd(width)}  ${grouped(count).padStart(8)}`)
}

function grouped(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}
