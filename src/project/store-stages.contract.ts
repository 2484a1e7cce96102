import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type AnyProjection, projection } from '../define/index.ts'
import { defaultTenant, origin } from '../log/index.ts'
import type { StoreUnderTest } from './store.contract.ts'
import { rowId, type StoredRow, type Upsert, type View } from './store.ts'
import { at, gone, keysOf, newName, oddStrings, rowsIn, Things } from './things.contract.ts'
import { viewShapeOf } from './view-shape.ts'

const State = z.object({ text: z.string(), n: z.int() })

/** Rows that hold less than the states they are made of. */
function presented(name = newName(), state: z.ZodObject = State): AnyProjection {
  const row = z.object({ text: z.string() })
  return projection(name, { from: [Things], state, on: {}, row, present: () => ({ text: '' }), indexes: [['text']] })
}

function made(key: string, text: string, n: number, position = 1): Upsert {
  const row = { text }
  return {
    tenant: defaultTenant,
    key,
    position,
    row,
    doc: JSON.stringify(row),
    state: JSON.stringify({ text, n }),
  }
}

/** What every view store must hold of what is kept beside rows. */
export function stagesContract(tested: () => StoreUnderTest): void {
  const open = (definition: AnyProjection): Promise<View> => tested().store.open(viewShapeOf(definition))

  describe('states beside rows', () => {
    test('are loaded and seen in snapshots, to the byte, and no query has them', async () => {
      const view = await open(presented())
      const { epoch } = await view.claim(0)
      const rows = oddStrings.map((text, n) => made(`k${String(n).padStart(3, '0')}`, text, n))
      const commit = { shard: 0, epoch, deletes: [] }
      expect(await view.commit({ ...commit, from: origin, to: at(1), upserts: rows })).toBe('committed')
      const loaded = await rowsIn(view, [...rows, ...keysOf(['none'])])
      expect(loaded).toEqual(new Map(rows.map(row => [rowId(row), { position: 1, doc: row.doc, state: row.state }])))
      expect((await view.get(rows)).value).toEqual(rows.map(({ doc }) => doc))
      const seen: StoredRow[] = []
      await view.snapshot(async ({ pages }) => {
        for await (const page of pages) seen.push(...page)
      })
      expect(seen).toEqual(rows.map(({ row: _, ...stored }) => ({ ...stored, differing: [] })))
    })

    test('are written over, and go with their rows', async () => {
      const view = await open(presented())
      const { epoch } = await view.claim(0)
      const first = { shard: 0, epoch, from: origin, to: at(1), upserts: [made('a', 'x', 1), made('b', 'y', 1)] }
      await view.commit({ ...first, deletes: [] })
      const next = [made('a', 'x', 2, 2)]
      await view.commit({ shard: 0, epoch, from: at(1), to: at(2), upserts: next, deletes: gone(2, 'b') })
      expect(await rowsIn(view, keysOf(['a', 'b']))).toEqual(
        new Map([
          [rowId({ tenant: defaultTenant, key: 'a' }), { position: 2, doc: next[0]?.doc, state: next[0]?.state }],
        ]),
      )
    })

    test('of another shape make a generation beside it, and so do rows without them', async () => {
      const name = newName()
      const states = [State, State.extend({ more: z.int() }), z.object({ n: z.int(), text: z.string() })]
      const opened = []
      for (const state of states) opened.push(await open(presented(name, state)))
      opened.push(await open(projection(name, { from: [Things], state: z.object({ text: z.string() }), on: {} })))
      expect(opened.map(({ generation }) => generation)).toEqual([1, 2, 1, 3])
    })
  })
}
