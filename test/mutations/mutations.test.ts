import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { mutations } from './mutations.ts'

const at = (file: string): string => fileURLToPath(new URL(`../../${file}`, import.meta.url))

describe('a mutation', () => {
  test.each(mutations)('is there to be made: $breaks', ({ file, text, replacement, tests, simulation }) => {
    expect(readFileSync(at(file), 'utf8').split(text)).toHaveLength(2)
    expect(replacement).not.toBe(text)
    expect(tests.filter(suite => !existsSync(at(suite)))).toEqual([])
    expect(tests.length > 0 || simulation === true, 'somebody has to notice').toBe(true)
  })

  test('of a migration is of the last one that has it: those before are replaced', () => {
    const directory = 'src/postgres/migrations'
    const migrations = readdirSync(at(directory)).sort()
    for (const { file, text } of mutations.filter(one => one.file.startsWith(directory))) {
      const last = migrations.findLast(name => readFileSync(at(`${directory}/${name}`), 'utf8').includes(text))
      expect(`${directory}/${last}`).toBe(file)
    }
  })

  test('has a name of its own', () => {
    expect(new Set(mutations.map(({ breaks }) => breaks)).size).toBe(mutations.length)
  })
})
