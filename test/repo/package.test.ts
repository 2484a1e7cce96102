import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join, sep } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { filesOf, parts, root, textOf } from './sources.ts'

// npm, publint and attw are programs of their own: slow on a busy machine.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 120_000 })

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>
  readonly peerDependencies: Readonly<Record<string, string>>
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional?: boolean }>>
  readonly dependencies?: Readonly<Record<string, string>>
}

const manifest = JSON.parse(textOf('package.json')) as Manifest
const exported = Object.keys(manifest.exports).filter(name => name !== '.' && name !== './package.json')

let folder: string
let tarball: string
let packed: readonly string[]

/** A folder for temporary files above which no packages are installed: Node looks for them all the way up. */
function placeWithoutPackages(): string {
  const found = [tmpdir(), '/var/tmp', '/dev/shm', homedir()].find(place => {
    const above = place.split(sep).map((_, at, names) => names.slice(0, at + 1).join(sep))
    return existsSync(place) && !above.some(folder => existsSync(`${folder}/node_modules`))
  })
  if (found === undefined) throw new Error('Every folder for temporary files has packages above it.')
  return found
}

/** What a command said, and how it ended. Commands find the repository's Node first, as npm sees to. */
function run(
  cwd: string,
  command: string,
  ...args: readonly string[]
): { readonly said: string; readonly code: number | null } {
  const path = `${join(root, 'node_modules/.bin')}:${process.env['PATH']}`
  const { stdout, stderr, status } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, PATH: path, NO_COLOR: '1', npm_config_cache: join(folder, 'npm-cache') },
    timeout: 80_000,
  })
  return { said: `${stdout}\n${stderr}`, code: status }
}

beforeAll(() => {
  if (!existsSync(join(root, 'dist/index.js'))) throw new Error('There is no dist yet: `npm run build` makes it.')
  folder = mkdtempSync(join(placeWithoutPackages(), 'bifold-package-'))
  const { stdout } = spawnSync('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], {
    cwd: root,
    encoding: 'utf8',
  })
  const [pack] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }]
  tarball = join(folder, pack.filename)
  packed = pack.files.map(({ path }) => path)
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the package', () => {
  test('exports the parts of `src`, and nothing else', () => {
    expect([...exported].sort()).toEqual(parts.map(part => `./${part}`).sort())
  })

  test('exports its parts in the order in which the documentation lists them', () => {
    const listed = [...textOf('docs/README.md').matchAll(/^- \[`bifold\/(.+?)`\]/gm)].map(([, part]) => `./${part}`)
    expect(listed).toEqual(exported)
  })

  test('has what it exports, with types', () => {
    const targets = Object.values(manifest.exports).flatMap(target =>
      typeof target === 'string' ? target : Object.values(target),
    )
    expect(targets.map(target => target.slice(2)).filter(target => !packed.includes(target))).toEqual([])
  })

  test('holds what is compiled, and no test, suite or source', () => {
    const named = /^(dist\/.+\.(js|d\.ts|sql)|package\.json|README\.md|LICENSE|CHANGELOG\.md)$/
    expect(packed.filter(path => !named.test(path) || /\.(test|contract)\b|test-d/.test(path))).toEqual([])
    expect(packed).toEqual(expect.arrayContaining(['README.md', 'LICENSE', 'CHANGELOG.md', 'package.json']))
  })

  test('holds the SQL files', () => {
    const sql = filesOf('src/**/*.sql').map(path => path.replace(/^src/, 'dist'))
    expect(packed).toEqual(expect.arrayContaining([...sql]))
  })

  test('depends on nothing, and every peer is optional', () => {
    expect(manifest.dependencies ?? {}).toEqual({})
    const required = Object.keys(manifest.peerDependencies).filter(
      peer => !manifest.peerDependenciesMeta[peer]?.optional,
    )
    expect(required).toEqual([])
  })

  test('is well made, says publint', () => {
    expect(run(root, 'publint', 'run', tarball, '--strict')).toMatchObject({ code: 0 })
  })

  test('has types that resolve in every way ESM is imported, says attw', () => {
    expect(run(root, 'attw', tarball, '--profile', 'esm-only', '--no-emoji')).toMatchObject({ code: 0 })
  })
})

describe('the packed package in an empty project, with no optional peer', () => {
  let project: string

  beforeAll(() => {
    project = join(folder, 'empty')
    mkdirSync(project)
    writeFileSync(join(project, 'package.json'), '{ "name": "empty", "type": "module", "private": true }\n')
    const installed = run(
      project,
      'npm',
      'install',
      tarball,
      '--omit=peer',
      '--omit=optional',
      '--offline',
      '--no-audit',
      '--no-fund',
    )
    expect(installed).toMatchObject({ code: 0 })
  })

  const importing = (name: string) => {
    writeFileSync(
      join(project, 'use.js'),
      `const part = await import('${name}')\nconsole.log(Object.keys(part).length > 0)\n`,
    )
    return run(project, 'node', 'use.js')
  }

  test('no peer is there', () => {
    const installed = Object.keys(manifest.peerDependencies).filter(peer =>
      existsSync(join(project, 'node_modules', peer)),
    )
    expect(installed).toEqual([])
  })

  test("`import 'bifold'` works", () => {
    expect(importing('bifold')).toMatchObject({ code: 0, said: expect.stringContaining('true') })
  })

  test.each(exported)('%s can be imported', name => {
    expect(importing(name.replace('.', 'bifold'))).toMatchObject({ code: 0 })
  })

  test('what needs a peer that is missing says which', () => {
    writeFileSync(
      join(project, 'open.js'),
      `import { embedded, postgres } from 'bifold/postgres'
for (const open of [() => postgres({ url: 'postgres://nobody@localhost/nothing' }), () => embedded()]) {
  const error = await open().catch(error => error)
  console.log(error.code, error.data.peer)
}
`,
    )
    expect(run(project, 'node', 'open.js').said.trim()).toBe(
      'setup/missing-peer pg\nsetup/missing-peer @electric-sql/pglite',
    )
  })

  test('its types hold in a strict program that checks them all', () => {
    writeFileSync(
      join(project, 'use.ts'),
      `import { events, type Schema } from 'bifold'
declare const text: Schema<{ a: string }>
export const made: { a: string } = events('x', { Made: text }).Made({ a: '' }).data
`,
    )
    const options = {
      strict: true,
      module: 'nodenext',
      target: 'es2022',
      noEmit: true,
      skipLibCheck: false,
      types: ['node'],
    }
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files: ['use.ts'] }))
    mkdirSync(join(project, 'node_modules/@types'), { recursive: true })
    for (const name of ['@types/node', 'undici-types']) {
      symlinkSync(join(root, 'node_modules', name), join(project, 'node_modules', name))
    }
    expect(run(project, join(root, 'node_modules/.bin/tsc'), '-p', '.')).toMatchObject({ code: 0 })
  })
})

test('the lock file names no host that packages come from', () => {
  expect(readFileSync(join(root, 'package-lock.json'), 'utf8')).not.toMatch(/"resolved": "https?:/)
})
