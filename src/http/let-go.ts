import type { Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Makes `server.close()` let go of connections as they fall idle. Node's own way cuts off an answer that has been
 * written and is still being sent, and keeps a connection that answers its last request now until its keep-alive is
 * over.
 */
export function letGoOfConnections(server: Server): void {
  const sockets = new Set<Socket>()
  server.on('connection', socket => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  // `close` calls this one.
  server.closeIdleConnections = () => {
    Object.assign(server, { keepAliveTimeout: 1, keepAliveTimeoutBuffer: 0 })
    for (const socket of sockets) {
      const answering = answerOn(socket)
      if (answering === undefined) socket.destroy()
      else if (!answering.headersSent) answering.setHeader('connection', 'close')
    }
  }
}

/** The answer that is owed on a connection: Node keeps it here, and has no other name for it. */
function answerOn(socket: Socket & { readonly _httpMessage?: ServerResponse | null }): ServerResponse | undefined {
  return socket._httpMessage ?? undefined
}
