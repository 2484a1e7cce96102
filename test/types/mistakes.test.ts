import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { root, textOf } from '../repo/sources.ts'

const file = 'test/types/mistakes.ts'

interface Said {
  readonly line: number
  /** The compiler's words: its lines, joined by a space. */
  readonly message: string
  readonly lines: number
}

function compile(): readonly Said[] {
  const tsc = spawnSync('node_modules/.bin/tsc', ['-p', 'test/types', '--pretty', 'false'], {
    cwd: root,
    encoding: 'utf8',
  })
  const said: Said[] = []
  for (const line of tsc.stdout.trimEnd().split('\n')) {
    const head = /^(.+)\((\d+),\d+\): error TS\d+: (.*)$/.exec(line)
    const last = said.at(-1)
    if (head !== null) {
      if (head[1] !== file) throw new Error(`An error elsewhere: ${line}`)
      said.push({ line: Number(head[2]), message: head[3]!, lines: 1 })
    } else if (last !== undefined) {
      said[said.length - 1] = { ...last, message: `${last.message} ${line.trim()}`, lines: last.lines + 1 }
    }
  }
  return said
}

/** Each expected message, with the number of the line that it stands above. */
function expected(): readonly { readonly line: number; readonly pattern: string }[] {
  const lines = textOf(file).split('\n')
  return lines.flatMap((text, at) => {
    const pattern = /^\s*\/\/~ (.*)$/.exec(text)?.[1]
    if (pattern === undefined) return []
    const line = lines.findIndex((candidate, index) => index > at && !/^\s*\/\/~/.test(candidate)) + 1
    return [{ line, pattern }]
  })
}

function fits(pattern: string, message: string): boolean {
  const quoted = pattern.split('…').map(part => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  // What follows the first sentence is the compiler's reasoning, and may change with it.
  return new RegExp(`^${quoted.join('.*')}`).test(message)
}

const compiled = compile()

test('the compiler explains each mistake where it was made, and nothing else', () => {
  const said = [...compiled]
  const missing = expected().filter(({ line, pattern }) => {
    const index = said.findIndex(one => one.line === line && fits(pattern, one.message))
    if (index >= 0) said.splice(index, 1)
    return index < 0
  })
  expect({ missing, unexpected: said }).toEqual({ missing: [], unexpected: [] })
})

test('no explanation is longer than five lines', () => {
  expect(compiled.filter(({ lines }) => lines > 5)).toEqual([])
})
