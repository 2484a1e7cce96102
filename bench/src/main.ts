import { writeFile } from 'node:fs/promises'
import { obtainServer } from '../../test/support/server.ts'
import { append } from './append.ts'
import type { Bench } from './bench.ts'
import { catchUp } from './catch-up.ts'
import { checkpoints } from './checkpoints.ts'
import { failOver } from './fail-over.ts'
import { tableOf } from './figure.ts'
import { lag } from './lag.ts'
import { live } from './live.ts'
import { optionsFrom } from './options.ts'
import { processes } from './processes.ts'
import { reads } from './reads.ts'
import { rebuild } from './rebuild.ts'
import { rename } from './rename.ts'
import { snapshots } from './snapshots.ts'
import { stages } from './stages.ts'
import { verifying } from './verify.ts'
import { withAppend } from './with-append.ts'

const benches: ReadonlyMap<string, Bench> = new Map([
  ['append', append],
  ['live', live],
  ['catch-up', catchUp],
  ['lag', lag],
  ['reads', reads],
  ['snapshots', snapshots],
  ['stages', stages],
  ['with-append', withAppend],
  ['processes', processes],
  ['fail-over', failOver],
  ['rebuild', rebuild],
  ['rename', rename],
  ['checkpoints', checkpoints],
  ['verify', verifying],
])

const usage = `Usage: npm run bench -- NAME [--quick] [--json FILE]

  NAME         ${Array.from(benches, ([name, { about }]) => `${name.padEnd(11)} ${about}`).join('\n               ')}
  --quick      less of everything, in a minute or two
  --json FILE  write the figures to FILE too, as JSON

It runs on the PostgreSQL at DATABASE_URL, in databases of its own that it drops again; without one, on a server that
it starts itself, with PostgreSQL's default settings. docs/benchmarks.md says what is measured, and how.
`

async function main(args: readonly string[]): Promise<number> {
  const options = optionsFrom(args, benches)
  if ('problem' in options) {
    console.error(`${options.problem}\n\n${usage}`)
    return 2
  }
  const { bench, quick, json } = options
  const server = await obtainServer()
  if ('reason' in server) {
    console.error(`There is no PostgreSQL to measure on: ${server.reason}`)
    return 1
  }
  try {
    console.error(`PostgreSQL: ${server.version}`)
    const figures = await bench.run({ serverUrl: server.url, quick, say: line => console.error(line) })
    console.log(tableOf(figures))
    if (json !== undefined) await writeFile(json, `${JSON.stringify(figures, null, 2)}\n`)
    return 0
  } finally {
    await server.stop()
  }
}

process.exitCode = await main(process.argv.slice(2))
