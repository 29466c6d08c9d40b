import { afterEach, describe, expect, it, vi } from 'vitest'
import { setPreferences } from './preferences.svelte'
import { rate, size, sizeOf, timeLeft } from './sizes'

describe('a size', () => {
  afterEach(() => vi.restoreAllMocks())
  const plain = (text: string) => text.replace(/\s/g, ' ')

  it('is written in the unit that it fills', () => {
    expect([0, 1e3, 12_400, 76_900_000, 999_600_000, 1_240_000_000, 2e9].map(size)).toEqual([
      '0 MB',
      '1 kB',
      '12 kB',
      '77 MB',
      '1 GB',
      '1.2 GB',
      '2 GB',
    ])
  })

  it('of a download is rounded down and in one unit', () => {
    expect(sizeOf(34_900_000, 77_000_000)).toBe('34 of 77 MB')
    expect(sizeOf(340_000, 2_340_000)).toBe('0.3 of 2.3 MB')
    expect(sizeOf(499_000_000, 1_282_000_000)).toBe('0.4 of 1.3 GB')
    expect(sizeOf(80_000_000, 77_000_000)).toBe('77 of 77 MB')
    expect(sizeOf(5_000_000, 0)).toBe('5 MB')
  })

  it('follows the region', () => {
    vi.spyOn(navigator, 'languages', 'get').mockReturnValue(['de-DE'])
    setPreferences({ language: 'de' })
    expect(plain(size(1_240_000_000))).toBe('1,2 GB')
    expect(plain(rate(2_100_000))).toBe('2,1 MB/s')
    expect(plain(timeLeft(180e6, 1e6))).toBe('noch 3 Min.')
  })
})

describe('the time left', () => {
  it.each([
    [5, 'almost there'],
    [34, '40 secs left'],
    [56, '1 min left'],
    [61, '2 mins left'],
    [3540, '59 mins left'],
    [3600, '1 hr left'],
    [4700, '1 hr 20 mins left'],
    [7190, '2 hrs left'],
  ])('of %i s is coarse', (seconds, text) => {
    expect(timeLeft(seconds * 1e6, 1e6)).toBe(text)
  })

  it('has a rate in the unit that serves', () => {
    expect([rate(640_000), rate(2_100_000)]).toEqual(['640 kB/s', '2.1 MB/s'])
  })
})
