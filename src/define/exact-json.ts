/** The text from which `JSON.parse` makes an equal value, or what stands in the way of that, and where. */
export type ExactJson = { readonly text: string; readonly problem?: undefined } | { readonly problem: string }

const maxDepth = 512

/**
 * Writes a value as JSON, if nothing of it is lost by that: no `Date` that comes back as text, no `undefined` that is
 * left out, no `-0` that comes back as 0.
 */
export function exactJson(value: unknown): ExactJson {
  const problem = problemAt(value, [])
  return problem === undefined ? { text: JSON.stringify(value) } : { problem }
}

function problemAt(value: unknown, path: readonly (string | number)[]): string | undefined {
  const problem = problemOf(value)
  if (problem !== undefined) return path.length === 0 ? `it is ${problem}` : `at ${path.join('.')} it is ${problem}`
  if (typeof value !== 'object' || value === null) return undefined
  // A circle is deeper than anything.
  if (path.length >= maxDepth) return `it is nested more than ${maxDepth} deep`
  const entries = Array.isArray(value) ? value.entries() : Object.entries(value)
  for (const [key, part] of entries) {
    const within = problemAt(part, [...path, key])
    if (within !== undefined) return within
  }
  return undefined
}

/** What is wrong with a value, whatever it holds. */
function problemOf(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return undefined
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0) ? undefined : 'a number that JSON has no form for'
    case 'object':
      return value === null ? undefined : problemOfObject(value)
    default:
      return value === undefined ? 'undefined' : `a ${typeof value}`
  }
}

function problemOfObject(value: object): string | undefined {
  const prototype: unknown = Object.getPrototypeOf(value)
  const keys = Reflect.ownKeys(value)
  if (Array.isArray(value)) {
    const whole = prototype === Array.prototype && keys.length === value.length + 1
    return whole ? undefined : 'an array with gaps, or with more than its items'
  }
  if (prototype !== Object.prototype) return 'no plain object'
  return keys.length === Object.keys(value).length ? undefined : 'an object with hidden properties'
}
