import { describe, expect, onTestFinished, test } from 'vitest'
import { readInput } from './files.ts'
import { type InputError, isInputError } from './input-error.ts'
import { madeUp, madeUpFolder } from './made-up-files.ts'

const orders = 'olist_orders_dataset.csv'
const items = 'olist_order_items_dataset.csv'
const payments = 'olist_order_payments_dataset.csv'
const reviews = 'olist_order_reviews_dataset.csv'
const customers = 'olist_customers_dataset.csv'

async function errorOf(changes: Readonly<Record<string, string | Uint8Array | null>>): Promise<InputError> {
  const folder = await madeUpFolder(changes)
  onTestFinished(folder.remove)
  const error: unknown = await readInput(folder.path).then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!isInputError(error)) throw new Error('the input was read without an error', { cause: error })
  return error
}

function changed(file: string, from: string, to: string): Record<string, string> {
  const content = madeUp[file] ?? ''
  if (!content.includes(from)) throw new Error(`${file} does not hold ${from}`)
  return { [file]: content.replace(from, to) }
}

describe('reading the input', () => {
  test('every row of every file is read, with money in the minor unit and times in UTC', async () => {
    const folder = await madeUpFolder()
    onTestFinished(folder.remove)
    const input = await readInput(folder.path)
    expect(Object.fromEntries(Object.entries(input).map(([name, rows]) => [name, rows.length]))).toEqual({
      customers: 3,
      products: 2,
      categories: 1,
      sellers: 1,
      orders: 3,
      items: 4,
      payments: 4,
      reviews: 3,
    })
    expect(input.items.map(item => item.price)).toEqual([820, 10990, 800, 10000])
    expect(input.items.map(item => item.freight_value)).toEqual([0, 2551, 110, 500])
    expect(input.orders[0]).toMatchObject({ line: 2, order_purchase_timestamp: '2018-01-02T09:05:00.000Z' })
    expect(input.customers[1]?.customer_city).toBe('santo andre, centro')
  })

  test('a byte order mark and Windows line ends are no part of the data', async () => {
    const windows = `\ufeff${madeUp[orders]?.replaceAll('\n', '\r\n')}`
    const folder = await madeUpFolder({ [orders]: windows })
    onTestFinished(folder.remove)
    expect((await readInput(folder.path)).orders).toHaveLength(3)
  })

  test('a line break within quotes is part of a field, and the lines after it are still counted rightly', async () => {
    const city = changed(customers, '"santo andre, centro"', '"santo\nandre"')
    expect(await errorOf({ [customers]: (city[customers] ?? '').replace('c-3,ana', 'c-3,') })).toMatchObject({
      code: 'import/malformed-value',
      data: { file: customers, line: 5, column: 'customer_unique_id' },
    })
  })
})

