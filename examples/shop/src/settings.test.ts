import { expect, test } from 'vitest'
import { settingsFrom } from './settings.ts'

test('everything has a default', () => {
  expect(settingsFrom({ PORT: '', DATABASE_URL: '' })).toEqual({
    port: 3000,
    databaseUrl: undefined,
    dataDir: '.data/shop',
    commandsPerSecond: 20,
  })
})

test.each([
  ['PORT', 'http'],
  ['PORT', '65536'],
  ['SHOP_RATE', '-1'],
  ['SHOP_RATE', '1e3'],
  ['DATABASE_URL', 'localhost'],
  ['DATABASE_URL', 'mysql://localhost/shop'],
  ['DATABASE_URL', 'postgres://host:x/shop'],
])('a setting that will not do is named: %s=%s', (name, value) => {
  expect(() => settingsFrom({ [name]: value })).toThrow(
    expect.objectContaining({ code: 'shop/invalid-setting', message: expect.stringContaining(name) }),
  )
})

test.each(['postgres://ana@127.0.0.1:5432/shop', 'postgresql:///shop?host=/run/postgresql'])(
  '%s is a database',
  url => {
    expect(settingsFrom({ DATABASE_URL: url }).databaseUrl).toBe(url)
  },
)
