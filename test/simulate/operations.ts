import { BifoldError, type System } from '../../src/index.ts'
import { type StreamKey, tokenOf } from '../../src/log/index.ts'
import { Account, cardOf, fragileWord, NoteEvents, OwnerEvents } from './ledger.ts'

/** Something that a client wants done once, and what it heard of it. It comes to one event at most. */
export interface Operation {
  readonly number: number
  /** It may be sent again under this id. */
  readonly commandId: string | undefined
  /** The rows that its event touches. */
  readonly touches: readonly { readonly view: string; readonly tenant: string; readonly key: string }[]
  readonly send: (system: System) => Promise<Accepted>
  /** Somebody who sent it never heard what became of it. */
  isUnknown: boolean
  /** What was answered: each time, in order. */
  readonly accepted: Accepted[]
  readonly refused: string[]
}

export interface Accepted {
  /** Of its event; `undefined` where nothing was to be done. */
  readonly event: number | undefined
  readonly position: number
  readonly token: string
}

const tenants = ['default', 'other']
const words = ['ape', 'bee', 'cat', 'dog', fragileWord, fragileWord]

type Send = Operation['send']

/** @param isAlong is there a view of whole notes? */
export function drawOperation(random: () => number, number: number, isAlong: boolean): Operation {
  const below = (count: number): number => Math.floor(random() * count)
  const tenant = tenants[random() < 0.8 ? 0 : 1]!
  const commandId = random() < 0.6 ? `op-${number}` : undefined
  const options = { tenant, ...(commandId !== undefined && { commandId }) }
  const base = { number, commandId, isUnknown: false, accepted: [], refused: [] }
  const id = `a-${below(5)}`
  const account = { view: 'accounts', tenant, key: id }

  const dispatching =
    (sent: (system: System) => ReturnType<System['dispatch']>): Send =>
    async system => {
      const { events, position, token } = await sent(system)
      return { event: events[0]?.position, position, token }
    }

  const kind = random()
  if (kind < 0.17) {
    const owner = `o-${below(2)}`
    const touches = [account, { view: 'owners', tenant, key: owner }]
    const input = { op: number, owner }
    return { ...base, touches, send: dispatching(system => system.dispatch(Account, id, 'Open', input, options)) }
  }
  if (kind < 0.45) {
    const input = { op: number, amount: below(9) - 3 }
    const send = dispatching(system => system.dispatch(Account, id, 'Move', input, options))
    return { ...base, touches: [account], send }
  }
  if (kind < 0.5) {
    const send = dispatching(system => system.dispatch(Account, id, 'Close', { op: number }, options))
    return { ...base, touches: [account], send }
  }
  const note = `n-${below(3)}`
  if (kind < 0.65) {
    const owner = `o-${below(3)}`
    const event =
      kind < 0.61 ? OwnerEvents.Renamed({ op: number, name: words[below(4)]! }) : OwnerEvents.Left({ op: number })
    // Whose cards are made anew.
    const touches = [owner, ...words.map(word => cardOf(word, note))].map(key => ({
      view: key === owner ? 'owners' : 'cards',
      tenant,
      key,
    }))
    return {
      ...base,
      touches,
      send: system => appended(system, { tenant, category: 'owner', id: owner }, event, commandId),
    }
  }
  const own = [...new Set(Array.from({ length: below(4) }, () => words[below(words.length)]!))]
  const data = { op: number, words: own }
  const event = kind < 0.88 ? NoteEvents.Noted(data) : NoteEvents.Unnoted(data)
  const stream = { tenant, category: 'note', id: note }
  const touches = own.flatMap(word => [
    { view: 'words', tenant, key: word },
    { view: 'cards', tenant, key: cardOf(word, note) },
  ])
  if (isAlong) touches.push({ view: 'notes', tenant, key: note })
  return { ...base, touches, send: system => appended(system, stream, event, commandId) }
}

type Appended =
  | ReturnType<(typeof NoteEvents)['Noted']>
  | ReturnType<(typeof NoteEvents)['Unnoted']>
  | ReturnType<(typeof OwnerEvents)['Renamed']>
  | ReturnType<(typeof OwnerEvents)['Left']>

/** Appends without a decision. */
async function appended(
  { log }: System,
  stream: StreamKey,
  event: Appended,
  commandId: string | undefined,
): Promise<Accepted> {
  const command = commandId === undefined ? {} : { command: { name: 'note/add', id: commandId, hash: commandId } }
  const outcome = await log.append({ stream, expected: 'any', events: [event], ...command })
  if (outcome.kind === 'conflict') throw new BifoldError('log/invalid-append', { problem: 'any version conflicted' })
  const { events, head } = outcome.kind === 'appended' ? outcome : outcome.outcome
  return { event: events[0]?.position, position: head.position, token: tokenOf(log.id, head) }
}
