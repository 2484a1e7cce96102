import { type Import, importsOf, packageOf, targetOf } from './imports.ts'
import { partOf } from './sources.ts'

/** Which parts each part may import. Arrows point one way; the command side and the query side never meet. */
export const mayImport: Readonly<Record<string, readonly string[]>> = {
  define: [],
  log: ['define'],
  command: ['define', 'log'],
  project: ['define', 'log'],
  query: ['define', 'log', 'project'],
  'stores/memory': ['define', 'log', 'project'],
  postgres: ['define', 'log', 'project'],
  run: ['define', 'log', 'command', 'project', 'query'],
  http: ['define', 'log', 'command', 'project', 'query', 'run'],
  verify: ['define', 'log', 'project'],
  testing: ['define', 'log', 'project'],
}

/** The one part from which each optional peer can be reached. */
const peerOf: Readonly<Record<string, string>> = {
  pg: 'postgres',
  '@electric-sql/pglite': 'postgres',
  kysely: 'postgres',
  fastify: 'http',
}

/** What is wrong with the imports of a published file, as sentences; none where all is right. */
export function wrongImports(file: string, text: string): readonly string[] {
  return importsOf(text).flatMap(imported => {
    const problem = problemOf(file, imported)
    return problem === undefined ? [] : [`${file} imports ${imported.specifier}: ${problem}`]
  })
}

function problemOf(file: string, { specifier, typeOnly, dynamic }: Import): string | undefined {
  const part = partOf(file)
  const name = packageOf(specifier)
  if (name !== undefined) {
    const home = peerOf[name]
    if (home === undefined) return 'it is no dependency of the package'
    if (home !== part) return `${name} is reachable from src/${home} only`
    if (!typeOnly && !dynamic) return `${name} is optional: import it when it is used`
    return undefined
  }
  const target = targetOf(file, specifier)
  if (target === undefined) return part === 'define' ? 'definitions are pure and need nothing of Node' : undefined
  const targetPart = partOf(target)
  if (part === undefined || targetPart === part) return undefined
  if (targetPart === undefined) return `it lies outside of the parts`
  if (!mayImport[part]?.includes(targetPart)) return `${part} knows nothing of ${targetPart}`
  return target === `src/${targetPart}/index.ts` ? undefined : `take it from src/${targetPart}/index.ts`
}

/** The circles in a graph of files: each as the path that comes back to where it began. */
export function circlesIn(graph: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const done = new Set<string>()
  const circles: string[] = []
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) {
      circles.push([...path.slice(path.indexOf(file)), file].join(' → '))
      return
    }
    if (done.has(file)) return
    for (const next of graph.get(file) ?? []) visit(next, [...path, file])
    done.add(file)
  }
  for (const file of graph.keys()) visit(file, [])
  return circles
}
