import type { AnyProjection } from '../define/index.ts'
import { plainTokens } from './plain-source.ts'

type Sum = AnyProjection['rollups'][string]['sum']

/**
 * The names of the sums that a function gives, in order, where its source says so: it answers one object, and nothing else,
 * with its names written there. `undefined`: it does not.
 */
export function sumNamesOf(sum: Sum): readonly string[] | undefined {
  const tokens = plainTokens(sum.toString())
  const literal = answeredLiteral(tokens)
  return literal && namesIn(literal)?.toSorted()
}

/** The tokens of the object that a function answers, if that is all it does, with its braces. */
function answeredLiteral(tokens: readonly string[]): readonly string[] | undefined {
  const arrow = atDepth(tokens, 0, token => token === '=>')
  if (arrow !== -1) {
    const body = tokens.slice(arrow + 1)
    return body[0] === '{' ? returned(body) : unwrapped(body)
  }
  const block = atDepth(tokens, 0, token => token === '{')
  return block === -1 ? undefined : returned(tokens.slice(block))
}

function returned(block: readonly string[]): readonly string[] | undefined {
  if (block[1] !== 'return' || block.at(-1) !== '}') return undefined
  const answer = block.slice(2, -1)
  return answer[0] === '(' ? unwrapped(answer) : whole(answer)
}

function unwrapped(tokens: readonly string[]): readonly string[] | undefined {
  return tokens[0] === '(' && tokens.at(-1) === ')' ? whole(tokens.slice(1, -1)) : undefined
}

/** One object from the first token to the last. */
function whole(tokens: readonly string[]): readonly string[] | undefined {
  return tokens[0] === '{' && closingOf(tokens) === tokens.length - 1 ? tokens : undefined
}

function namesIn(literal: readonly string[]): readonly string[] | undefined {
  const names: string[] = []
  for (let rest = literal.slice(1); rest[0] !== '}'; ) {
    const [name = '', next] = rest
    if (!/^["\w$\u0080-\uffff]/.test(name) || (next !== ':' && next !== ',' && next !== '}')) return undefined
    names.push(name.startsWith('"') ? name.slice(1, -1) : name)
    const end = atDepth(rest, 0, token => token === ',' || token === '}')
    if (end === -1) return undefined
    rest = rest.slice(rest[end] === ',' ? end + 1 : end)
  }
  return names
}

const opening = new Set(['(', '[', '{'])
const closing = new Set([')', ']', '}'])

/** The first token that is so outside of all brackets that open before it; -1: none is. */
function atDepth(tokens: readonly string[], from: number, is: (token: string) => boolean): number {
  let depth = 0
  for (let at = from; at < tokens.length; at++) {
    const token = tokens[at] as string
    if (depth === 0 && is(token)) return at
    if (opening.has(token)) depth++
    if (closing.has(token)) depth--
    if (depth < 0) return -1
  }
  return -1
}

/** Where the bracket closes that is the first token. */
function closingOf(tokens: readonly string[]): number {
  return atDepth(tokens, 1, token => closing.has(token))
}
