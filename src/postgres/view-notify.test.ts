import { expect, test } from 'vitest'
import { systemRuntime } from '../log/index.ts'
import { viewNotices } from './view-notify.ts'

test('what others told before they could be heard is looked for once they can', async () => {
  let listening = (): void => undefined
  const listened = new Promise<void>(resolve => {
    listening = resolve
  })
  const database = {
    kind: 'postgres',
    listen: async () => {
      await listened
      return async () => undefined
    },
  } as never
  const notices = viewNotices(database, systemRuntime, 2)
  notices.opened('orders')
  const heard: string[] = []
  notices.onMoved(projection => heard.push(`${projection} moved`))
  notices.onChanged(projection => heard.push(`${projection} changed`))
  await new Promise(setImmediate)
  expect(heard).toEqual([])
  listening()
  await new Promise(setImmediate)
  expect(heard).toEqual(['orders moved', 'orders changed'])
  await notices.close()
})
