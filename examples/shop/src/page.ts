import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import type { ServeOptions } from 'bifold/http'

type Fastify = Parameters<NonNullable<ServeOptions['extend']>>[0]

const folder = new URL('../public/', import.meta.url)

const mediaTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** Everything that the page needs comes from here, and nothing in it is written inline. */
const headers = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-cache',
}

/** Serves the files of `public/`, which are read once. */
export async function addPage(fastify: Fastify): Promise<void> {
  for (const name of await readdir(folder)) {
    const body = await readFile(new URL(name, folder))
    const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
    const contentType = mediaTypes[extname(name)] ?? 'application/octet-stream'
    fastify.get(name === 'index.html' ? '/' : `/${name}`, (request, reply) => {
      reply.headers(headers).header('etag', etag)
      if (request.headers['if-none-match'] === etag) return reply.code(304).send()
      return reply.type(contentType).send(body)
    })
  }
}
