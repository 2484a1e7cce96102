import type { Field } from './csv.ts'

/** Any text that is not empty. */
export const text: Field<string> = text => (text === '' ? { problem: 'expected a value' } : { value: text })

/** Any text, or `null` where the field is empty. */
export const optionalText: Field<string | null> = text => ({ value: text === '' ? null : text })

/** A whole number from `min` to `max`, in plain digits. */
export function wholeNumber(min: number, max: number = Number.MAX_SAFE_INTEGER): Field<number> {
  const expected = max === Number.MAX_SAFE_INTEGER ? `from ${min}` : `from ${min} to ${max}`
  return text => {
    const value = Number(text)
    return /^[0-9]+$/.test(text) && value >= min && value <= max
      ? { value }
      : { problem: `expected a whole number ${expected}` }
  }
}

/** One of a few words. */
export function oneOf<const Word extends string>(...words: readonly Word[]): Field<Word> {
  return text => {
    const value = words.find(word => word === text)
    return value === undefined ? { problem: `expected one of ${words.join(', ')}` } : { value }
  }
}

/**
 * An amount of money in decimal text (`109.9`) as an integer of the minor unit (10990). It goes from digits to digits:
 * through a floating-point number, 1.005 would become 100 and 8.2 times 100 is 819.9999999999999.
 */
export const money: Field<number> = text => {
  const match = /^([0-9]+)(?:\.([0-9]{1,2}))?$/.exec(text)
  const value = Number(`${match?.[1]}${(match?.[2] ?? '').padEnd(2, '0')}`)
  return match !== null && Number.isSafeInteger(value)
    ? { value }
    : { problem: 'expected an amount with at most two decimals, such as 109.9' }
}

/** `M/D/YYYY H:MM`, taken as UTC, as ISO 8601: texts of it sort by time. */
export const time: Field<string> = text => {
  const match = /^([0-9]{1,2})\/([0-9]{1,2})\/([0-9]{4}) ([0-9]{1,2}):([0-9]{2})$/.exec(text)
  const [month = 0, day = 0, year = 0, hour = 0, minute = 0] = (match ?? []).slice(1).map(Number)
  const date = new Date(Date.UTC(year, month - 1, day, hour, minute))
  const exists =
    date.getUTCFullYear() === year &&
    date.getUTCMonth() === month - 1 &&
    date.getUTCDate() === day &&
    date.getUTCHours() === hour &&
    date.getUTCMinutes() === minute
  return match !== null && exists
    ? { value: date.toISOString() }
    : { problem: 'expected a time that exists, as M/D/YYYY H:MM' }
}

/** As `time`, or `null` where the field is empty. */
export const optionalTime: Field<string | null> = text => (text === '' ? { value: null } : time(text))
