import { BifoldError, type System } from '../../src/index.ts'
import { origin } from '../../src/log/index.ts'
import { isFragile } from './ledger.ts'
import type { Machine } from './machine.ts'
import type { Accepted, Operation } from './operations.ts'

/** What a query answered, and where the view stood when it did. */
export interface Answered {
  readonly view: string
  readonly tenant: string
  readonly key: string
  readonly after: number
  readonly asOf: number
  readonly stale: boolean
  /** The row lacks events, since its key is parked. */
  readonly parked: boolean
  /** Whoever asked would take a stale answer, after so long. */
  readonly staleAfterMs: number
  readonly waitedMs: number
  readonly doc: string | null
  /** How far the key's shard was in the store at that moment; where the view was emptied meanwhile, anywhere. */
  readonly reached: number
}

/** What clients of all processes share: people, and their browsers. */
export interface Desk {
  /** The next thing to do; `undefined` where there is nothing at the moment. */
  next(): Operation | undefined
  /** To be sent again. */
  again(operation: Operation): void
  /** What was accepted lately, by whatever process. */
  readonly recent: { readonly operation: Operation; readonly accepted: Accepted }[]
  readonly answers: Answered[]
  isOpen(): boolean
  /** Is it still the time in which things go wrong? */
  isTroubled(): boolean
  /** How often a view was emptied. */
  resets(): number
  /** Where the shard of a key is, in the store itself. */
  reachedOf(view: string, tenant: string, key: string): Promise<number>
  /** Accepted commands that were in the view of notes when they were answered, and those that came later. */
  readonly visible: { at: number; later: number }
  wrong(what: string): void
}

export interface Place {
  readonly machine: Machine
  readonly system: System
  readonly desk: Desk
  /** Sent from here, and not answered. */
  readonly underWay: Set<Operation>
  /** What operators here have begun, and not ended. */
  readonly operating: Set<string>
}

const sleep = ({ runtime }: Machine, forMs: number): Promise<void> =>
  new Promise(resolve => {
    runtime.after(forMs, resolve)
  })

const codeOf = (error: unknown): string => (error instanceof BifoldError ? error.code : String(error))

const refusals = new Set([
  'command/rejected',
  'command/conflict',
  'command/overloaded',
  'log/connection-lost',
  'log/overloaded',
  'log/closed',
  'project/append-refused',
])

/** Sends one operation after the other, some of them again, until there is nothing to do. */
export async function write({ machine, system, desk, underWay }: Place, spacingMs: number): Promise<void> {
  while (desk.isOpen()) {
    await sleep(machine, machine.runtime.random() * spacingMs)
    const operation = desk.next()
    if (operation === undefined) continue
    underWay.add(operation)
    try {
      const accepted = await operation.send(system)
      operation.accepted.push(accepted)
      desk.recent.push({ operation, accepted })
      const note = operation.touches.find(({ view }) => view === 'notes')
      if (note !== undefined) {
        const isIn = (await desk.reachedOf('notes', note.tenant, note.key)) >= accepted.position
        desk.visible[isIn ? 'at' : 'later']++
      }
      // Somebody pressed the button twice.
      if (operation.commandId !== undefined && machine.runtime.random() < 0.1) desk.again(operation)
    } catch (error) {
      const code = codeOf(error)
      if (code === 'log/outcome-unknown') operation.isUnknown = true
      else if (refusals.has(code)) operation.refused.push(code)
      else desk.wrong(`operation ${operation.number} was refused with ${code}`)
      const isFinal = code === 'command/rejected'
      if (!isFinal && (operation.commandId !== undefined || code !== 'log/outcome-unknown')) desk.again(operation)
    }
    underWay.delete(operation)
  }
}

const mayAnswer = new Set([
  'query/timeout',
  'query/closed',
  'log/connection-lost',
  'log/closed',
  'project/store-unreachable',
])

/** Reads what others wrote, after their tokens. */
export async function ask({ machine, system, desk }: Place, spacingMs: number): Promise<void> {
  const { random } = machine.runtime
  while (desk.isOpen()) {
    await sleep(machine, random() * spacingMs)
    const one = desk.recent[desk.recent.length - 1 - Math.floor(random() ** 2 * desk.recent.length)]
    const row = one?.operation.touches[Math.floor(random() * one.operation.touches.length)]
    if (one === undefined || row === undefined) continue
    const { position, token } = one.accepted
    const isAfter = random() < 0.8
    const onTimeout = random() < 0.3 ? 'stale' : 'error'
    const options = {
      tenant: row.tenant,
      onTimeout,
      waitMs: random() * 1000,
      ...(isAfter && { after: token }),
    } as const
    const startedMs = machine.runtime.elapsed()
    const resets = desk.resets()
    try {
      const { value, asOf, stale, parked } = await system.queryText(row.view, { key: row.key }, options)
      const found = await desk.reachedOf(row.view, row.tenant, row.key)
      const reached = desk.resets() === resets ? found : Number.POSITIVE_INFINITY
      const doc = value === 'null' ? null : value
      const staleAfterMs = onTimeout === 'stale' ? options.waitMs : Number.POSITIVE_INFINITY
      const waitedMs = machine.runtime.elapsed() - startedMs
      desk.answers.push({
        ...row,
        after: isAfter ? position : 0,
        asOf,
        stale,
        parked: parked === true,
        staleAfterMs,
        waitedMs,
        doc,
        reached,
      })
    } catch (error) {
      const mayBeParked = isFragile(row.key) || row.view === 'cards'
      const isParked = codeOf(error) === 'query/parked' && mayBeParked && isAfter
      if (!mayAnswer.has(codeOf(error)) && !isParked) desk.wrong(`a query of ${row.view} failed with ${codeOf(error)}`)
    }
  }
}

/** Follows the log: every event comes once, and in its order. */
export async function follow({ machine, system, desk }: Place): Promise<void> {
  let cursor = origin
  while (desk.isOpen()) {
    try {
      const page = await system.log.read(cursor, { maxEvents: 1 + Math.floor(machine.runtime.random() * 20) })
      for (const [at, { position }] of page.events.entries()) {
        if (position !== cursor.position + at + 1) desk.wrong(`a reader at ${cursor.position} was handed ${position}`)
      }
      if (page.through.position !== cursor.position + page.events.length) {
        desk.wrong(`a reader at ${cursor.position} got ${page.events.length} events up to ${page.through.position}`)
      }
      cursor = page.through
      if (page.events.length > 0) continue
      const waited = new AbortController()
      const cancel = machine.runtime.after(500, () => waited.abort())
      await system.log.waitBeyond(cursor.position, waited.signal)
      cancel()
      await machine.runtime.turn()
    } catch (error) {
      const code = codeOf(error)
      if (code === 'log/closed') return
      if (code !== 'log/connection-lost') desk.wrong(`a reader at ${cursor.position} failed with ${code}`)
      await sleep(machine, 50)
    }
  }
}
