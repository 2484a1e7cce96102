import { expect, onTestFinished, test } from 'vitest'
import { readInput } from './files.ts'
import { madeUp, madeUpFolder } from './made-up-files.ts'
import { planOf } from './plan.ts'

async function planFrom(changes: Readonly<Record<string, string>> = {}) {
  const folder = await madeUpFolder(changes)
  onTestFinished(folder.remove)
  return planOf(await readInput(folder.path))
}

test('commands are in the order of time across all orders; what happens in one minute has a fixed order', async () => {
  const { commands } = await planFrom()
  expect(commands.map(({ at, commandId }) => `${at.slice(5, 16)} ${commandId.slice(7)}`)).toEqual([
    '01-01T23:59 customer/c-3',
    '01-01T23:59 product/p-lamp',
    '01-01T23:59 order/o-3/place',
    '01-02T00:05 order/o-3/pay',
    '01-02T00:05 order/o-3/cancel',
    '01-02T09:05 customer/c-1',
    '01-02T09:05 customer/c-2',
    '01-02T09:05 product/p-book',
    '01-02T09:05 order/o-1/place',
    '01-02T09:05 order/o-2/place',
    '01-02T09:30 order/o-1/pay',
    '01-03T08:00 order/o-1/ship',
    '01-03T10:00 order/o-2/ship',
    '01-04T00:10 order/o-2/pay',
    '01-05T12:00 order/o-1/deliver',
    '01-06T12:00 order/o-2/deliver',
    '01-07T10:00 review/1',
    '01-07T10:00 review/2',
    '01-08T10:00 review/3',
  ])
})

test('the same rows in another order make the same commands in the same order but for ties', async () => {
  const file = 'olist_orders_dataset.csv'
  const [header = '', ...rows] = (madeUp[file] ?? '').trimEnd().split('\n')
  const straight = (await planFrom()).commands
  const turned = (await planFrom({ [file]: `${[header, ...rows.toReversed()].join('\n')}\n` })).commands
  expect(turned.map(command => command.at)).toEqual(straight.map(command => command.at))
  expect(turned.map(command => command.commandId).toSorted()).toEqual(
    straight.map(command => command.commandId).toSorted(),
  )
})

test('every command has an id of its own, and streams begin where they are placed, added or registered', async () => {
  const { commands } = await planFrom()
  expect(new Set(commands.map(command => command.commandId)).size).toBe(commands.length)
  expect(commands.filter(command => command.begins).map(command => command.stream)).toEqual([
    'customer/ana',
    'product/p-lamp',
    'order/o-3',
    'customer/ana',
    'customer/rui',
    'product/p-book',
    'order/o-1',
    'order/o-2',
  ])
})

test('rows that tell of nothing that happened are counted', async () => {
  const file = 'olist_orders_dataset.csv'
  const unpaid = (madeUp[file] ?? '').replace('1/2/2018 0:05', '')
  const { commands, idle } = await planFrom({
    [file]: unpaid,
    'olist_products_dataset.csv': `${madeUp['olist_products_dataset.csv']}3,p-sofa,casa\n`,
    'olist_customers_dataset.csv': `${madeUp['olist_customers_dataset.csv']}4,c-4,eva,1,rio,RJ\n`,
  })
  expect(idle).toEqual({
    'customers without an order': 1,
    'products never ordered': 1,
    'payments never approved': 1,
  })
  expect(commands.some(command => command.commandId === 'import/order/o-3/pay')).toBe(false)
  expect(commands.find(command => command.commandId === 'import/order/o-3/cancel')?.at).toBe('2018-01-01T23:59:00.000Z')
})
