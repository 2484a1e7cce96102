// Breaks each guard of the list once, in a copy of the repository, and shows who notices: `npm run mutations`, or
// `npm run mutations -- epoch` for those whose name or file holds a word. Before that, nothing is broken and nobody may
// notice anything: who is red then would be red of every guard.

import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Mutation } from './mutation.ts'
import { mutations } from './mutations.ts'

const simulation = ['test/simulate/main.ts', '1', '1000', '--first']
const torture = ['test/torture/main.ts', '--seconds', '60', '--seed', '1']
const ofSuite = (suite: string): readonly string[] => ['node_modules/vitest/vitest.mjs', 'run', suite]

const root = fileURLToPath(new URL('../..', import.meta.url))
const left = new Set(['node_modules', '.git', 'dist', 'coverage'])
const word = process.argv[2] ?? ''
const chosen = mutations.filter(({ breaks, file }) => breaks.includes(word) || file.includes(word))

const copy = mkdtempSync(join(tmpdir(), 'bifold-mutations-'))
try {
  cpSync(root, copy, { recursive: true, filter: path => !left.has(basename(path)) })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  const programs = new Set(chosen.flatMap(programsOf).map(program => program.join(' ')))
  for (const program of programs) {
    const seen = outcomeOf(program.split(' '))
    console.log(`${seen}  ${program}, with nothing broken`)
    if (seen !== 'green') throw new Error('Who is not green with nothing broken notices nothing.')
  }
  const results = chosen.map(tried)
  console.table(
    results.map(({ breaks, simulation: simulated, torture: tortured, tests }) => ({
      breaks,
      simulation: simulated.slice(0, 40),
      torture: tortured,
      tests,
    })),
  )
  const missed = results.filter(({ asExpected }) => !asExpected)
  console.log(`${results.length} guards broken, ${missed.length} not noticed by those who have to`)
  process.exitCode = missed.length > 0 || results.length === 0 ? 1 : 0
} finally {
  rmSync(copy, { recursive: true, force: true })
}

type Seen = 'green' | 'red' | 'without end'

function programsOf(mutation: Mutation): readonly (readonly string[])[] {
  return [
    ...(mutation.simulation === true ? [simulation] : []),
    ...(mutation.torture === true ? [torture] : []),
    ...mutation.tests.map(ofSuite),
  ]
}

function tried({ breaks, file, text, replacement, simulation: notes, torture: isTortured, tests }: Mutation) {
  const path = join(copy, file)
  const whole = readFileSync(path, 'utf8')
  writeFileSync(
    path,
    whole.replace(text, () => replacement),
  )
  try {
    const simulated = notes === true ? outcomeOf(simulation) : notes
    const tortured = isTortured === true ? outcomeOf(torture, 300_000) : ''
    const tested = tests.map(suite => outcomeOf(ofSuite(suite)))
    const asExpected = simulated !== 'green' && tortured !== 'green' && !tested.includes('green')
    const result = {
      breaks,
      simulation: simulated,
      torture: tortured,
      tests: tests.map((suite, at) => `${basename(suite)} ${tested[at]}`).join(', '),
      asExpected,
    }
    const seen = [`simulation ${simulated}`, ...(tortured === '' ? [] : [`torture ${tortured}`]), result.tests]
    console.log(`${asExpected ? 'ok' : 'MISSED'}  ${breaks}: ${seen.join('; ')}`)
    return result
  } finally {
    writeFileSync(path, whole)
  }
}

/** A program that does not come to its end has noticed something, too: a test run would fail by its time-out. */
function outcomeOf(args: readonly string[], timeout = 900_000): Seen {
  const { status, signal } = spawnSync(process.execPath, args, { cwd: copy, stdio: 'ignore', timeout })
  if (signal !== null) return 'without end'
  return status === 0 ? 'green' : 'red'
}
