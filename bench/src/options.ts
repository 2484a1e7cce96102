import { parseArgs } from 'node:util'

export interface Options<Bench> {
  readonly bench: Bench
  readonly quick: boolean
  readonly json: string | undefined
}

/** Reads the command line, or says in a sentence what is wrong with it. */
export function optionsFrom<Bench>(
  args: readonly string[],
  benches: ReadonlyMap<string, Bench>,
): Options<Bench> | { readonly problem: string } {
  try {
    const options = { quick: { type: 'boolean' }, json: { type: 'string' } } as const
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
    const [name, ...more] = positionals
    if (name === undefined) return { problem: 'Which benchmark? Give its NAME.' }
    if (more.length > 0) return { problem: `One NAME at a time: what is ${JSON.stringify(more[0])}?` }
    const bench = benches.get(name)
    if (bench === undefined) return { problem: `There is no benchmark ${JSON.stringify(name)}.` }
    if (values.json === '') return { problem: '--json needs the name of a file.' }
    return { bench, quick: values.quick ?? false, json: values.json }
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) }
  }
}
