import { BifoldError } from '../../src/index.ts'
import type { BatchResult, LogStorage } from '../../src/log/index.ts'
import type { Faults } from './faults.ts'
import type { Machine } from './machine.ts'
import { remote } from './remote.ts'

const gone = (): Error => new BifoldError('log/connection-lost', { problem: 'it was cut' })

/** A log's storage as one process reaches it, over a network that fails. */
export function faultyLog(inner: LogStorage, machine: Machine, faults: () => Faults): FaultyLog {
  const hearing = new Set<{ readonly wake: (head?: number) => void; readonly reconnected: () => void }>()
  return {
    ...remote('log', inner, machine, gone),
    appendBatch: makeLine(inner, machine, faults),
    listen: async (wake, reconnected) => {
      const end = await machine.call(
        'log.listen',
        // A hint may say where the head is, and may not.
        () => inner.listen(head => machine.hint('woken', () => wake(machine.hit(0.2) ? undefined : head)), reconnected),
        gone,
      )
      const ear = { wake, reconnected }
      hearing.add(ear)
      return async () => {
        hearing.delete(ear)
        await end()
      }
    },
    close: async () => undefined,
    reconnect: () => {
      for (const { reconnected } of hearing) machine.task(0, 'reconnected', reconnected)
    },
  }
}

export interface FaultyLog extends LogStorage {
  /** Lets the process hear that it was reconnected. */
  reconnect(): void
}

/** One connection: what is sent on it is carried out in the order in which it was sent, and ends together. */
interface Connection {
  readonly open: Set<() => void>
  lastMs: number
  isLost: boolean
}

/** The lane's way to the log. Its batches overlap, keep their order, and are cut off together. */
function makeLine(inner: LogStorage, machine: Machine, faults: () => Faults): LogStorage['appendBatch'] {
  const { runtime } = machine
  const connect = (): Connection => ({ open: new Set(), lastMs: 0, isLost: false })
  let current = connect()

  const cutSoon = (connection: Connection, afterMs: number): void => {
    machine.task(afterMs, 'log.appendBatch cut', () => {
      if (current === connection) current = connect()
      for (const fail of connection.open) fail()
      connection.open.clear()
    })
  }

  return (batch, known, within) => {
    const connection = current
    const { lost, unanswered, late, doubled, slowMs } = faults()
    connection.isLost ||= machine.hit(lost)
    if (connection.isLost) cutSoon(connection, machine.latencyMs())
    const isLate = machine.hit(late)
    const atMs = runtime.elapsed() + machine.latencyMs() + (isLate ? runtime.random() * slowMs : 0)
    connection.lastMs = Math.max(connection.lastMs, atMs)
    if (isLate) cutSoon(connection, machine.latencyMs())
    if (machine.hit(unanswered)) cutSoon(connection, connection.lastMs - runtime.elapsed())
    // A server that is frozen closes no connection, and answers nothing.
    const isSilent = machine.hit(unanswered / 4)
    return new Promise<BatchResult>((resolve, reject) => {
      const fail = (): void => reject(gone())
      connection.open.add(fail)
      if (connection.isLost) return
      const settle = (end: () => void): void => {
        if (!isSilent && connection.open.delete(fail)) end()
      }
      // A transaction needs its client to the end: what arrives when that has given up is rolled back.
      const along: typeof within =
        within &&
        (open => {
          if (!connection.open.has(fail) || !machine.isAlive()) throw gone()
          return within(open)
        })
      const effect = (): Promise<BatchResult> => inner.appendBatch(batch, known, along)
      if (machine.hit(doubled) && within === undefined) machine.again('log.appendBatch', effect)
      machine.send('log.appendBatch', connection.lastMs - runtime.elapsed(), effect).then(
        result => settle(() => resolve(result)),
        (error: unknown) => settle(() => reject(error as Error)),
      )
    })
  }
}
