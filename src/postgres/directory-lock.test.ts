import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { freshDirectory } from '../../test/support/directories.ts'
import { killWorkers, spawnWorker, type Worker } from '../../test/support/workers.ts'
import { systemRuntime } from '../log/index.ts'
import { lockDirectory, takeNumber } from './directory-lock.ts'

let directory: string
let remove: () => Promise<void>

beforeEach(async () => {
  const fresh = await freshDirectory()
  directory = fresh.path
  remove = fresh.remove
})
afterEach(async () => {
  await killWorkers()
  await remove()
})

/** Another process that is ready to lock the directory when told. */
async function contender(): Promise<Worker> {
  const worker = spawnWorker(import.meta.url, '../../test/support/hold-directory-process.ts', [directory])
  await worker.line(line => line === 'ready')
  return worker
}

async function outcomeOf(worker: Worker): Promise<string> {
  return worker.line(line => line === 'locked' || line.startsWith('refused'))
}

async function holder(): Promise<Worker> {
  const worker = await contender()
  worker.tell('lock')
  expect(await outcomeOf(worker)).toBe('locked')
  return worker
}

/** Changes what the last lock says of its holder, as another machine or an older boot would have written it. */
async function rewrite(changes: Record<string, unknown>): Promise<void> {
  const locks = join(directory, 'bifold.lock')
  const last = Math.max(...(await readdir(locks)).map(Number))
  const file = join(locks, String(last), 'holder.json')
  await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, 'utf8')), ...changes }))
}

test('a second process is refused and told who holds the directory', async () => {
  const { pid } = await holder()
  const refused = lockDirectory(directory)
  await expect(refused).rejects.toMatchObject({
    code: 'embedded/directory-locked',
    data: { directory, pid, host: hostname(), since: expect.stringMatching(/^20\d\d-/) },
  })
  await expect(refused).rejects.toThrow(`process ${pid} on ${hostname()}`)
})

test('the same process is refused too', async () => {
  const lock = await lockDirectory(directory)
  await expect(lockDirectory(directory)).rejects.toMatchObject({ data: { pid: process.pid } })
  await lock.release()
})

test('a released directory can be locked again', async () => {
  const first = await holder()
  first.tell('release')
  await first.line(line => line === 'released')
  const lock = await lockDirectory(directory)
  await lock.release()
  await (await lockDirectory(directory)).release()
})

test('the lock of a killed process is taken over', async () => {
  const first = await holder()
  await first.kill('SIGKILL')
  await (await lockDirectory(directory)).release()
})

test('a stopped process keeps its lock', async () => {
  const first = await holder()
  process.kill(first.pid, 'SIGSTOP')
  await expect(lockDirectory(directory)).rejects.toMatchObject({ code: 'embedded/directory-locked' })
})

test('of several contenders for the lock of a killed process exactly one wins', async () => {
  const first = await holder()
  await first.kill('SIGKILL')
  const contenders = await Promise.all(Array.from({ length: 6 }, contender))
  for (let round = 1; round <= 5; round++) {
    const inProcess = await Promise.allSettled(Array.from({ length: 20 }, () => lockDirectory(directory)))
    const won = inProcess.filter(outcome => outcome.status === 'fulfilled')
    expect(won).toHaveLength(1)
    await won[0]?.value.release()
  }
  for (const worker of contenders) worker.tell('lock')
  const outcomes = await Promise.all(contenders.map(outcomeOf))
  expect(outcomes.toSorted()).toEqual(['locked', ...Array(5).fill('refused embedded/directory-locked')])
})

test('a contender that slept while the lock went through other hands does not get it', async () => {
  for (let earlier = 1; earlier <= 2; earlier++) await (await lockDirectory(directory)).release()
  const lock = await lockDirectory(directory)
  expect(await takeNumber(join(directory, 'bifold.lock'), 2, systemRuntime)).toBeUndefined()
  expect(await takeNumber(join(directory, 'bifold.lock'), 3, systemRuntime)).toBeUndefined()
  await expect(lockDirectory(directory)).rejects.toMatchObject({ code: 'embedded/directory-locked' })
  await lock.release()
})

test('the holder in another container, whose process ids mean nothing here, is told by its socket', async () => {
  const first = await holder()
  await rewrite({ pidNamespace: 'of another container', pid: 1, startTime: '1', host: 'container' })
  await expect(lockDirectory(directory)).rejects.toMatchObject({ data: { pid: 1, host: 'container' } })
  await first.kill('SIGKILL')
  await (await lockDirectory(directory)).release()
})

test('a lock from before the machine started again is taken over', async () => {
  await holder()
  await rewrite({ bootId: 'an earlier boot' })
  await (await lockDirectory(directory)).release()
})

test('a lock that the power cut short is taken over', async () => {
  await lockDirectory(directory)
  await writeFile(join(directory, 'bifold.lock/1/holder.json'), '')
  await (await lockDirectory(directory)).release()
})

test('the lock of another machine is never taken over, and the message says what to remove', async () => {
  const lock = await lockDirectory(directory)
  await rewrite({ bootId: 'of another machine', host: 'elsewhere' })
  await expect(lockDirectory(directory)).rejects.toThrow(/on elsewhere .* remove ".*bifold\.lock\/1"/)
  await lock.release()
  await (await lockDirectory(directory)).release()
})

test('where the path is too long for a socket, the process tells who lives', async () => {
  const long = await mkdtemp(join(directory, `${'long-'.repeat(20)}-`))
  directory = long
  const first = await holder()
  await expect(lockDirectory(long)).rejects.toMatchObject({ code: 'embedded/directory-locked' })
  await first.kill('SIGKILL')
  await (await lockDirectory(long)).release()
})

test('a process id that was given to another process holds nothing', async () => {
  directory = await mkdtemp(join(directory, `${'long-'.repeat(20)}-`))
  await holder()
  await rewrite({ startTime: '1' })
  await (await lockDirectory(directory)).release()
})

test('a directory that was removed while locked can be released', async () => {
  const lock = await lockDirectory(directory)
  await rm(directory, { recursive: true })
  await lock.release()
})
