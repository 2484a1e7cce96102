import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A small input that is right: two customers, two products, three orders. For tests, which put errors into it. */
export const madeUp: Readonly<Record<string, string>> = {
  'olist_customers_dataset.csv': `customer_pk,customer_id,customer_unique_id,customer_zip_code_prefix,customer_city,customer_state
1,c-1,ana,3052,sao paulo,SP
2,c-2,rui,9190,"santo andre, centro",SP
3,c-3,ana,3052,sao paulo,SP
`,
  'olist_products_dataset.csv': `product_pk,product_id,product_category_name
1,p-lamp,casa
2,p-book,
`,
  'product_category_name_translation.csv': `product_category_namept,product_category_name_english
casa,home
`,
  'olist_sellers_dataset.csv': `seller_pk,seller_id
1,s-1
`,
  'olist_orders_dataset.csv': `order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,order_delivered_carrier_date,order_delivered_customer_date,order_estimated_delivery_date
o-1,c-1,delivered,1/2/2018 9:05,1/2/2018 9:30,1/3/2018 8:00,1/5/2018 12:00,1/9/2018 0:00
o-2,c-2,delivered,1/2/2018 9:05,1/4/2018 0:10,1/3/2018 10:00,1/6/2018 12:00,1/9/2018 0:00
o-3,c-3,canceled,1/1/2018 23:59,1/2/2018 0:05,,,1/9/2018 0:00
`,
  'olist_order_items_dataset.csv': `order_id,order_item_id,product_id,seller_id,shipping_limit_date,price,freight_value
o-1,2,p-book,s-1,1/3/2018 0:00,8.2,0
o-1,1,p-lamp,s-1,1/3/2018 0:00,109.9,25.51
o-2,1,p-book,s-1,1/3/2018 0:00,8,1.1
o-3,1,p-lamp,s-1,1/3/2018 0:00,100,5
`,
  'olist_order_payments_dataset.csv': `pay_pk,order_id,payment_sequential,payment_type,payment_installments,payment_value
1,o-1,1,credit_card,1,100
2,o-1,2,voucher,1,43.61
3,o-2,1,boleto,1,9.1
4,o-3,1,debit_card,1,105
`,
  'olist_order_reviews_dataset.csv': `review_pk,order_id,review_score,review_creation_date,review_answer_timestamp
1,o-1,5,1/6/2018 0:00,1/7/2018 10:00
2,o-2,1,1/6/2018 0:00,1/7/2018 10:00
3,o-1,4,1/6/2018 0:00,1/8/2018 10:00
`,
}

/** Writes the made-up files into a temporary folder; `changes` replaces some, and leaves those out that are `null`. */
export async function madeUpFolder(
  changes: Readonly<Record<string, string | Uint8Array | null>> = {},
): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'shop-import-'))
  for (const [file, content] of Object.entries({ ...madeUp, ...changes })) {
    if (content !== null) await writeFile(join(path, file), content)
  }
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}
