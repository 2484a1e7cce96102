import type { Projection, System } from 'bifold'
import { plan } from 'bifold/verify'

type Order = { status: string; total: number }

export async function beforeDeploying(shop: System, ChangedOrders: Projection<Order>): Promise<void> {
  const { builds, rows, samples, rollups, takes } = await plan(shop, ChangedOrders)
  if (!builds && rows.changed > 0) throw new Error('Raise the version: the rows that there are would stay as they are')
  console.log(`${rows.changed} of ${rows.before} rows would change, ${rows.added} come and ${rows.removed} go`)
  for (const { key, changed } of samples) console.log(key, changed)
  console.log(`${rollups.groups.changed} of ${rollups.groups.before} groups would sum up to something else`)
  for (const { rollup, group, before, after } of rollups.samples) console.log(rollup, group, before, after)
  console.log(`It takes about ${takes.ms} ms and ${takes.bytes} bytes for ${takes.events} events`)
}
