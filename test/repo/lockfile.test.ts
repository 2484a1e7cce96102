import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

test('the lock file knows every optional package, of other platforms too, or `npm ci` refuses it', () => {
  const lock = JSON.parse(readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8')) as {
    packages: Record<string, { optionalDependencies?: Record<string, string> }>
  }
  const wanted = Object.values(lock.packages).flatMap(locked => Object.keys(locked.optionalDependencies ?? {}))
  const missing = wanted.filter(name => !Object.keys(lock.packages).some(path => path.endsWith(`node_modules/${name}`)))
  expect(wanted.length).toBeGreaterThan(0)
  expect(missing, 'run `npm run lockfile` after `npm install`').toEqual([])
})
