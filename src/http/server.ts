import { createServer, type RequestListener, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { BifoldError } from '../define/index.ts'
import { letGoOfConnections } from './let-go.ts'
import { problemMediaType, problemOf } from './problem.ts'

/** What a server takes, and how long it waits. */
export interface Limits {
  /** A URL of more characters is refused with 414. Default 8192. */
  readonly maxUrlChars?: number
  /** A body of more bytes is refused with 413. Default 1 MiB. */
  readonly maxBodyBytes?: number
  /** The request line and all headers; more is refused with 431. Default 16 KiB. */
  readonly maxHeaderBytes?: number
  /** In which the headers must have arrived. Default 10000. */
  readonly headersTimeoutMs?: number
  /** In which the whole request must have arrived; else it is refused with 408. Default 30000. */
  readonly requestTimeoutMs?: number
  /** How long a connection may be idle. Longer than the load balancer's, or it loses requests. Default 72000. */
  readonly keepAliveMs?: number
}

/** The gate in front of the application: what is refused here costs next to nothing. */
export function gatedServer(
  listener: RequestListener,
  { maxUrlChars = 8192, maxHeaderBytes = 16_384, headersTimeoutMs = 10_000, ...limits }: Limits,
  closing: () => boolean,
): Server {
  const { requestTimeoutMs = 30_000, keepAliveMs = 72_000 } = limits
  const server = createServer(
    {
      maxHeaderSize: maxHeaderBytes,
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: keepAliveMs,
      connectionsCheckingInterval: Math.min(5000, headersTimeoutMs),
    },
    (request, response) => {
      if (closing()) refuse(response, new BifoldError('http/closing', {}))
      else if (request.url !== undefined && request.url.length > maxUrlChars) {
        refuse(response, new BifoldError('http/url-too-long', {}))
      } else listener(request, response)
    },
  )
  letGoOfConnections(server)
  return server
}

function refuse(response: ServerResponse, error: BifoldError): void {
  const { status, headers, body } = problemOf(error)
  const length = String(Buffer.byteLength(body))
  response
    .writeHead(status, { ...headers, 'content-type': problemMediaType, 'content-length': length, connection: 'close' })
    .end(body)
}

/** Answers what Node could not even read as a request, and ends the connection. */
export function refuseUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const known = problemOf(error)
  const { status, body } = known.unexpected
    ? problemOf(new BifoldError('http/malformed-request', { problem: 'it is no HTTP/1.1' }))
    : known
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `content-type: ${problemMediaType}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}
