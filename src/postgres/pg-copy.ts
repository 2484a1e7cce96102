import type { Duplex } from 'node:stream'
import type { Client, Connection, Submittable } from 'pg'

const copyData = 0x64
const copyDone = 0x63
const copyFail = 0x66

/**
 * `copy … from stdin` as a query of the driver, which has no COPY of its own: it hands the messages of the protocol to
 * whatever is the query at the time. Nothing is sent faster than the socket takes it.
 */
export function copyIn(client: Pick<Client, 'query'>, text: string, chunks: AsyncIterable<string>): Promise<void> {
  return new Promise((resolve, reject) => {
    let sourceError: Error | undefined
    let isOver = false
    const copy: Submittable & Record<string, unknown> = {
      // The driver asks for one, to bound the time of a query.
      callback: () => undefined,
      submit: (connection: Connection) => connection.query(text),
      handleCopyInResponse: ({ stream }: Connection) => {
        // Once it is over the connection is somebody else's, whose COPY this would end.
        const end = (kind: number, text: string): void => {
          if (!isOver) stream.write(message(kind, text))
        }
        send(stream, chunks, () => isOver).then(
          () => end(copyDone, ''),
          (error: Error) => {
            sourceError = error
            end(copyFail, 'the source of the rows failed\u0000')
          },
        )
      },
      handleCommandComplete: () => undefined,
      handleReadyForQuery: () => {
        isOver = true
        resolve()
      },
      handleError: (error: Error) => {
        isOver = true
        reject(sourceError ?? error)
      },
    }
    client.query(copy)
  })
}

/** Ends early where the server has refused: it passes over what is still on its way. */
async function send(stream: Duplex, chunks: AsyncIterable<string>, isOver: () => boolean): Promise<void> {
  for await (const chunk of chunks) {
    if (isOver()) return
    if (!stream.write(message(copyData, chunk))) await drained(stream)
  }
}

function drained(stream: Duplex): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      stream.off('drain', done)
      stream.off('close', done)
      resolve()
    }
    stream.on('drain', done)
    stream.on('close', done)
  })
}

function message(kind: number, text: string): Buffer {
  const bytes = Buffer.byteLength(text)
  const buffer = Buffer.allocUnsafe(5 + bytes)
  buffer[0] = kind
  buffer.writeUInt32BE(bytes + 4, 1)
  buffer.write(text, 5)
  return buffer
}
