import type { Projection, System } from 'bifold'

export async function lookAfter(shop: System, Orders: Projection<unknown>): Promise<void> {
  for (const { tenant, key, generation, ...why } of await shop.deadLetters.list({ projection: Orders })) {
    console.log(key, why.code, `${why.events} events wait since ${why.since} in generation ${generation}`)
    const parked = await shop.deadLetters.show(Orders, key, { tenant, generation })
    console.log(parked?.row, parked?.waiting[0], parked?.stack)
  }
  // After the definition was corrected:
  const { keys, parked } = await shop.deadLetters.retryAll(Orders)
  console.log(parked.length === 0 ? `all ${keys} go on` : `of ${keys} these stand still, and there may be more:`)
  for (const { tenant, key, generation, position } of parked) {
    const reason = 'sent twice by the till in Bern'
    await shop.deadLetters.skip(Orders, key, { tenant, generation, position, reason })
  }
}