describe('what is wrong is named by file, line and column', () => {
  test('a folder that is not there', async () => {
    await expect(readInput('/nowhere/at/all')).rejects.toMatchObject({ code: 'import/missing-folder' })
  })

  test('a file that is missing', async () => {
    expect(await errorOf({ [items]: null })).toMatchObject({ code: 'import/missing-file', data: { file: items } })
  })

  test('an empty file', async () => {
    expect(await errorOf({ [items]: '' })).toMatchObject({
      code: 'import/missing-column',
      data: { file: items, line: 1, column: 'order_id' },
    })
  })

  test('a column that is missing', async () => {
    expect(await errorOf(changed(items, 'freight_value', 'freight'))).toMatchObject({
      code: 'import/missing-column',
      data: { file: items, line: 1, column: 'freight_value' },
    })
  })

  test('a line with too few fields, and one with too many', async () => {
    expect(await errorOf(changed(items, ',8,1.1', ',8'))).toMatchObject({
      code: 'import/malformed-line',
      data: { file: items, line: 4, column: 'freight_value' },
    })
    expect(await errorOf(changed(items, ',8,1.1', ',8,1.1,0'))).toMatchObject({
      code: 'import/malformed-line',
      data: { file: items, line: 4, column: 'freight_value' },
    })
  })

  test('an empty line between others', async () => {
    expect(await errorOf(changed(items, '\no-2', '\n\no-2'))).toMatchObject({
      code: 'import/malformed-line',
      data: { file: items, line: 4, column: 'order_item_id' },
    })
  })

  test('a quote that is never closed', async () => {
    expect(await errorOf(changed(customers, 'andre, centro"', 'andre, centro'))).toMatchObject({
      code: 'import/malformed-line',
      data: { file: customers, line: 3, column: 'customer_city' },
    })
  })

  test('a quote in the middle of a field', async () => {
    expect(await errorOf(changed(customers, 'c-3,ana', 'c-3,a"na'))).toMatchObject({
      code: 'import/malformed-line',
      data: { file: customers, line: 4, column: 'customer_unique_id' },
    })
  })

  test('bytes that are not UTF-8', async () => {
    const [before = '', after = ''] = (madeUp[customers] ?? '').split('sao paulo,SP\n2')
    const bytes = Buffer.concat([Buffer.from(before), Buffer.from([0x73, 0xe3, 0x6f]), Buffer.from(`,SP\n2${after}`)])
    expect(await errorOf({ [customers]: bytes })).toMatchObject({
      code: 'import/malformed-line',
      data: { file: customers, line: 2, column: 'customer_city' },
    })
  })

  test.each([
    ['2018-01-02 09:05', 'in another form'],
    ['2/30/2018 9:05', 'of a day that does not exist'],
    ['1/2/2018 24:05', 'of an hour that does not exist'],
    ['', 'that is not there'],
  ])('a time %s (%s)', async written => {
    expect(await errorOf(changed(orders, '1/1/2018 23:59', written))).toMatchObject({
      code: 'import/malformed-value',
      data: { file: orders, line: 4, column: 'order_purchase_timestamp' },
    })
  })

  test.each(['', '-5', '1,5', '1.005', '1e3', 'NaN', '99999999999999999'])('an amount of money %s', async written => {
    const field = written.includes(',') ? `"${written}"` : written
    expect(await errorOf(changed(payments, 'voucher,1,43.61', `voucher,1,${field}`))).toMatchObject({
      code: 'import/malformed-value',
      data: { file: payments, line: 3, column: 'payment_value' },
    })
  })

  test('a score out of range, an unknown kind of payment, an unknown status', async () => {
    expect(await errorOf(changed(reviews, 'o-2,1,', 'o-2,6,'))).toMatchObject({
      data: { file: reviews, line: 3, column: 'review_score' },
    })
    expect(await errorOf(changed(payments, 'boleto', 'shells'))).toMatchObject({
      data: { file: payments, line: 4, column: 'payment_type' },
    })
    expect(await errorOf(changed(orders, 'c-3,canceled', 'c-3,lost'))).toMatchObject({
      data: { file: orders, line: 4, column: 'order_status' },
    })
  })

  test('a row that refers to an order, a product or a customer that is in no file', async () => {
    const unknown = { code: 'import/unknown-reference' }
    expect(await errorOf(changed(payments, '3,o-2', '3,o-9'))).toMatchObject({
      ...unknown,
      data: { file: payments, line: 4, column: 'order_id', target: orders },
    })
    expect(await errorOf(changed(items, 'o-3,1,p-lamp', 'o-3,1,p-sofa'))).toMatchObject({
      ...unknown,
      data: { file: items, line: 5, column: 'product_id' },
    })
    expect(await errorOf(changed(orders, 'o-3,c-3', 'o-3,c-9'))).toMatchObject({
      ...unknown,
      data: { file: orders, line: 4, column: 'customer_id' },
    })
  })

  test('an order that is there twice', async () => {
    expect(await errorOf(changed(orders, 'o-3,', 'o-1,'))).toMatchObject({
      code: 'import/duplicate-row',
      data: { file: orders, line: 4, column: 'order_id', firstLine: 2 },
    })
  })

  test('no message holds what stood in the file', async () => {
    const error = await errorOf(changed(payments, '43.61', 'somebody@example.org'))
    expect(error.message).toBe(
      `${payments}, line 3, column "payment_value": expected an amount with at most two decimals, such as 109.9.`,
    )
  })
})
