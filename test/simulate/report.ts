import type { Outcome } from './simulate.ts'

/** What to say of a seed under which something is wrong, and how to see it again. */
export function reportOf({ seed, trace, wrong }: Outcome): string {
  const shown = wrong.slice(0, 5).map(what => `  ${what}`)
  const more = wrong.length > shown.length ? [`  … ${wrong.length - shown.length} more`] : []
  return [
    `seed ${seed} (trace ${trace}) is wrong:`,
    ...shown,
    ...more,
    `See it again, step by step: npm run simulate -- ${seed} --steps`,
  ].join('\n')
}
