import { textProblem } from './encode-row.ts'

/** A key may have this many bytes of UTF-8: it is part of every index of its view. */
const maxKeyBytes = 512

/** What keeps `key` from being the key of a row or the name of a group, or `undefined`. */
export function keyProblem(key: unknown): string | undefined {
  if (typeof key !== 'string') return `it must be text, several in an array, or null, not ${typeof key}`
  if (key === '') return 'it is empty'
  if (key.length * 3 > maxKeyBytes && Buffer.byteLength(key) > maxKeyBytes)
    return `it has more than ${maxKeyBytes} bytes`
  return textProblem(key)
}
