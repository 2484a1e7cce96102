import type { System } from 'bifold'
import { serve, stopOnSignals } from 'bifold/http'

export async function start(system: System): Promise<void> {
  const { url, close } = await serve(system, { port: 8080 })
  stopOnSignals(async () => {
    await close()
    await system.close()
  })
  console.log(`Serving at ${url}`)
}
