import { createInterface } from 'node:readline'
import { run } from '../../src/index.ts'
import { postgres } from '../../src/postgres/index.ts'
import type { Backend } from '../../src/project/index.ts'
import { Account, accountById, bank } from '../support/bank.ts'
import type { Asked, Counted, Numbered, Sent } from './tasks.ts'

/**
 * `role-process.ts URL ROLE [deaf]`: one role of the bank, which does what it is told on its input, a line each. A deaf one
 * hears no notification.
 */
const [url = '', role = '', deaf] = process.argv.slice(2)
const named = new URL(url)
named.searchParams.set('application_name', role)
const backend = await postgres({ url: named.href })

let looks = 0
let checks = 0
let checked = 0
let answered = 0
const nothing = (): undefined => undefined
const watched: Backend = {
  ...backend,
  log: {
    ...backend.log,
    holds: async anchors => {
      checks++
      const held = await backend.log.holds(anchors)
      checked += anchors.length
      return held
    },
    listen: async (...heard) => (deaf === undefined ? backend.log.listen(...heard) : async () => undefined),
  },
  views: {
    ...backend.views,
    onMoved: listener => (deaf === undefined ? backend.views.onMoved(listener) : nothing),
    open: async (shape, generation) => {
      const view = await backend.views.open(shape, generation)
      return {
        ...view,
        checkpoints: () => {
          looks++
          return view.checkpoints()
        },
      }
    },
  },
}
const roles = { commands: false, projections: false, queries: false, [role]: true }
// Where one of an earlier test was killed, its shards are taken over soon.
const system = await run(bank, { on: watched, roles, projections: { leaseMs: 1000 } })

const counted = (): Counted => ({ answered, looks, checks, checked })

async function send(ids: readonly string[]): Promise<readonly Sent[]> {
  return Promise.all(
    ids.map(async id => ({ id, token: (await system.dispatch(Account, id, 'OpenAccount', { owner: id })).token })),
  )
}

async function ask(sent: readonly Sent[]): Promise<Asked> {
  answered = 0
  looks = 0
  checks = 0
  checked = 0
  const startedMs = performance.now()
  const rows = await Promise.all(
    sent.map(async ({ id, token }) => {
      const { value, stale } = await system.query(accountById, { id }, { after: token, waitMs: 60_000 })
      answered++
      return value?.owner === id && !stale
    }),
  )
  return { ...counted(), right: rows.filter(Boolean).length, ms: performance.now() - startedMs }
}

async function carryOut({ number, task }: Numbered): Promise<void> {
  const answer = task === 'count' ? counted() : 'open' in task ? await send(task.open) : await ask(task.ask)
  process.stdout.write(`${JSON.stringify({ number, answer })}\n`)
}

createInterface({ input: process.stdin }).on('line', line => void carryOut(JSON.parse(line) as Numbered))
process.stdout.write('{"number":0,"answer":"ready"}\n')
