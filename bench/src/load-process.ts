// Loads a server with GET requests, and says how that went.
import autocannon from 'autocannon'

export interface Load {
  readonly url: string
  /** Each connection asks for all of them, again and again, beginning at a place of its own. */
  readonly paths: readonly string[]
  readonly connections: number
  readonly seconds: number
}

export interface Loaded {
  readonly perSecond: number
  readonly meanMs: number
  readonly p99Ms: number
}

process.once('message', (load: Load) => {
  run(load).then(
    loaded => process.send?.(loaded, () => process.disconnect()),
    error => {
      console.error(error)
      process.exit(1)
    },
  )
})

async function run({ url, paths, connections, seconds }: Load): Promise<Loaded> {
  let clients = 0
  const result = await autocannon({
    url,
    connections,
    duration: seconds,
    setupClient: client => {
      const first = Math.floor((paths.length / connections) * clients++)
      client.setRequests([...paths.slice(first), ...paths.slice(0, first)].slice(0, 500).map(path => ({ path })))
    },
  })
  if (result.non2xx > 0 || result.errors > 0) {
    throw new Error(`${result.non2xx} answers were no success, ${result.errors} requests failed`)
  }
  // The load generator counts percentiles in whole milliseconds: a median would most often be 0.
  const { average, p99 } = result.latency
  return { perSecond: result.requests.total / result.duration, meanMs: average, p99Ms: p99 }
}
