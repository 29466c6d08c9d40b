import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { weight } from '../../budget'

const size = (code: string) => gzipSync(code, { level: 9 }).length
const piece = (code: string, ...loads: string[]) => ({ code, loads })

describe('the weight of a page', () => {
  it('counts everything it loads, once each, and nothing else', () => {
    const pieces = new Map([
      ['page.js', piece('let page', 'shared.js', 'later.js')],
      ['later.js', piece('let later', 'shared.js', 'page.js')],
      ['shared.js', piece('let shared')],
      ['other.js', piece('let other')],
    ])
    expect(weight('page.js', pieces)).toBe(size('let page') + size('let later') + size('let shared'))
  })

  it('counts one language, the most expensive one, and a catalogue that every language loads', () => {
    const catalogue = (language: string, code: string) => ({ ...piece(code), language })
    const pieces = new Map([
      ['page.js', piece('let page', 'en.js', 'de.js')],
      ['en.js', catalogue('en', 'let yes')],
      ['de.js', catalogue('de', 'let ja = "ein längerer Satz"')],
    ])
    expect(weight('page.js', pieces)).toBe(size('let page') + size('let ja = "ein längerer Satz"'))
    pieces.set('page.js', piece('let page, yes, ja'))
    expect(weight('page.js', pieces)).toBe(size('let page, yes, ja'))
  })
})
