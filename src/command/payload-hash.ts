import { hash } from 'node:crypto'

/**
 * A hash of what a command was asked to do: its stream and its validated input, whatever the order of properties.
 * 132 bits in 22 characters: two payloads that share one are not met by chance.
 */
export function payloadHash(streamId: string, input: unknown): string {
  return hash('sha256', canonical([streamId, input]), 'base64url').slice(0, 22)
}

/** JSON with sorted properties. A schema may answer with what JSON has no form for; each kind gets one of its own. */
function canonical(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  if ('toJSON' in value && typeof value.toJSON === 'function') return canonical(value.toJSON())
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`
  if (value instanceof Map || value instanceof Set) return `(${Array.from(value, canonical).join()})`
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`).join()}}`
}
