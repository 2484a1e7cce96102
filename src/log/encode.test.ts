import { expect, test } from 'vitest'
import { z } from 'zod'
import { typesOf } from '../define/app.ts'
import { event, events } from '../define/index.ts'
import { encodeAppend } from './encode.ts'
import { defaultLimits } from './limits.ts'

test('tags that cannot be made refuse the event with a code', () => {
  const Orders = events('order', {
    OrderPlaced: event(z.object({}), {
      tags: () => {
        throw new Error('no tags')
      },
    }),
    OrderPaid: event(z.object({}), { tags: () => undefined as unknown as readonly string[] }),
  })
  const context = { eventTypes: typesOf([Orders]), limits: defaultLimits, newId: () => 'id' }
  const stream = { tenant: 'default', category: 'order', id: 'a' }
  for (const placed of [Orders.OrderPlaced({}), Orders.OrderPaid({})]) {
    const encode = () => encodeAppend({ stream, expected: 0, events: [placed] }, context)
    expect(encode).toThrow(expect.objectContaining({ code: 'log/invalid-event' }))
  }
})
