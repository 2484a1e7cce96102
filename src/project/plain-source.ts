/**
 * The source of a function as a list of tokens, without what a formatter or the stripping of types changes: white space,
 * comments, semicolons that end a statement, commas before a closing bracket, parentheses around the one parameter of an
 * arrow function, and the kind of quotes around a text.
 */
export function plainSource(source: string): string {
  return plainTokens(source).join(' ')
}

/** The tokens of which it is made. */
export function plainTokens(source: string): readonly string[] {
  const tokens: string[] = []
  /** The brackets that are open: a semicolon within parentheses is that of a loop, and stays. */
  const open: string[] = []
  let at = 0
  /** Ends behind the source, or behind the brace that closes an expression within a template. */
  const scan = (): void => {
    const depth = open.length
    while (at < source.length) {
      const token = tokenAt(source, at, tokens.at(-1))
      at += token.length
      if (token === '}' && open.length === depth) return
      if (token === '`') readTemplate()
      else add(token)
    }
  }
  const add = (token: string): void => {
    const last = tokens.at(-1)
    if (/^(\s|\/\/|\/\*)/.test(token) || (token === ';' && open.at(-1) !== '(')) return
    if (closing.has(token) && last === ',') tokens.pop()
    if (token === '=>' && last !== undefined && isWord(last)) tokens.splice(-1, 1, '(', last, ')')
    if (token === '(' || token === '[' || token === '{') open.push(token)
    if (closing.has(token)) open.pop()
    tokens.push(/^['"]/.test(token) ? inDoubleQuotes(token) : token)
  }
  const readTemplate = (): void => {
    for (;;) {
      const text = sticky(templatePattern, source, at)
      at += text.length
      tokens.push(`\`${text}`)
      if (!text.endsWith('${')) return
      scan()
    }
  }
  scan()
  return tokens
}

const closing = new Set([')', ']', '}'])
const spacePattern = /\s+|\/\/[^\n]*|\/\*[^]*?\*\//y
const tokenPattern = /'(?:\\[^]|[^'\\])*'|"(?:\\[^]|[^"\\])*"|[\w$\u0080-\uffff]+|\+\+|--|=>|[^]/y
const regexPattern = /\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/\w*/y
const templatePattern = /(?:\\[^]|\$(?!\{)|[^`\\$])*(?:`|\$\{|$)/y
/** Words behind which an expression begins, so that a slash is no division. */
const before = /^(?:return|typeof|case|in|of|delete|void|throw|new|await|yield|else|do|instanceof)$/

function tokenAt(source: string, at: number, last: string | undefined): string {
  const space = sticky(spacePattern, source, at)
  if (space !== '') return space
  const endsValue =
    last !== undefined && (isWord(last) || /^["`]/.test(last) || /^[)\]}]$/.test(last)) && !before.test(last)
  const regex = source[at] === '/' && !endsValue ? sticky(regexPattern, source, at) : ''
  return regex === '' ? sticky(tokenPattern, source, at) : regex
}

function sticky(pattern: RegExp, source: string, at: number): string {
  pattern.lastIndex = at
  return pattern.exec(source)?.[0] ?? ''
}

function isWord(token: string): boolean {
  return /^[\w$\u0080-\uffff]/.test(token)
}

function inDoubleQuotes(text: string): string {
  const body = text
    .slice(1, -1)
    .replaceAll(/\\[^]|"/g, part => (part === '"' || part === '\\"' ? '\\"' : part === "\\'" ? "'" : part))
  return `"${body}"`
}
