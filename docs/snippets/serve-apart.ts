import type { System } from 'bifold'
import { type Served, serve } from 'bifold/http'

export async function start(writing: System, reading: System): Promise<readonly Served[]> {
  const commands = await serve(writing, { port: 8080, queries: false })
  const queries = await serve(reading, { port: 8081, commands: false })
  return [commands, queries]
}
