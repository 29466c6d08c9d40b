/** Rules of the look that a test without a layout can only read in the sources. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const source = (name: string) => readFileSync(`src/${name}`, 'utf8')
/** The declarations of a rule. */
const rule = (text: string, selector: string) =>
  new RegExp(`^ *${selector.replace('.', '\\.')} \\{([^}]*)\\}`, 'm').exec(text)?.[1] ?? ''

describe('the look', () => {
  it('gives a link that looks like a button the colour of the text, not the browser’s blue', () => {
    expect(rule(source('styles/base.css'), '.button')).toContain('color: var(--text)')
  })

  it('lines the composer up with the text of the conversation', () => {
    const column = rule(source('talk/Talk.svelte'), '.column')
    expect(column).toContain('max-width: 720px')
    expect(column).toMatch(/padding: \S+ var\(--s5\)/)
    for (const [file, selector] of [
      ['talk/Composer.svelte', '.row'],
      ['talk/Composer.svelte', '.hint'],
      ['talk/Attached.svelte', '.attached'],
    ] as const)
      expect(rule(source(file), selector), selector).toContain('max-width: calc(720px - 2 * var(--s5))')
  })
})
