import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { aggregate, app, events, projection, query, reject } from '../define/index.ts'
import { run, type System } from '../run/index.ts'
import { inMemory } from '../stores/memory/index.ts'
import { type Served, type ServeOptions, serve } from './serve.ts'

const Events = events('account', {
  Opened: z.object({ owner: z.string() }),
  Deposited: z.object({ amount: z.int() }),
})
interface AccountState {
  readonly open: boolean
  readonly balance: number
}
const Account = aggregate(Events, {
  initial: (): AccountState => ({ open: false, balance: 0 }),
  evolve: {
    Opened: () => ({ open: true, balance: 0 }),
    Deposited: (account, { data }) => ({ ...account, balance: account.balance + data.amount }),
  },
  commands: {
    Open: {
      input: z.object({ owner: z.string() }),
      stream: 'new',
      decide: (_, { owner }) => [Events.Opened({ owner })],
    },
    Deposit: {
      input: z.object({ amount: z.int() }),
      stream: 'existing',
      decide: ({ balance }, { amount }) =>
        balance + amount > 1000
          ? reject('limit-reached', 'No account may hold so much', { limit: 1000 })
          : [Events.Deposited({ amount })],
    },
    Audit: { input: z.object({}), decide: () => [] },
    Fail: {
      input: z.object({}),
      decide: () => {
        throw new Error('the password is hunter2')
      },
    },
  },
})
const Balances = projection('balances', {
  from: [Events],
  state: z.object({ owner: z.string(), balance: z.int() }),
  on: {
    Opened: (_, { data }) => ({ owner: data.owner, balance: 0 }),
    Deposited: (row, { data }) => row && { ...row, balance: row.balance + data.amount },
  },
  indexes: [['balance']],
})
const bank = app('bank', {
  aggregates: [Account],
  projections: [Balances],
  queries: [
    query('balance', { from: Balances, input: z.object({ id: z.string() }), get: ({ id }) => id }),
    query('balances', { from: Balances, input: z.object({ ids: z.array(z.string()) }), many: ({ ids }) => ids }),
    query('richest', {
      from: Balances,
      input: z.object({ above: z.int().optional(), limit: z.int().max(100).default(2), cursor: z.string().optional() }),
      list: ({ above, limit, cursor }) => ({
        index: ['balance'],
        where: { balance: above === undefined ? undefined : { gt: above } },
        order: 'desc',
        limit,
        cursor,
      }),
    }),
  ],
})

const unexpected: unknown[] = []
let system: System
let served: Served
const start = (options: ServeOptions = {}) =>
  serve(system, { onUnexpected: error => unexpected.push(error), ...options })

beforeAll(async () => {
  system = await run(bank, { on: inMemory() })
  served = await start()
})

afterAll(async () => {
  await served.close()
  await system.close()
})

