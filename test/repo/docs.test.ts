import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { documents, withSnippets } from '../../scripts/snippets.ts'
import { filesOf, root, textOf } from './sources.ts'

// A program of its own, on an embedded database that is made: slow on a busy machine.
vi.setConfig({ testTimeout: 90_000 })

describe('the documents', () => {
  test.each(documents)('%s shows its snippets as they are in their files', document => {
    expect(textOf(document)).toBe(withSnippets(textOf(document)))
  })

  test('every snippet is shown somewhere', () => {
    const shown = documents.flatMap(document =>
      [...textOf(document).matchAll(/<!-- snippet: (\S+) -->/g)].map(([, file]) => file!),
    )
    expect([...shown].sort()).toEqual(filesOf('docs/snippets/*.ts'))
  })

  test('every link to a file leads to one', () => {
    const broken = documents.flatMap(page =>
      [...textOf(page).matchAll(/\]\((?!https?:|#)([^)#\s]+)(#[^)\s]*)?\)/g)]
        .filter(([, target]) => !existsSync(join(root, dirname(page), target!)))
        .map(([, target]) => `${page}: ${target}`),
    )
    expect(broken).toEqual([])
  })

  test('every npm script that they name is there', () => {
    const { scripts } = JSON.parse(textOf('package.json')) as { scripts: Record<string, string> }
    const named = documents.flatMap(page =>
      [...textOf(page).matchAll(/npm run (?:--silent )?([a-z:-]+)/g)].map(([, name]) => name!),
    )
    expect(named.filter(name => !(name in scripts))).toEqual([])
  })
})

describe('the first app of the README', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'bifold-first-app-'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test('has fewer than 60 lines', () => {
    expect(textOf('docs/snippets/first-app.ts').trimEnd().split('\n').length).toBeLessThan(60)
  })

  test('runs, reads its own write, and ends', () => {
    if (!existsSync(join(root, 'dist/index.js'))) throw new Error('There is no dist yet: `npm run build` makes it.')
    const { stdout, stderr, status } = spawnSync(join(root, 'node_modules/.bin/node'), ['docs/snippets/first-app.ts'], {
      cwd: root,
      encoding: 'utf8',
      env: { ...process.env, DATA_DIR: join(folder, 'data'), NO_COLOR: '1' },
      timeout: 80_000,
    })
    expect({ stdout, stderr, status }).toEqual({
      stdout: "{ customer: 'ana', total: 4200, status: 'paid' }\n",
      stderr: '',
      status: 0,
    })
  })
})
