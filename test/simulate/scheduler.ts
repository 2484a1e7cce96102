import { seeded } from '../../src/testing/seeded.ts'

/** What happens when, in a simulated world: everything follows from the seed. */
export interface Scheduler {
  readonly random: () => number
  /** Simulated milliseconds since the beginning. */
  readonly elapsed: () => number
  /** Runs `run` once, after `delayMs`. Answers with what cancels it. */
  after(delayMs: number, label: string, run: () => void): () => void
  /** Runs what is due next, and all that follows from it at once. Answers `false` where nothing is to be done. */
  step(): Promise<boolean>
  readonly steps: () => number
  /** A hash of all that happened, in its order and at its times. */
  readonly trace: () => string
}

interface Task {
  readonly atMs: number
  readonly number: number
  readonly label: string
  run: (() => void) | undefined
}

/** @param onStep hears of each step, for people. */
export function makeScheduler(seed: number, onStep: (elapsedMs: number, label: string) => void): Scheduler {
  const random = seeded(seed)
  const tasks: Task[] = []
  let elapsedMs = 0
  let numbered = 0
  let steps = 0
  let hash = 0x811c9dc5

  const mix = (text: string): void => {
    for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  }

  return {
    random,
    elapsed: () => elapsedMs,
    after: (delayMs, label, run) => {
      const task: Task = { atMs: elapsedMs + Math.max(0, delayMs), number: numbered++, label, run }
      push(tasks, task)
      return () => {
        task.run = undefined
      }
    },
    step: async () => {
      for (let task = pop(tasks); task !== undefined; task = pop(tasks)) {
        if (task.run === undefined) continue
        elapsedMs = task.atMs
        steps++
        mix(`${elapsedMs} ${task.label}\n`)
        onStep(elapsedMs, task.label)
        task.run()
        // Promises that this settled, and those that they settle, have their turn before the next task.
        await new Promise(resolve => setImmediate(resolve))
        return true
      }
      return false
    },
    steps: () => steps,
    trace: () => (hash >>> 0).toString(16).padStart(8, '0'),
  }
}

const isBefore = (a: Task, b: Task): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.number < b.number)

/** Into a binary heap, the first to run on top. */
function push(heap: Task[], task: Task): void {
  let at = heap.length
  heap.push(task)
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (!isBefore(task, heap[parent]!)) break
    heap[at] = heap[parent]!
    at = parent
  }
  heap[at] = task
}

function pop(heap: Task[]): Task | undefined {
  const first = heap[0]
  const last = heap.pop()
  if (first === undefined || last === undefined || heap.length === 0) return first
  let at = 0
  for (;;) {
    let child = 2 * at + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
    if (!isBefore(heap[child]!, last)) break
    heap[at] = heap[child]!
    at = child
  }
  heap[at] = last
  return first
}
