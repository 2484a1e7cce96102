import { expect, test } from 'vitest'
import { origin, type Page, systemRuntime } from '../log/index.ts'
import { makeJoin } from './join.ts'
import { defaultJoinLimits } from './join-limits.ts'
import { at } from './things.contract.ts'
import { makeTurns } from './turns.ts'

/** At the head of a log that holds nothing for the view referred to. */
const page: Page = { events: [], through: at(9), atHead: true }

const joinTo = (position: number) =>
  makeJoin({
    referred: [
      {
        refs: ['owner'],
        types: ['OwnerNamed'],
        view: {
          projection: 'owners',
          asOf: async () => new Map(),
          changes: async () => ({ asOf: position === 0 ? origin : at(position), changed: [], pastFrom: 0 }),
        },
      },
    ],
    ...{ refKeys: () => ({ owner: null }), dependents: async () => [], shard: 0, runtime: systemRuntime },
    turns: makeTurns({ runtime: systemRuntime, turnEvents: 500 }),
    log: { read: async () => ({ events: [], through: at(9), atHead: true }), readAt: async () => [] },
    ...{ limits: defaultJoinLimits, onMoved: () => () => undefined },
  })

test('a view referred to is as far as its next event, once each of its shards has left the beginning', async () => {
  expect(await joinTo(1).cut(page, origin, false)).toEqual(page)
  // One that stands there may be loaded in bulk, and then nobody hears what changed.
  expect((await joinTo(0).cut(page, origin, false)).through).toEqual(origin)
})
