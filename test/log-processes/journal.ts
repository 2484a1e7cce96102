import { appendFileSync, existsSync, readFileSync } from 'node:fs'

/** One command of a writer, and what it heard of it. */
export interface Entry {
  readonly id: string
  readonly stream: number
  readonly eventCount: number
  /**
   * `sent`: nothing was heard of it, so that it is in the log once or not at all. `acknowledged`: it is in the log
   * once, and its last event has `version`. `refused`: it is not in the log.
   */
  readonly state: 'sent' | 'acknowledged' | 'refused'
  readonly version?: number
}

/** Writes an entry down. What was written outlives this process's SIGKILL: the kernel has it. */
export function note(file: string, entry: Entry): void {
  appendFileSync(file, `${JSON.stringify(entry)}\n`)
}

/** The last that was written down of each command, in the order in which they were sent. */
export function entriesOf(file: string): Map<string, Entry> {
  const entries = new Map<string, Entry>()
  for (const entry of linesOf<Entry>(file)) entries.set(entry.id, entry)
  return entries
}

/** The whole lines of a file of JSON. A line that its writer's death cut short says nothing. */
export function linesOf<Line>(file: string): Line[] {
  if (!existsSync(file)) return []
  return readFileSync(file, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line) as Line)
}
