// Writes the snippets of the documents: between `<!-- snippet: FILE -->` and the end of the code block after it stands
// what is in FILE, which is compiled and run by the tests.

import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Every document, which may include code. */
export const documents = globSync(['*.md', 'docs/**/*.md'], { cwd: root })

/** `text` with each snippet as its file has it now. */
export function withSnippets(text: string): string {
  return text.replace(
    /(<!-- snippet: (\S+) -->\n)```ts\n[^]*?```/g,
    (_, marker: string, file: string) => `${marker}\`\`\`ts\n${readFileSync(join(root, file), 'utf8')}\`\`\``,
  )
}

if (import.meta.main) {
  for (const document of documents) {
    const path = join(root, document)
    writeFileSync(path, withSnippets(readFileSync(path, 'utf8')))
  }
}
