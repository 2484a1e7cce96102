import type { Projection, System } from 'bifold'
import { explain, rowAt, verify } from 'bifold/verify'

type Order = { status: string; total: number }

export async function lookInto(shop: System, Orders: Projection<Order>): Promise<void> {
  const verified = await verify(shop, Orders)
  if (verified.equal) {
    console.log(`${verified.rows} rows are what the log makes of them: ${verified.hash}`)
    return
  }
  console.log(`${verified.different} of ${verified.rows} rows differ`)
  for (const { tenant, key, kind, stored, folded } of verified.differences) {
    console.log(tenant, key, kind, stored?.doc, folded?.doc)
    const { steps } = await explain(shop, Orders, key, { tenant })
    for (const { event, changed } of steps) console.log(event.position, event.type, event.recordedAt, changed)
    console.log(
      'as it was at the first of them:',
      await rowAt(shop, Orders, key, steps[0]?.event.position ?? 0, { tenant }),
    )
  }
}