function send(path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${served.url}/commands/account/${path}`, {
    method: 'POST',
    ...(body !== undefined && { body: JSON.stringify(body) }),
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
  })
}

const ask = (path: string, headers: Record<string, string> = {}) => fetch(`${served.url}/queries/${path}`, { headers })

async function expectProblem(response: Response, status: number, code: string): Promise<Record<string, unknown>> {
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  const problem = (await response.json()) as Record<string, unknown>
  expect({ status: response.status, code: problem['code'] }).toEqual({ status, code })
  expect(problem).toMatchObject({ type: `urn:bifold:error:${code}`, status, title: expect.any(String) })
  return problem
}

let accounts = 0
async function openAccount(amount = 0): Promise<{ id: string; token: string }> {
  const id = `a-${++accounts}`
  const opened = await send(`${id}/Open`, { owner: 'Ann' })
  const last = amount === 0 ? opened : await send(`${id}/Deposit`, { amount })
  return { id, token: last.headers.get('bifold-token') ?? '' }
}

describe('a command', () => {
  test('answers its events, its version, its position and a token', async () => {
    const response = await send('new-1/Open', { owner: 'Ann' })
    const body = (await response.json()) as Record<string, unknown>
    expect(response.status).toBe(200)
    expect(body).toMatchObject({
      events: [
        {
          category: 'account',
          type: 'Opened',
          streamId: 'new-1',
          tenant: 'default',
          version: 1,
          data: { owner: 'Ann' },
        },
      ],
      version: 1,
      position: expect.any(Number),
      token: expect.any(String),
      repeated: false,
    })
    expect(response.headers.get('bifold-token')).toBe(body['token'])
    expect(response.headers.get('etag')).toBe('"1"')
    expect(response.headers.get('cache-control')).toBe('no-store')
  })

  test('sent twice under one key is carried out once', async () => {
    const { id } = await openAccount()
    const key = { 'idempotency-key': `"deposit-${id}"` }
    const first = (await (await send(`${id}/Deposit`, { amount: 5 }, key)).json()) as Record<string, unknown>
    const bare = { 'idempotency-key': `deposit-${id}` }
    const second = (await (await send(`${id}/Deposit`, { amount: 5 }, bare)).json()) as Record<string, unknown>
    expect(second).toEqual({ ...first, repeated: true })
    await expectProblem(await send(`${id}/Deposit`, { amount: 6 }, key), 422, 'command/id-reused')
  })

  test('puts correlation, causation and trace into the metadata', async () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    const headers = {
      'bifold-correlation-id': 'c',
      'bifold-causation-id': 'e',
      traceparent,
      'idempotency-key': 'meta-1',
    }
    const response = await send('meta/Open', { owner: 'Ann' }, headers)
    expect(await response.json()).toMatchObject({
      events: [{ metadata: { commandId: 'meta-1', correlationId: 'c', causationId: 'e', traceparent } }],
    })
  })

  test('is refused on another version than If-Match says', async () => {
    const { id } = await openAccount()
    const problem = await expectProblem(
      await send(`${id}/Deposit`, { amount: 1 }, { 'if-match': '"7"' }),
      412,
      'command/version-mismatch',
    )
    expect(problem).toMatchObject({ expected: 7, version: 1 })
    expect((await send(`${id}/Deposit`, { amount: 1 }, { 'if-match': '"1"' })).status).toBe(200)
    await expectProblem(await send(`${id}/Audit`, {}, { 'if-none-match': '*' }), 412, 'command/version-mismatch')
  })

  test('with an empty body has the input {}', async () => {
    expect((await send('audited/Audit', undefined, { 'content-type': 'application/json' })).status).toBe(200)
  })

  test('with the body null has that input, and no other', async () => {
    await expectProblem(await send('audited/Audit', null), 400, 'command/invalid-input')
  })

  test('belongs to its tenant', async () => {
    const response = await send('t-1/Open', { owner: 'Zoë' }, { 'bifold-tenant': 'caf%C3%A9' })
    const token = response.headers.get('bifold-token') ?? ''
    const own = await ask('balance?id=t-1', { 'bifold-tenant': 'caf%C3%A9', 'bifold-after': token })
    expect(await own.json()).toEqual({ owner: 'Zoë', balance: 0 })
    await expectProblem(await ask('balance?id=t-1', { 'bifold-after': token }), 404, 'query/not-found')
  })

  test('reaches a stream whose id needs every kind of encoding', async () => {
    const id = `a/b c%+?#é${'ü'.repeat(110)}`
    const response = await send(`${encodeURIComponent(id)}/Open`, { owner: 'Ann' })
    expect(await response.json()).toMatchObject({ events: [{ streamId: id }] })
    const answer = await ask(`balance?id=${encodeURIComponent(id)}`, {
      'bifold-after': response.headers.get('bifold-token') ?? '',
    })
    expect(answer.status).toBe(200)
  })

  test.each([
    ['a rule says no', 'Deposit', { amount: 2000 }, 422, 'command/rejected'],
    ['its input does not fit', 'Deposit', { amount: 'much' }, 400, 'command/invalid-input'],
    ['its stream exists', 'Open', { owner: 'Ann' }, 409, 'command/stream-exists'],
    ['there is none of its name', 'Close', {}, 404, 'http/not-found'],
  ])('is refused where %s', async (_, command, input, status, code) => {
    const { id } = await openAccount()
    await expectProblem(await send(`${id}/${command}`, input), status, code)
  })

  test('is refused where its stream must exist and does not', async () => {
    await expectProblem(await send('nobody/Deposit', { amount: 1 }), 404, 'command/stream-not-found')
  })

  test('is refused where the stream has no valid id', async () => {
    await expectProblem(await send('a%00b/Open', { owner: 'Ann' }), 400, 'log/invalid-stream')
  })

  test('says which rule rejected it', async () => {
    const { id } = await openAccount()
    expect(await (await send(`${id}/Deposit`, { amount: 2000 })).json()).toMatchObject({
      reason: 'limit-reached',
      detail: 'No account may hold so much',
      details: { limit: 1000 },
    })
  })

  test('says where its input is wrong', async () => {
    const { id } = await openAccount()
    expect(await (await send(`${id}/Deposit`, { amount: 'much' })).json()).toMatchObject({
      issues: [{ path: 'amount', message: expect.any(String) }],
    })
  })

  test('that throws says nothing of it to the caller, and all to the owner', async () => {
    unexpected.length = 0
    const response = await send('f-1/Fail', {})
    expect(await response.clone().text()).not.toContain('hunter2')
    await expectProblem(response, 500, 'http/internal')
    expect(unexpected).toMatchObject([{ code: 'command/decide-failed', cause: { message: 'the password is hunter2' } }])
  })
})

