/** Contrast of the colours, which axe cannot measure because jsdom paints nothing. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const css = readFileSync('src/styles/tokens.css', 'utf8')
const [light = '', dark = ''] =
  css.split("[data-theme='dark']").length > 1 ? css.split("[data-theme='dark']") : css.split('[data-theme="dark"]')

const colours = (block: string) =>
  Object.fromEntries([...block.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6})/g)].map(([, name, value]) => [name, value ?? '']))

function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const value = parseInt(hex.slice(at, at + 2), 16) / 255
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

function contrast(a: string, b: string): number {
  const [bright = 0, dim = 0] = [luminance(a), luminance(b)].toSorted((x, y) => y - x)
  return (bright + 0.05) / (dim + 0.05)
}

const grounds = ['bg', 'surface', 'sunken']
const pairs: [string, string, number][] = [
  ...[...grounds, 'accent-soft', 'warn-soft', 'bad-soft'].map((ground): [string, string, number] => ['text', ground, 7]),
  ...[...grounds, 'accent-soft'].map((ground): [string, string, number] => ['muted', ground, 4.5]),
  ...['bg', 'surface', 'accent-soft'].map((ground): [string, string, number] => ['accent', ground, 4.5]),
  ['on-accent', 'accent', 4.5],
  ['ok', 'ok-soft', 4.5],
  ['warn', 'warn-soft', 4.5],
  ['bad', 'bad-soft', 4.5],
  ['bad', 'surface', 4.5],
  ['muted', 'sunken', 4.5],
  ['line-strong', 'bg', 3],
  ['line-strong', 'surface', 3],
]

const base = readFileSync('src/styles/base.css', 'utf8')
const raised = (selector: string) => colours(base.split(`\n${selector} {`)[1]?.split('}')[0] ?? '')
const more = {
  light: { ...colours(light), ...raised(":root[data-contrast='more']") },
  dark: { ...colours(light), ...colours(dark), ...raised(":root[data-contrast='more'][data-theme='dark']") },
}

describe.each([
  ['light, high contrast', more.light],
  ['dark, high contrast', more.dark],
])('%s', (_, tokens) => {
  it.each([
    ...['bg', 'surface', 'sunken', 'accent-soft'].map((ground): [string, string, number] => ['muted', ground, 7]),
    ...['bg', 'surface'].map((ground): [string, string, number] => ['accent', ground, 7]),
    ...['ok', 'warn', 'bad'].map((word): [string, string, number] => [word, `${word}-soft`, 7]),
    ...['bg', 'surface'].flatMap((ground): [string, string, number][] => [
      ['line', ground, 3],
      ['line-strong', ground, 7],
    ]),
    ['on-accent', 'accent', 7],
  ])('%s on %s is at least %d to 1', (above, ground, least) => {
    expect(contrast(tokens[above] ?? '', tokens[ground] ?? '')).toBeGreaterThanOrEqual(least)
  })
})

describe.each([
  ['light', colours(light)],
  ['dark', { ...colours(light), ...colours(dark) }],
])('%s', (_, tokens) => {
  it.each(pairs)('%s on %s is at least %d to 1', (above, ground, least) => {
    expect(contrast(tokens[above] ?? '', tokens[ground] ?? '')).toBeGreaterThanOrEqual(least)
  })
})
