import { type Query, type System, session } from 'bifold'

type Order = { status: string; total: number }

/** One request of a signed-in user. `kept` is what lasts between requests: a cookie, a row of your own. */
export async function payAndShow(
  shop: System,
  orderById: Query<{ orderId: string }, Order | null>,
  kept: { token?: string | undefined },
): Promise<Order | null> {
  const own = session(shop, kept.token)
  await own.dispatchByName('order', 'o-1', 'PayOrder', { method: 'card' })
  const { value } = await own.query(orderById, { orderId: 'o-1' })
  kept.token = own.token()
  return value
}