describe('a query', () => {
  test('reads what the command of its token wrote', async () => {
    const { id, token } = await openAccount(7)
    const response = await ask(`balance?id=${id}`, { 'bifold-after': token })
    expect(await response.text()).toBe('{"owner":"Ann","balance":7}')
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8')
    expect(Number(response.headers.get('bifold-as-of'))).toBeGreaterThanOrEqual(Number(token.split('.')[1]))
    expect(response.headers.get('bifold-token')).toContain(`.${response.headers.get('bifold-as-of')}.`)
    expect(response.headers.get('bifold-stale')).toBeNull()
    expect(response.headers.get('cache-control')).toBe('no-store')
  })

  test('of no row is not found, and says as of when', async () => {
    const response = await ask('balance?id=nobody')
    expect(response.headers.get('bifold-as-of')).toMatch(/^\d+$/)
    await expectProblem(response, 404, 'query/not-found')
  })

  test('for many keys answers in their order, with null where there is no row', async () => {
    const { id, token } = await openAccount(8)
    const response = await ask(`balances?ids=nobody&ids=${id}`, { 'bifold-after': token })
    expect(await response.json()).toEqual([null, { owner: 'Ann', balance: 8 }])
  })

  test('lists with coerced bounds and a cursor', async () => {
    await openAccount(901)
    await openAccount(902)
    const { token } = await openAccount(903)
    const first = (await (await ask('richest?above=900', { 'bifold-after': token })).json()) as {
      readonly rows: readonly { readonly balance: number }[]
      readonly next: string
    }
    expect(first.rows.map(row => row.balance)).toEqual([903, 902])
    const second = await ask(`richest?above=900&cursor=${encodeURIComponent(first.next)}`)
    expect(await second.json()).toMatchObject({ rows: [{ balance: 901 }], next: null })
  })

  test('that waits for what does not come says so, or answers stale', async () => {
    const still = await run(bank, { on: inMemory(), roles: { projections: false } })
    const server = await serve(still)
    const { token } = await still.dispatch(Account, 'a', 'Open', { owner: 'Ann' })
    const askStill = (headers: Record<string, string>) =>
      fetch(`${server.url}/queries/balances?ids=a`, {
        headers: { 'bifold-after': token, 'bifold-wait-ms': '1', ...headers },
      })
    const late = await askStill({})
    expect(late.headers.get('retry-after')).toBe('1')
    expect(await expectProblem(late, 503, 'query/timeout')).toMatchObject({ reached: 0, position: 1, waitedMs: 1 })
    const stale = await askStill({ 'bifold-on-timeout': 'stale' })
    expect(stale.headers.get('bifold-stale')).toBe('true')
    expect(stale.headers.get('bifold-as-of')).toBe('0')
    expect(await stale.json()).toEqual([null])
    await server.close()
    await still.close()
  })

  test('with a token that means nothing here is refused', async () => {
    const { id, token } = await openAccount(9)
    const { logId, position } = { logId: token.split('.')[0], position: Number(token.split('.')[1]) }
    const missing = `${logId}.${position + 1000}.000000000000`
    await expectProblem(await ask(`balance?id=${id}`, { 'bifold-after': missing }), 409, 'token/not-in-log')
    await expectProblem(await ask(`balance?id=${id}`, { 'bifold-after': 'nonsense' }), 400, 'token/invalid')
  })

  test.each([
    ['balance', 'query/invalid-input'],
    ['balance?id=a&id=b', 'query/invalid-input'],
    ['balance?id=a&x=1', 'query/invalid-input'],
    ['balance?id=a&__proto__=1', 'query/invalid-input'],
    ['richest?limit=many', 'query/invalid-input'],
    ['richest?limit=101', 'query/invalid-input'],
    ['richest?cursor=nonsense', 'query/invalid-cursor'],
    ['balance?id=%C3', 'http/malformed-request'],
    ['balance?id=%', 'http/malformed-request'],
  ])('%s is refused with %s', async (path, code) => {
    await expectProblem(await ask(path), 400, code)
  })

  test('answers HEAD without a body', async () => {
    const { id, token } = await openAccount()
    const response = await fetch(`${served.url}/queries/balance?id=${id}`, {
      method: 'HEAD',
      headers: { 'bifold-after': token },
    })
    expect(response.status).toBe(200)
    expect(response.headers.get('bifold-as-of')).toMatch(/^\d+$/)
    expect(await response.text()).toBe('')
  })
})

