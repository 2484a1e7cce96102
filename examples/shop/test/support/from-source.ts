/** For processes that tests start: `bifold` is its source, as it is for the tests themselves, built or not. */
import { registerHooks } from 'node:module'

const source = new URL('../../../../src/', import.meta.url)

registerHooks({
  resolve(specifier, context, next) {
    const [, part] = /^bifold(?:\/(.+))?$/.exec(specifier) ?? []
    if (specifier !== 'bifold' && part === undefined) return next(specifier, context)
    return next(new URL(part === undefined ? 'index.ts' : `${part}/index.ts`, source).href, context)
  },
})
