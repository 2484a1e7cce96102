/** A number from 0 up to, and without, 1. */
export type Random = () => number

/** A whole number from `least` to `most`. */
export function between(random: Random, least: number, most: number): number {
  return least + Math.floor(random() * (most - least + 1))
}

export function oneOf<T>(random: Random, items: readonly T[]): T | undefined {
  return items[Math.floor(random() * items.length)]
}

/** One of the items, each as probable as its weight. */
export function weighted<T extends { readonly weight: number }>(random: Random, items: readonly T[]): T | undefined {
  let left = random() * items.reduce((sum, { weight }) => sum + weight, 0)
  return items.find(({ weight }) => (left -= weight) < 0)
}

/** Takes one of the items out of the list. */
export function takeOne<T>(random: Random, items: T[]): T | undefined {
  return items.splice(Math.floor(random() * items.length), 1)[0]
}
