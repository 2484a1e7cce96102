/**
 * Commands and queries over HTTP. A command answers with a consistency token, and the next query is asked with it:
 * so everybody sees what they wrote, at once, in whatever view.
 */

/** What the server said no to, with the words for it. */
export class Problem extends Error {
  constructor({ code, reason, detail }, status) {
    super(kindly[reason] ?? detail ?? 'The shop did not answer. Please try again.')
    this.code = code
    this.reason = reason
    this.status = status
  }
}

/** The rules of the shop, in a tone for customers. */
const kindly = {
  'order-without-lines': 'Your basket is still empty. Put something in, then order.',
  'order-already-paid': 'This order is paid already, so nothing was charged again.',
  'payment-amount-wrong': 'That is not what the order costs, so nothing was charged. Please pay the exact total.',
  'order-cancelled': 'This order was cancelled, so that is no longer possible.',
  'order-already-cancelled': 'This order was cancelled already.',
  'order-already-delivered': 'This order has arrived already, so it cannot be cancelled any more.',
  'order-not-delivered': 'You can review the order as soon as it has arrived.',
  'order-already-reviewed': 'You have reviewed this order already. Thank you!',
}

const tokenKey = 'shop.token'
let token = sessionStorage.getItem(tokenKey)

/** An id that nobody else makes. `crypto.randomUUID` is absent where the page does not come over HTTPS or from here. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
}

/** Sends a command once, however often the network makes us try: the idempotency key stays the same. */
export async function send(category, id, command, input) {
  const response = await retrying(`/commands/${category}/${encodeURIComponent(id)}/${command}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': newId() },
    body: JSON.stringify(input),
  })
  const answer = await bodyOf(response)
  token = response.headers.get('bifold-token') ?? token
  if (token !== null) sessionStorage.setItem(tokenKey, token)
  return answer
}

/** Asks a query. `own`: the answer must hold what this page wrote before. */
export async function ask(query, input = {}, { own = false } = {}) {
  const headers = own && token !== null ? { 'bifold-after': token } : {}
  const response = await fetch(`/queries/${query}?${new URLSearchParams(entriesOf(input))}`, { headers })
  if (response.status === 404) return null
  try {
    return await bodyOf(response)
  } catch (problem) {
    if (!own || !String(problem.code).startsWith('token/')) throw problem
    // The shop's database was made anew: what this page wrote is gone, and its token with it
    token = null
    sessionStorage.removeItem(tokenKey)
    return ask(query, input)
  }
}

export async function stats() {
  return bodyOf(await fetch('/shop/stats'))
}

const attempts = 3

async function retrying(url, request) {
  for (let attempt = 1; ; attempt++) {
    const last = attempt === attempts
    try {
      const response = await fetch(url, request)
      if (last || (response.status !== 503 && response.status !== 504)) return response
    } catch {
      if (last) throw new Problem({}, 0)
    }
    await new Promise(resolve => setTimeout(resolve, 250 * attempt))
  }
}

async function bodyOf(response) {
  const body = await response.json().catch(() => ({}))
  if (!response.ok) throw new Problem(body, response.status)
  return body
}

function entriesOf(input) {
  return Object.entries(input).flatMap(([name, value]) => [value].flat().map(one => [name, String(one)]))
}
