import type { App } from '../../src/index.ts'
import { ledger } from './ledger.ts'

/**
 * The releases of the app that are deployed one after the other, each with what it made of the definitions before.
 * @param isAlong is there a view that is committed with the appends?
 * @param isApart are rows in a store without transactions?
 */
export function drawReleases(
  random: () => number,
  isBroken: (word: string) => boolean,
  isAlong: boolean,
  isApart: boolean,
): readonly App[] {
  const oneOf = (...choices: readonly number[]): number => choices[Math.floor(random() * choices.length)]!
  const versions = { accounts: 1, words: 1, owners: 1, cards: 1 }
  const draw = {
    accounts: () => oneOf(1, 2, 3),
    words: () => oneOf(1, 2, 4),
    owners: () => oneOf(1, 2),
    cards: () => oneOf(1, 2, 3),
  }
  const names = ['accounts', 'words', 'owners', 'cards'] as const
  const shards = { accounts: draw.accounts(), words: draw.words(), owners: draw.owners(), cards: draw.cards() }
  let notes = 1
  const release = (): App =>
    ledger({ versions: { ...versions, ...(isAlong && { notes }) }, shards: { ...shards }, hasSums: !isApart, isBroken })
  const releases = [release()]
  while (random() < 0.3) {
    for (const name of names) if (random() < 0.4) versions[name]++
    for (const name of names) if (random() < 0.4) shards[name] = draw[name]()
    if (isAlong && random() < 0.4) notes++
    releases.push(release())
  }
  return releases
}
