import { describe, expect, test } from 'vitest'
import { circlesIn, mayImport, wrongImports } from './arrows.ts'
import { importsOf, packageOf, targetOf } from './imports.ts'
import { isTest, parts, sources, textOf } from './sources.ts'

const published = sources.filter(file => file.startsWith('src/') && !isTest(file))

describe('the arrows between the parts', () => {
  test('every part says what it may import', () => {
    expect(Object.keys(mayImport).sort()).toEqual([...parts].sort())
  })

  test('every import follows an arrow, and takes what the other part hands out', () => {
    expect(published.flatMap(file => wrongImports(file, textOf(file)))).toEqual([])
  })

  test('no file imports itself in a circle', () => {
    const graph = new Map(
      published.map(file => {
        const needed = importsOf(textOf(file)).filter(({ typeOnly, dynamic }) => !typeOnly && !dynamic)
        return [file, needed.flatMap(({ specifier }) => targetOf(file, specifier) ?? [])]
      }),
    )
    expect(circlesIn(graph)).toEqual([])
  })

  test('examples, benchmarks and snippets use the package as anyone would', () => {
    const users = sources.filter(file => /^(examples|bench|docs)\//.test(file) && !isTest(file))
    const inside = users.flatMap(file =>
      importsOf(textOf(file))
        .filter(({ specifier }) => targetOf(file, specifier)?.startsWith('src/'))
        .map(({ specifier }) => `${file} imports ${specifier}`),
    )
    expect(inside).toEqual([])
  })
})

describe('the check of the arrows', () => {
  test.each([
    ['src/query/list.ts', `import { dispatcher } from '../command/index.ts'`],
    ['src/command/dispatch.ts', `import type { Query } from '../query/index.ts'`],
    ['src/log/log.ts', `import type { ViewStore } from '../project/index.ts'`],
    ['src/define/app.ts', `import type { EventLog } from '../log/index.ts'`],
    ['src/define/app.ts', `import { randomUUID } from 'node:crypto'`],
    ['src/project/fold.ts', `import {\n  columnsOf,\n  typesOf,\n} from '../define/columns.ts'`],
    ['src/run/start.ts', `const pg = await import('pg')`],
    ['src/postgres/client.ts', `import pg from 'pg'`],
    ['src/http/server.ts', `export { z } from 'zod'`],
    ['src/log/log.ts', `import '../../examples/shop/src/main.ts'`],
  ])('refuses %s with %s', (file, text) => {
    expect(wrongImports(file, text)).toHaveLength(1)
  })

  test.each([
    ['src/query/list.ts', `import type { ViewStore } from '../project/index.ts'`],
    ['src/postgres/client.ts', `import type { Pool } from 'pg'\nconst { default: pg } = await import('pg')`],
    [
      'src/http/server.ts',
      `import type { FastifyInstance } from 'fastify'\nconst { fastify } = await import('fastify')`,
    ],
    ['src/log/log.ts', `import { createHash } from 'node:crypto'\nimport { encode } from './encode.ts'`],
  ])('allows %s with %s', (file, text) => {
    expect(wrongImports(file, text)).toEqual([])
  })

  test('finds a circle', () => {
    const graph = new Map([
      ['a', ['b']],
      ['b', ['c']],
      ['c', ['b']],
    ])
    expect(circlesIn(graph)).toEqual(['b → c → b'])
  })

  test('names the package of a deep import', () => {
    expect(packageOf('@electric-sql/pglite/worker')).toBe('@electric-sql/pglite')
    expect(packageOf('pg/lib/defaults')).toBe('pg')
    expect(packageOf('node:fs')).toBeUndefined()
  })
})
