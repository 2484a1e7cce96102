import type { Submittable } from 'pg'
import { expect, test } from 'vitest'
import { copyIn } from './pg-copy.ts'

/** The driver's part of a COPY: what it is handed, and what is written to its socket. */
function connection() {
  const written: string[] = []
  let copy: Record<string, (...given: unknown[]) => void> = {}
  const stream = {
    write: (message: Buffer) => {
      written.push(String.fromCharCode(message[0] as number))
      return true
    },
  }
  return {
    written,
    client: { query: (query: Submittable) => (copy = query as unknown as typeof copy) } as never,
    begin: () => copy['handleCopyInResponse']?.({ stream }),
    fail: (error: Error) => copy['handleError']?.(error),
  }
}

test.each(['comes to its end', 'fails'])(
  'a source that %s after the server has refused says nothing on a connection that is somebody else’s by then',
  async how => {
    const { client, written, begin, fail } = connection()
    let goOn = (): void => undefined
    const stopped = new Promise<void>(resolve => {
      goOn = resolve
    })
    async function* lines(): AsyncGenerator<string> {
      yield 'a'
      await stopped
      if (how === 'fails') throw new Error('too late')
      yield 'b'
    }
    const copied = copyIn(client, 'copy t from stdin', lines()).catch((error: unknown) => error)
    begin()
    await new Promise(setImmediate)
    fail(new Error('disk full'))
    expect(await copied).toMatchObject({ message: 'disk full' })
    goOn()
    await new Promise(setImmediate)
    expect(written).toEqual(['d'])
  },
)
