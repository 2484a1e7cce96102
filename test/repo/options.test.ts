import { expect, test } from 'vitest'
import { defaultLimits } from '../../src/log/limits.ts'
import type { BackoffLimits } from '../../src/project/backoff.ts'
import { defaultProjectorLimits } from '../../src/project/limits.ts'
import { textOf } from './sources.ts'

/** The rows of each part of the page: an option and its default, as it is written there. */
const written = new Map(
  textOf('docs/options.md')
    .split(/^## `/m)
    .slice(1)
    .map(part => [
      part.slice(0, part.indexOf('`')),
      [...part.matchAll(/^\| `(\S+)` \| ([^|]*) \|/gm)].map(([, name, value]) => [name, value?.trim()]),
    ]),
)

function said(value: string | number | BackoffLimits): string {
  if (typeof value === 'object') return `${value.minDelayMs} to ${value.maxDelayMs}`
  const mebibytes = Number(value) / 2 ** 20
  return mebibytes >= 1 && Number.isInteger(mebibytes) ? `${mebibytes} MiB` : String(value)
}

const { rebuild, ...own } = defaultProjectorLimits
const ofRebuilds = Object.fromEntries(Object.entries(rebuild).map(([name, value]) => [`rebuild.${name}`, value]))

test.each([
  ['projections', { ...own, ...ofRebuilds }],
  ['log', { ...defaultLimits }],
])('the page of options has every one of `%s`, with its default', (part, limits) => {
  const found = (written.get(part) ?? []).map(([name, value]) => `${name}: ${value}`)
  const expected = Object.entries<string | number | BackoffLimits>(limits).map(
    ([name, value]) => `${name}: ${said(value)}`,
  )
  expect(found.toSorted()).toEqual(expected.toSorted())
})
