import { errorCodes } from 'bifold'
import { describe, expect, test } from 'vitest'
import { isTest, sources, textOf } from './sources.ts'

const sections = textOf('docs/errors.md')
  .split(/^## /m)
  .slice(1)
  .map(section => ({
    title: section.slice(0, section.indexOf('\n')),
    body: section.slice(section.indexOf('\n')).trim(),
  }))

describe('the catalogue of errors', () => {
  test('is explained code by code, in its order, and nothing else is', () => {
    expect(sections.map(({ title }) => title)).toEqual(errorCodes.map(code => `\`${code}\``))
  })

  test('is explained in sentences', () => {
    expect(sections.filter(({ body }) => body.length < 80 || !/[.)`]$/.test(body)).map(({ title }) => title)).toEqual(
      [],
    )
  })

  test('has codes of one form: the part, and what is wrong', () => {
    expect(errorCodes.filter(code => !/^[a-z]+\/[a-z]+(-[a-z]+)*$/.test(code))).toEqual([])
  })

  test('holds no code that is never thrown', () => {
    const code = sources
      .filter(file => file.startsWith('src/') && !isTest(file) && file !== 'src/define/error-catalogue.ts')
      .map(textOf)
      .join('\n')
    expect(errorCodes.filter(one => !code.includes(`'${one}'`))).toEqual([])
  })
})