describe('whatever is wrong with a request is a problem', () => {
  const post = (body: string | Buffer, headers: Record<string, string>) =>
    fetch(`${served.url}/commands/account/x/Open`, { method: 'POST', body, headers })
  const json = { 'content-type': 'application/json' }

  test('an unknown route', async () => {
    await expectProblem(await fetch(`${served.url}/nothing`), 404, 'http/not-found')
    await expectProblem(await fetch(`${served.url}/queries/nothing`), 404, 'http/not-found')
  })

  test('a method that the address does not know', async () => {
    const got = await fetch(`${served.url}/commands/account/x/Open`)
    expect(got.headers.get('allow')).toBe('POST')
    await expectProblem(got, 405, 'http/method-not-allowed')
    const deleted = await fetch(`${served.url}/queries/balance`, { method: 'DELETE' })
    expect(deleted.headers.get('allow')).toBe('GET, HEAD')
    await expectProblem(deleted, 405, 'http/method-not-allowed')
    const posted = await fetch(`${served.url}/queries/balance`, { method: 'POST', body: '{', headers: json })
    await expectProblem(posted, 405, 'http/method-not-allowed')
  })

  test.each([
    ['no JSON', '{'],
    ['no UTF-8', Buffer.from('{"owner":"\xff"}', 'latin1')],
    ['a prototype', '{"owner":"Ann","__proto__":{"x":1}}'],
    ['a constructor', '{"owner":"Ann","constructor":{"prototype":{"x":1}}}'],
  ])('a body that is %s', async (_, body) => {
    await expectProblem(await post(body, json), 400, 'http/invalid-json')
  })

  test('a body that is too large', async () => {
    await expectProblem(await post(JSON.stringify('x'.repeat(1 << 20)), json), 413, 'http/body-too-large')
  })

  test('a body-less command that does not say it is JSON, which a page of another origin could send', async () => {
    await expectProblem(await send('audited/Audit'), 415, 'http/unsupported-media-type')
  })

  test.each(['text/plain', 'application/xml', 'nonsense', 'application/jsonx'])('a body of %s', async type => {
    await expectProblem(await post('{}', { 'content-type': type }), 415, 'http/unsupported-media-type')
  })

  test('a malformed header', async () => {
    const problem = await expectProblem(await post('{}', { ...json, 'if-match': '3' }), 400, 'http/invalid-header')
    expect(problem).toMatchObject({ header: 'If-Match', rule: expect.any(String) })
  })

  test('a path that is no UTF-8', async () => {
    await expectProblem(await send('%C3/Open', {}), 400, 'http/malformed-request')
    await expectProblem(await send('%zz/Open', {}), 400, 'http/malformed-request')
  })

  test('a URL that is too long', async () => {
    await expectProblem(await ask(`balance?id=${'x'.repeat(9000)}`), 414, 'http/url-too-long')
    await expectProblem(await send(`${'x'.repeat(800)}/Open`, {}), 414, 'http/url-too-long')
  })

  test('headers that are too large', async () => {
    await expectProblem(await ask('balance?id=a', { 'x-large': 'x'.repeat(20_000) }), 431, 'http/headers-too-large')
  })

  test('what is beyond the limits that the owner gave', async () => {
    const narrow = await start({ limits: { maxBodyBytes: 10, maxUrlChars: 40, maxHeaderBytes: 1000 } })
    const body = await fetch(`${narrow.url}/commands/account/x/Open`, {
      method: 'POST',
      body: '{"owner":1}',
      headers: json,
    })
    await expectProblem(body, 413, 'http/body-too-large')
    await expectProblem(await fetch(`${narrow.url}/queries/balance?id=${'x'.repeat(40)}`), 414, 'http/url-too-long')
    const headers = await fetch(`${narrow.url}/health/live`, { headers: { 'x-large': 'x'.repeat(1000) } })
    await expectProblem(headers, 431, 'http/headers-too-large')
    await narrow.close()
  })

  test('bytes that are no HTTP', async () => {
    const text = await raw('NONSENSE\r\n\r\n')
    expect(text).toMatch(/^HTTP\/1.1 400 Bad Request\r\ncontent-type: application\/problem\+json\r\n/)
    expect(text).toContain('"code":"http/malformed-request"')
  })

  test('headers that do not arrive', async () => {
    const slow = await start({ limits: { headersTimeoutMs: 100, requestTimeoutMs: 200 } })
    const text = await raw('GET /health/live HTTP/1.1\r\n', slow.url)
    await slow.close()
    expect(text).toMatch(/^HTTP\/1.1 408 /)
    expect(text).toContain('"code":"http/request-timeout"')
  })

  async function raw(bytes: string, url = served.url): Promise<string> {
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname)
    socket.write(bytes)
    const chunks: Buffer[] = []
    socket.on('data', chunk => chunks.push(chunk))
    await once(socket, 'end')
    socket.destroy()
    return Buffer.concat(chunks).toString()
  }
})

