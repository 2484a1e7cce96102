import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'

const module = new URL('stop-signals.ts', import.meta.url).href

/** A process that closes as `close` says. Answers with how it ended, and what it wrote. */
async function ended(
  close: string,
  signals: readonly NodeJS.Signals[],
): Promise<{ code: number | null; text: string }> {
  const script = `
    import { stopOnSignals } from ${JSON.stringify(module)}
    const close = ${close}
    stopOnSignals(() => { console.log('closing'); return close() }, { withinMs: 300 })
    // Lives as long as the test does, and no longer.
    process.stdin.resume().on('end', () => process.exit(3))
    console.log('up')`
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  let text = ''
  let next = 0
  child.stdout.on('data', chunk => {
    text += chunk
    const signal = signals[next++]
    if (signal !== undefined) child.kill(signal)
  })
  const [code] = (await once(child, 'exit')) as [number | null]
  return { code, text }
}

test.each(['SIGTERM', 'SIGINT'] as const)('%s closes, and ends the process with 0', async signal => {
  const close = `() => new Promise(r => setTimeout(r, 20)).then(() => console.log('closed'))`
  expect(await ended(close, [signal])).toEqual({ code: 0, text: 'up\nclosing\nclosed\n' })
})

test('a close that fails ends the process with 1', async () => {
  expect(await ended(`() => Promise.reject(new Error('no'))`, ['SIGTERM'])).toMatchObject({ code: 1 })
})

test('a close that takes too long is cut off', async () => {
  expect(await ended('() => new Promise(() => undefined)', ['SIGTERM'])).toEqual({ code: 1, text: 'up\nclosing\n' })
})

test('a second signal ends the process at once', async () => {
  expect(await ended('() => new Promise(() => undefined)', ['SIGTERM', 'SIGINT'])).toMatchObject({ code: 1 })
})
