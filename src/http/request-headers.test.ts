import { describe, expect, test } from 'vitest'
import { askOptionsOf, commandOptionsOf } from './request-headers.ts'

const command = (headers: Record<string, string>) => commandOptionsOf(headers, {})
const refused = (header: string) =>
  expect.objectContaining({ code: 'http/invalid-header', data: expect.objectContaining({ header }) })

describe('Idempotency-Key', () => {
  test.each([
    ['"8e03978e-40d5-43dd-bc93-6894a57f9324"', '8e03978e-40d5-43dd-bc93-6894a57f9324'],
    ['8e03978e-40d5-43dd-bc93-6894a57f9324', '8e03978e-40d5-43dd-bc93-6894a57f9324'],
    ['"say \\"yes\\" \\\\ no, thanks"', 'say "yes" \\ no, thanks'],
    ['order/7:pay', 'order/7:pay'],
    [`"${'x'.repeat(256)}"`, 'x'.repeat(256)],
  ])('%s is the command id', (value, commandId) => {
    expect(command({ 'idempotency-key': value }).commandId).toBe(commandId)
  })

  test.each([
    '',
    '""',
    '"a',
    'a"',
    '"a", "b"',
    'a, b',
    '"a";p=1',
    '"\\a"',
    '"\u00e9"',
    'a b',
    `"${'x'.repeat(257)}"`,
    'x'.repeat(257),
  ])('%s is refused', value => {
    expect(() => command({ 'idempotency-key': value })).toThrow(refused('Idempotency-Key'))
  })
})

describe('the expected version', () => {
  test('is the entity tag of If-Match, or none by If-None-Match', () => {
    expect(command({}).expectedVersion).toBeUndefined()
    expect(command({ 'if-match': '"3"' }).expectedVersion).toBe(3)
    expect(command({ 'if-match': '"0"' }).expectedVersion).toBe(0)
    expect(command({ 'if-none-match': '*' }).expectedVersion).toBe(0)
  })

  test.each(['3', 'W/"3"', '*', '"3", "4"', '"-1"', '"03"', '"9007199254740993"', ''])(
    'If-Match: %s is refused',
    value => {
      expect(() => command({ 'if-match': value })).toThrow(refused('If-Match'))
    },
  )

  test('an If-None-Match of a version, or beside If-Match, is refused', () => {
    expect(() => command({ 'if-none-match': '"3"' })).toThrow(refused('If-None-Match'))
    expect(() => command({ 'if-none-match': '*', 'if-match': '"3"' })).toThrow(refused('If-None-Match'))
  })
})

test('the tenant is percent-encoded', () => {
  expect(command({ 'bifold-tenant': 'caf%C3%A9' }).tenant).toBe('café')
  expect(() => command({ 'bifold-tenant': '%C3' })).toThrow(refused('Bifold-Tenant'))
})

test('what the server knows of the caller goes before what the caller says', () => {
  const options = commandOptionsOf({ 'bifold-tenant': 'b' }, { tenant: 'a', actor: 'ann' })
  expect(options).toEqual({ tenant: 'a', metadata: { actor: 'ann' } })
  expect(askOptionsOf({ 'bifold-tenant': 'b' }, { tenant: 'a' })).toEqual({ tenant: 'a' })
})

test('correlation, causation and trace go into the metadata', () => {
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  const headers = { 'bifold-correlation-id': 'c-1', 'bifold-causation-id': 'e-1', traceparent }
  expect(command(headers).metadata).toEqual({ correlationId: 'c-1', causationId: 'e-1', traceparent })
  expect(() => command({ 'bifold-correlation-id': 'a b' })).toThrow(refused('Bifold-Correlation-Id'))
})

test.each([
  'nonsense',
  '00-00000000000000000000000000000000-00f067aa0ba902b7-01',
  'ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
])('the malformed traceparent %s is ignored', traceparent => {
  expect(command({ traceparent }).metadata).toEqual({})
})

describe('a query', () => {
  test('without headers has no options', () => {
    expect(askOptionsOf({ host: 'x' }, {})).toBeUndefined()
  })

  test('says what it waits for', () => {
    expect(askOptionsOf({ 'bifold-after': 't', 'bifold-wait-ms': '250', 'bifold-on-timeout': 'stale' }, {})).toEqual({
      after: 't',
      waitMs: 250,
      onTimeout: 'stale',
    })
  })

  test.each(['-1', '1.5', '60001', 'soon', '', '1e3'])('Bifold-Wait-Ms: %s is refused', value => {
    expect(() => askOptionsOf({ 'bifold-wait-ms': value }, {})).toThrow(refused('Bifold-Wait-Ms'))
  })

  test('another Bifold-On-Timeout is refused', () => {
    expect(() => askOptionsOf({ 'bifold-on-timeout': 'wait' }, {})).toThrow(refused('Bifold-On-Timeout'))
  })
})