describe('separation', () => {
  test('a server of commands knows no query, and a server of queries no command', async () => {
    const [commands, queries] = await Promise.all([start({ queries: false }), start({ commands: false })])
    const headers = { 'content-type': 'application/json' }
    const post = (url: string) => fetch(`${url}/commands/account/sep/Audit`, { method: 'POST', headers })
    expect((await post(commands.url)).status).toBe(200)
    await expectProblem(await fetch(`${commands.url}/queries/balance?id=a`), 404, 'http/not-found')
    await expectProblem(await post(queries.url), 404, 'http/not-found')
    const document = (await (await fetch(`${queries.url}/openapi.json`)).json()) as { paths: object }
    expect(Object.keys(document.paths).some(path => path.startsWith('/commands'))).toBe(false)
    await Promise.all([commands.close(), queries.close()])
  })

  test('the owner says who the caller is, may refuse, and adds routes', async () => {
    const own = await start({
      identify: request => ({ tenant: String(request.headers['x-org']), actor: 'ann' }),
      extend: fastify => {
        fastify.addHook('onRequest', async request => {
          if (request.headers['x-org'] === undefined)
            throw Object.assign(new Error('Log in first'), { statusCode: 401 })
        })
        fastify.get('/own', async () => ({ own: true }))
      },
    })
    const post = (headers: Record<string, string>) =>
      fetch(`${own.url}/commands/account/i-1/Open`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: '{"owner":"Ann"}',
      })
    const refused = await post({})
    expect(refused.status).toBe(401)
    expect(await refused.json()).toMatchObject({ type: 'about:blank', detail: 'Log in first' })
    expect(await (await post({ 'x-org': 'acme', 'bifold-tenant': 'other' })).json()).toMatchObject({
      events: [{ tenant: 'acme', metadata: { actor: 'ann' } }],
    })
    expect(await (await fetch(`${own.url}/own`, { headers: { 'x-org': 'acme' } })).json()).toEqual({ own: true })
    await own.close()
  })
})

describe('health', () => {
  test('is live', async () => {
    expect(await (await fetch(`${served.url}/health/live`)).json()).toEqual({ status: 'live' })
  })

  test('is ready, and says how far each view is behind', async () => {
    const { id, token } = await openAccount(1)
    await ask(`balance?id=${id}`, { 'bifold-after': token })
    const response = await fetch(`${served.url}/health/ready`)
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({
      status: 'ready',
      reasons: [],
      views: [{ projection: 'balances', state: 'live', behind: 0 }],
    })
  })
})

test('a system that is closed is live, not ready, and answers with problems', async () => {
  const own = await run(bank, { on: inMemory() })
  const server = await serve(own)
  await own.close()
  expect((await fetch(`${server.url}/health/live`)).status).toBe(200)
  const ready = await fetch(`${server.url}/health/ready`)
  expect(ready.status).toBe(503)
  await expectProblem(await fetch(`${server.url}/queries/balance?id=a`), 503, 'query/closed')
  const headers = { 'content-type': 'application/json' }
  const sent = await fetch(`${server.url}/commands/account/a/Audit`, { method: 'POST', headers })
  await expectProblem(sent, 503, 'log/closed')
  await server.close()
})

test('the OpenAPI document names every command and query', async () => {
  const response = await fetch(`${served.url}/openapi.json`)
  const document = (await response.json()) as { paths: Record<string, unknown> }
  expect(Object.keys(document.paths)).toEqual([
    '/commands/account/{streamId}/Open',
    '/commands/account/{streamId}/Deposit',
    '/commands/account/{streamId}/Audit',
    '/commands/account/{streamId}/Fail',
    '/queries/balance',
    '/queries/balances',
    '/queries/richest',
    '/health/live',
    '/health/ready',
  ])
})
