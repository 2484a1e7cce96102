import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { isTest, root, sources, textOf } from './sources.ts'

// Where there is no git, as in a copy of the folder, the sources are all there is to look at.
const tracked = existsSync(join(root, '.git'))
  ? execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' })
      .split('\0')
      .filter(file => file !== '' && existsSync(join(root, file)))
  : sources
const written = tracked.filter(
  file => /\.(ts|mts|js|css|html|sql|md|json|ya?ml)$/.test(file) && !file.endsWith('package-lock.json'),
)

function found(pattern: RegExp, files: readonly string[]): readonly string[] {
  return files.flatMap(file =>
    textOf(file)
      .split('\n')
      .flatMap((line, at) => (pattern.test(line) ? [`${file}:${at + 1}: ${line.trim()}`] : [])),
  )
}

const others = written.filter(file => file !== 'test/repo/style.test.ts')

describe('files', () => {
  // Past this a file wants to be two things. A suite is read test by test, and may be longer.
  test.each([
    ['code', 400, sources.filter(file => !isTest(file))],
    ['tests', 600, sources.filter(isTest)],
  ])('of %s have at most %i lines', (_, limit, files) => {
    const long = files.map(file => [file, textOf(file).split('\n').length - 1] as const)
    expect(long.filter(([, lines]) => lines > limit)).toEqual([])
  })

  test('are named in kebab-case', () => {
    const stem = /^[a-z0-9]+(-[a-z0-9]+)*(\.(test|test-d|contract|config))?\.(ts|mts|js)$/
    expect(sources.filter(file => !stem.test(file.slice(file.lastIndexOf('/') + 1)))).toEqual([])
  })

  test('hold nothing that was left to do', () => {
    expect(found(/\b(TODO|FIXME|XXX|HACK|WIP)\b|for now\b|@ts-ignore|@ts-nocheck|\.only\(/, others)).toEqual([])
  })

  test('name no machine, and no host that packages come from', () => {
    expect(found(/(^|[\s"'`(])\/(work|root|Users)\/|\/home\/[a-z]|registry\.npmjs|npmjs\.(org|com)/, others)).toEqual(
      [],
    )
  })

  test('of the engine take time, chance and scheduling as arguments', () => {
    // Else a simulation would go another way each time. The one in PostgreSQL is not simulated.
    const engine = sources.filter(
      file => /^src\/(define|log|command|project|query|run|stores)\//.test(file) && !isTest(file),
    )
    const own =
      /\b(setTimeout|setInterval|setImmediate|nextTick|queueMicrotask|Date\.now|new Date\(\)|Math\.random|performance\.|randomUUID|randomBytes|AbortSignal\.timeout)\b/
    expect(found(own, engine).filter(line => !line.startsWith('src/log/runtime.ts:'))).toEqual([])
  })

  test('rest no correctness on locks of a session, which a pooler hands to somebody else', () => {
    const files = written.filter(file => /^src\/.*\.(ts|sql)$/.test(file) && !isTest(file))
    expect(found(/pg_(try_)?advisory_(lock|unlock)/, files)).toEqual([])
  })

  test('hold no raw U+0000, for which tools take them for binary', () => {
    expect(written.filter(file => textOf(file).includes('\0'))).toEqual([])
  })

  test('switch no rule off line by line', () => {
    expect(found(/(oxlint|eslint|biome)-(disable|ignore)|biome-ignore/, others)).toEqual([])
  })

  test('hand out what they hand out by name', () => {
    const code = sources.filter(file => file.startsWith('src/') && !isTest(file))
    expect(found(/^export (type )?\*|^export default /, code)).toEqual([])
  })
})

describe('the changelog', () => {
  const lines = textOf('CHANGELOG.md').split('\n')
  const versions = lines.filter(line => line.startsWith('## '))
  const kinds = lines.filter(line => line.startsWith('### '))

  test('begins with what is not released, and dates what is', () => {
    expect(versions[0]).toBe('## [Unreleased]')
    expect(versions.slice(1).filter(line => !/^## \[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}$/.test(line))).toEqual([])
  })

  test('sorts changes by their kind', () => {
    expect(kinds.filter(line => !/^### (Added|Changed|Deprecated|Removed|Fixed|Security)$/.test(line))).toEqual([])
    expect(lines.some(line => line.startsWith('- '))).toBe(true)
  })
})
