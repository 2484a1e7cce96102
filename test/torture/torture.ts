import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { seeded } from '../../src/testing/seeded.ts'
import { createDatabase } from '../support/databases.ts'
import { type Server, startServer } from '../support/server.ts'
import { killWorkers, spawnWorker, type Worker } from '../support/workers.ts'
import { type Heard, judge } from './judge.ts'
import { startOperator } from './operator.ts'
import { cure } from './parcels.ts'

export interface TortureOptions {
  /** What happens follows from it; what comes of it also from the machine. */
  readonly seed: number
  readonly seconds: number
  /** Is told each thing that is done, as it is done. */
  readonly say: (line: string) => void
}

export interface Tortured {
  /** How often each thing was done. */
  readonly done: Readonly<Record<string, number>>
  readonly acknowledged: number
  /** A sentence for each thing that is wrong: none, if the engine is right. */
  readonly violations: readonly string[]
}

const writerCount = 2
const projectorCount = 3

/**
 * Runs writers and projectors as processes on a PostgreSQL of its own, and meanwhile does to them what a bad night does, at
 * random: kills them, stops them for longer than anybody waits and continues them, cuts connections, crashes the server,
 * rebuilds and swaps and pauses and resets their views. Some events are poison to the folds, until a release comes that
 * bears them; meanwhile parked keys are retried and events skipped. Then all come to rest, and log and views are judged.
 */
export async function torture({ seed, seconds, say }: TortureOptions): Promise<Tortured> {
  const server = await startServer()
  try {
    const { url } = await createDatabase(server.url)
    return await tortureOn(server, url, seeded(seed), seconds * 1000, say)
  } finally {
    delete process.env[cure]
    await killWorkers()
    await server.stop()
  }
}

async function tortureOn(
  server: Server,
  url: string,
  random: () => number,
  durationMs: number,
  say: (line: string) => void,
): Promise<Tortured> {
  const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)] as T
  const everyone: Worker[] = []
  let started = 0
  const start = (file: string, ...args: readonly string[]): Worker => {
    const worker = spawnWorker(import.meta.url, file, [url, ...args])
    everyone.push(worker)
    return worker
  }
  const startWriter = (): Worker => {
    started++
    return start('./writer-process.ts', `writer-${started}`, String(Math.floor(random() * 2 ** 31)))
  }
  const startProjector = (): Worker => {
    const projector = start('./projector-process.ts')
    // It ends when the process does.
    continueAgain(projector).catch(() => undefined)
    return projector
  }
  const writers = Array.from({ length: writerCount }, startWriter)
  const projectors = Array.from({ length: projectorCount }, startProjector)
  const replace = async (group: Worker[], again: () => Worker): Promise<void> => {
    const at = Math.floor(random() * group.length)
    await (group[at] as Worker).kill()
    group[at] = again()
  }
  await Promise.all(everyone.map(worker => worker.line(line => line === 'started')))
  const operator = await startOperator(url, random)
  const actions: Readonly<Record<string, () => Promise<void>>> = {
    ...operator.actions,
    'kill a projector': () => replace(projectors, startProjector),
    'kill a writer': () => replace(writers, startWriter),
    'stop a process for a while': async () => {
      const { pid } = pick([...projectors, ...writers])
      process.kill(pid, 'SIGSTOP')
      await sleep(200 + random() * 3000)
      process.kill(pid, 'SIGCONT')
    },
    'end a projector in order': async () => {
      const at = Math.floor(random() * projectors.length)
      const worker = projectors[at] as Worker
      worker.tell('stop')
      await worker.ended
      projectors[at] = startProjector()
    },
    'cut connections': () => cutConnections(url, random),
    'crash the server': async () => {
      await server.halt('immediate')
      await sleep(random() * 500)
      await server.start()
    },
  }
  const done: Record<string, number> = Object.fromEntries(Object.keys(actions).map(name => [name, 0]))
  // Each thing once, and then whatever comes.
  const due = shuffled(Object.keys(actions), random)
  const endsAt = performance.now() + durationMs
  const curedAt = endsAt - durationMs / 3
  while (performance.now() < endsAt) {
    await sleep(200 + random() * 800)
    if (performance.now() > curedAt && process.env[cure] === undefined) {
      say('deploy the cure')
      process.env[cure] = 'yes'
      await Promise.all(projectors.map(worker => worker.kill()))
      projectors.splice(0, projectorCount, ...Array.from({ length: projectorCount }, startProjector))
    }
    const name = due.pop() ?? pick(Object.keys(actions))
    say(name)
    await actions[name]?.()
    done[name] = (done[name] ?? 0) + 1
  }
  say('come to rest')
  await operator.rest()
  const failures = [...(await finished(writers)), ...(await finished(projectors))]
  say('judge')
  const lines = everyone.flatMap(worker => worker.lines)
  const heard = lines.filter(line => line.startsWith('heard ')).map(line => JSON.parse(line.slice(6)) as Heard)
  const broken = lines.filter(line => line.startsWith('violation '))
  return {
    done,
    acknowledged: heard.length,
    violations: [...failures, ...broken, ...operator.violations, ...(await judge(url, heard, operator.parked))],
  }
}

/** Twice the lease of a projector. */
const stoppedMs = 2000

/** Continues a projector that stops itself, when others have taken over what it had. */
async function continueAgain(projector: Worker): Promise<void> {
  for (let times = 1; ; times++) {
    let seen = 0
    await projector.line(line => line === 'stopped' && ++seen === times)
    await sleep(stoppedMs)
    process.kill(projector.pid, 'SIGCONT')
  }
}

function shuffled<T>(all: readonly T[], random: () => number): T[] {
  return all
    .map(one => ({ one, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ one }) => one)
}

async function cutConnections(url: string, random: () => number): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and hashint4(pid) % 3 = $1`,
      [Math.floor(random() * 3)],
    )
  } finally {
    await client.end()
  }
}

/** Tells processes to stop, and answers with how those ended that did not end well. */
async function finished(workers: readonly Worker[]): Promise<readonly string[]> {
  for (const worker of workers) worker.tell('stop')
  const ends = await Promise.all(workers.map(worker => worker.ended))
  return ends
    .filter(({ code }) => code !== 0)
    .map(({ code, signal, stderr }) => `ended with ${code ?? signal}: ${stderr}`)
}
