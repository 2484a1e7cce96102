import type { RecordedEvent } from '../../src/index.ts'
import type { Answered } from './client.ts'
import { isFragile } from './ledger.ts'
import type { Operation } from './operations.ts'
import { idOf, type Reference } from './reference.ts'

/** Everything that is wrong with the log, as sentences: nothing is lost, doubled, reordered or made up. */
export function judgeLog(log: readonly RecordedEvent[], operations: readonly Operation[]): readonly string[] {
  const found = new Map<number, number[]>()
  for (const { position, data } of log) {
    const { op } = data as { readonly op: number }
    found.set(op, [...(found.get(op) ?? []), position])
  }
  return operations.flatMap(({ number, accepted, refused, isUnknown }) => {
    const positions = found.get(number) ?? []
    const say = (what: string): string => `operation ${number} ${what}: it is at [${positions.join()}]`
    if (positions.length > 1) return [say('is doubled')]
    const events = new Set(accepted.map(({ event }) => event))
    if (events.size > 1) return [say(`was answered in different ways, [${[...events].join()}]`)]
    if (accepted.length > 0) {
      return positions[0] === accepted[0]?.event ? [] : [say(`was answered with ${accepted[0]?.event}`)]
    }
    return positions.length === 1 && !isUnknown ? [say(`was refused with ${refused.join()}`)] : []
  })
}

/** Everything that was decided on another state than that of the stream. */
export function judgeDecisions(log: readonly RecordedEvent[]): readonly string[] {
  const balances = new Map<string, number>()
  return log.flatMap(({ tenant, streamId, type, position, data }) => {
    const id = idOf({ tenant, key: streamId })
    const before = balances.get(id)
    const { amount = 0 } = data as { readonly amount?: number }
    if (type === 'Opened') balances.set(id, 0)
    else if (type === 'Moved') balances.set(id, (before ?? 0) + amount)
    else if (type === 'Closed') balances.delete(id)
    else return []
    const isRight = type === 'Opened' ? before === undefined : before !== undefined && before + amount >= 0
    return isRight
      ? []
      : [`the account ${id} of balance ${before} should not have had ${type} ${amount} at ${position}`]
  })
}

/** Everything that is wrong with answers: each is what the log made of the row up to its `asOf`, by some release. */
export function judgeAnswers(
  answers: readonly Answered[],
  referencesOf: (view: string) => readonly Reference[],
  mayBeAhead: (view: string) => boolean,
): readonly string[] {
  return answers.flatMap(answer => {
    const { view, asOf, after, stale, doc, reached } = answer
    const what = `a query of ${view} ${idOf(answer)} after ${after}, answered as of ${asOf}`
    if (stale && !answer.parked && answer.waitedMs < answer.staleAfterMs)
      return [`${what}, is stale after ${answer.waitedMs} ms`]
    if (!stale && asOf < after) return [`${what}, came too early`]
    if (stale && !answer.parked && asOf >= after) return [`${what}, is not stale`]
    if (reached < asOf) return [`${what}, is ahead of its view, which stood at ${reached}`]
    // A key that is parked stands where it failed.
    if (answer.parked && !isFragile(answer.key) && view !== 'cards')
      return [`${what}, is of a key that cannot be parked`]
    // Rows that it is made with may be newer: of a change whose other rows are not all made anew yet, or of what is loaded.
    const right = referencesOf(view).flatMap(reference =>
      answer.parked
        ? reference.statesUpTo(answer, asOf).flatMap(state => reference.rowsFrom(answer, state, 0))
        : reference.rowsFrom(answer, reference.stateAt(answer, asOf), asOf),
    )
    const later = mayBeAhead(view) ? referencesOf(view).flatMap(reference => reference.rowsSince(answer, asOf)) : []
    // A row that it is made with may be parked, and stands still as well.
    const held = referencesOf(view).flatMap(reference => {
      const states = answer.parked ? reference.statesUpTo(answer, asOf) : [reference.stateAt(answer, asOf)]
      return states.flatMap(state => reference.rowsHeld(answer, state))
    })
    return right.includes(doc) || later.includes(doc) || (doc !== null && held.includes(doc))
      ? []
      : [`${what}, is ${doc}, and should be ${[...new Set(right)].join(' or ')}`]
  })
}
