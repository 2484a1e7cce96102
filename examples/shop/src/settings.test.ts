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
])('a setting that is no number is named: %s=%s', (name, value) => {
  expect(() => settingsFrom({ [name]: value })).toThrow(
    expect.objectContaining({ code: 'shop/invalid-setting', message: expect.stringContaining(name) }),
  )
})
