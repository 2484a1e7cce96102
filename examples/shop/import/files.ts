import { stat } from 'node:fs/promises'
import { type Row, readCsv } from './csv.ts'
import { money, oneOf, optionalText, optionalTime, text, time, wholeNumber } from './fields.ts'
import { InputError } from './input-error.ts'

const status = oneOf('created', 'approved', 'processing', 'invoiced', 'shipped', 'delivered', 'canceled', 'unavailable')

const files = {
  customers: 'olist_customers_dataset.csv',
  products: 'olist_products_dataset.csv',
  categories: 'product_category_name_translation.csv',
  sellers: 'olist_sellers_dataset.csv',
  orders: 'olist_orders_dataset.csv',
  items: 'olist_order_items_dataset.csv',
  payments: 'olist_order_payments_dataset.csv',
  reviews: 'olist_order_reviews_dataset.csv',
} as const

const columns = {
  customers: {
    customer_id: text,
    customer_unique_id: text,
    customer_zip_code_prefix: text,
    customer_city: text,
    customer_state: text,
  },
  products: { product_id: text, product_category_name: optionalText },
  categories: { product_category_namept: text, product_category_name_english: text },
  sellers: { seller_id: text },
  orders: {
    order_id: text,
    customer_id: text,
    order_status: status,
    order_purchase_timestamp: time,
    order_approved_at: optionalTime,
    order_delivered_carrier_date: optionalTime,
    order_delivered_customer_date: optionalTime,
  },
  items: {
    order_id: text,
    order_item_id: wholeNumber(1),
    product_id: text,
    seller_id: text,
    price: money,
    freight_value: money,
  },
  payments: {
    order_id: text,
    payment_sequential: wholeNumber(1),
    payment_type: oneOf('credit_card', 'debit_card', 'boleto', 'voucher', 'not_defined'),
    payment_value: money,
  },
  reviews: {
    review_pk: text,
    order_id: text,
    review_score: wholeNumber(1, 5),
    review_answer_timestamp: time,
  },
} as const

type Files = { readonly [Name in keyof typeof columns]: readonly Row<(typeof columns)[Name]>[] }

/** The rows of all files, in their files' order: every field is read, every reference leads to a row. */
export type Input = Files

export type CustomerRow = Input['customers'][number]
export type OrderRow = Input['orders'][number]
export type ItemRow = Input['items'][number]
export type PaymentRow = Input['payments'][number]

/**
 * Reads and checks the whole input, before anything is done with any of it.
 *
 * @throws `import/…`, for the first thing that is wrong: its file, its line, its column
 */
export async function readInput(folder: string): Promise<Input> {
  const there = await stat(folder).catch(() => undefined)
  if (!there?.isDirectory()) throw new InputError('import/missing-folder', { folder })
  const input: Input = {
    customers: await readCsv(folder, files.customers, columns.customers),
    products: await readCsv(folder, files.products, columns.products),
    categories: await readCsv(folder, files.categories, columns.categories),
    sellers: await readCsv(folder, files.sellers, columns.sellers),
    orders: await readCsv(folder, files.orders, columns.orders),
    items: await readCsv(folder, files.items, columns.items),
    payments: await readCsv(folder, files.payments, columns.payments),
    reviews: await readCsv(folder, files.reviews, columns.reviews),
  }
  const customers = mustBeUnique(input, 'customers', ['customer_id'])
  const products = mustBeUnique(input, 'products', ['product_id'])
  const sellers = mustBeUnique(input, 'sellers', ['seller_id'])
  const orders = mustBeUnique(input, 'orders', ['order_id'])
  mustBeUnique(input, 'categories', ['product_category_namept'])
  mustBeUnique(input, 'items', ['order_id', 'order_item_id'])
  mustBeUnique(input, 'payments', ['order_id', 'payment_sequential'])
  mustBeUnique(input, 'reviews', ['review_pk'])
  mustBeKnown(input, 'orders', 'customer_id', customers, 'customers')
  mustBeKnown(input, 'items', 'order_id', orders, 'orders')
  mustBeKnown(input, 'items', 'product_id', products, 'products')
  mustBeKnown(input, 'items', 'seller_id', sellers, 'sellers')
  mustBeKnown(input, 'payments', 'order_id', orders, 'orders')
  mustBeKnown(input, 'reviews', 'order_id', orders, 'orders')
  return input
}

type FileName = keyof Files
type ColumnOf<Name extends FileName> = Extract<keyof (typeof columns)[Name], string>

function mustBeUnique<Name extends FileName>(
  input: Input,
  name: Name,
  key: readonly ColumnOf<Name>[],
): ReadonlySet<string> {
  const lines = new Map<string, number>()
  for (const row of input[name] as readonly (Record<string, unknown> & { readonly line: number })[]) {
    const value = key.map(column => String(row[column])).join('\n')
    const firstLine = lines.get(value)
    if (firstLine !== undefined) {
      const at = { file: files[name], line: row.line, column: key.join('", "'), firstLine }
      throw new InputError('import/duplicate-row', at)
    }
    lines.set(value, row.line)
  }
  return new Set(lines.keys())
}

function mustBeKnown<Name extends FileName>(
  input: Input,
  name: Name,
  column: ColumnOf<Name>,
  known: ReadonlySet<string>,
  target: FileName,
): void {
  for (const row of input[name] as readonly (Record<string, unknown> & { readonly line: number })[]) {
    if (!known.has(String(row[column]))) {
      const at = { file: files[name], line: row.line, column, target: files[target] }
      throw new InputError('import/unknown-reference', at)
    }
  }
}
