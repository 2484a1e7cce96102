const maxBytes = 256
const plain = /^[\x20-\x7e]{1,256}$/
const control = /\p{Cc}/u

/**
 * Why a text cannot be part of a key, or `undefined` where it can: storages join keys with control characters, index
 * them, and speak UTF-8, which has no half of a surrogate pair.
 */
export function problemOfName(text: unknown): string | undefined {
  if (typeof text !== 'string') return 'it must be text'
  if (plain.test(text)) return undefined
  if (text === '') return 'it is empty'
  if (control.test(text)) return 'it holds a control character'
  if (!text.isWellFormed()) return 'it holds half of a surrogate pair'
  if (Buffer.byteLength(text) > maxBytes) return `it has more than ${maxBytes} bytes`
  return undefined
}
