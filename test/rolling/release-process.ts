import { createInterface } from 'node:readline'
import { BifoldError, run } from '../../src/index.ts'
import { postgres } from '../../src/postgres/index.ts'
import { verify } from '../../src/verify/index.ts'
import { Note, newestIn, type Release, releases } from './releases.ts'
import type { Numbered, Task } from './tasks.ts'

/**
 * `release-process.ts URL RELEASE`: a process of one release, which writes notes and reads each of them at once, until it is
 * told to end, and answers what it is asked on its input, a line each.
 */
const [url = '', number = ''] = process.argv.slice(2)
const release = Number(number) as Release
const { app, view } = releases[release]
const system = await run(app, { on: postgres({ url }) })

const answers = { right: 0, wrong: 0, errors: [] as string[] }
let ending = false

/** One note after the other: each is read by the token of its command. */
async function writeAndRead(lane: number): Promise<void> {
  for (let n = 0; !ending; n++) {
    const id = `note-${lane}-${n % 20}`
    const text = `${release}.${process.pid}.${lane}.${n}`
    try {
      const { token } = await system.dispatch(Note, `${process.pid}-${id}`, 'TakeNote', { text })
      const read = await system.queryText('note', { id: `${process.pid}-${id}` }, { after: token, waitMs: 20_000 })
      if (newestIn(read.value) === text) answers.right++
      else answers.wrong++
    } catch (error) {
      answers.errors.push(error instanceof BifoldError ? `${error.code}: ${error.message}` : String(error))
    }
  }
}
const writing = Promise.all([0, 1, 2, 3].map(writeAndRead))

async function carryOut(task: Task): Promise<unknown> {
  if (task === 'answers') return answers
  if (task === 'status') return (await system.status())[0]
  if (task === 'pause') {
    ending = true
    await writing
    return answers
  }
  if (task === 'drain') return system.drain()
  if (task === 'verify') return verify(system, view)
  return system.swap(view, task.swap).then(
    () => 'swapped',
    (error: BifoldError) => ({ code: error.code, data: error.data }),
  )
}

createInterface({ input: process.stdin }).on('line', line => {
  const { number: n, task } = JSON.parse(line) as Numbered
  void carryOut(task).then(answer => process.stdout.write(`${JSON.stringify({ number: n, answer })}\n`))
})
process.stdout.write('{"number":0}\n')
