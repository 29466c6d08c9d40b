import { afterEach, describe, expect, it, vi } from 'vitest'
import { counter } from '../messages/plural'
import { day, moment, percent, timeOfDay, tokens } from './format'
import { setPreferences } from './preferences.svelte'
import { localeFor } from './region'

const speak = (...tags: string[]) => vi.spyOn(navigator, 'languages', 'get').mockReturnValue(tags)

describe('numbers, dates and times', () => {
  afterEach(() => vi.restoreAllMocks())

  it('follow the region, whatever the language', () => {
    expect(localeFor('en', ['en-US', 'en'])).toBe('en-US')
    expect(localeFor('en', ['de-AT', 'en-US'])).toBe('en-AT')
    expect(localeFor('de', ['en', 'C', 'de-CH'])).toBe('de-CH')
    expect(localeFor('de', ['en'])).toBe('de')
  })

  it('are written as in the United States', () => {
    speak('en-US')
    setPreferences({ language: 'en' })
    expect(day('2027-01-31')).toBe('January 31, 2027')
    expect(timeOfDay('2026-11-22T14:31:00').replace(/\s/g, ' ')).toBe('2:31 PM')
    expect(moment('2026-11-22T14:31:02', Date.parse('2026-11-22T20:00:00')).replace(/\s/g, ' ')).toBe('2:31:02 PM')
    expect([percent(0.18), tokens(131_072), tokens(1_048_576)]).toEqual(['18%', '131K', '1M'])
  })

  it('are written as in Britain and in Germany', () => {
    speak('en-GB')
    setPreferences({ language: 'en' })
    expect([day('2027-01-31'), timeOfDay('2026-11-22T14:31:00')]).toEqual(['31 January 2027', '14:31'])
    speak('de-DE')
    setPreferences({ language: 'de' })
    expect([day('2027-01-31'), timeOfDay('2026-11-22T14:31:00')]).toEqual(['31. Januar 2027', '14:31'])
    expect([percent(0.18).replace(/\s/g, ' '), tokens(1_048_576).replace(/\s/g, ' ')]).toEqual(['18 %', '1 Mio.'])
  })
})

describe('a count', () => {
  it('has the form that its language requires', () => {
    const calls = (count: number) => counter('en')(count, { one: 'call', other: 'calls' })
    expect([0, 1, 2, 1204].map(calls)).toEqual(['0 calls', '1 call', '2 calls', '1,204 calls'])
  })
})
