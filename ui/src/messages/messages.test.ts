import { fireEvent, render, screen } from '@testing-library/svelte'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { FakeBackend } from '../backend/fake'
import Overlay from '../overlay/Overlay.svelte'
import { language, setPreferences } from '../lib/preferences.svelte'
import { accessible, open, settle } from '../test/harness'
import { de } from './de'
import { overlay as overlayDe } from './de/overlay'
import { en } from './en'
import { overlay as overlayEn } from './en/overlay'
import { es } from './es'
import { overlay as overlayEs } from './es/overlay'
import { pluralForms } from './plural'

/** Placeholders passed in, to be found in the output. */
const marks = ['⟨1⟩', '⟨2⟩', '⟨3⟩']

/** Every message by its name; messages with parameters are called with the marks. */
function sentences(part: unknown, name = ''): [string, string][] {
  if (typeof part === 'string') return [[name, part]]
  // AURA's own sentences are compared with each other.
  if (name === 'said') return []
  if (typeof part === 'function') {
    const say = part as (...values: unknown[]) => string
    // This one takes a list.
    const given = name.endsWith('orderInEffect') ? [marks] : marks.slice(0, say.length)
    return [[name, say(...given)]]
  }
  // Listed only where they differ: names of keys, and words of the catalog of models, which is in English.
  if (['keys', 'local.about', 'local.words'].includes(name)) return []
  return Object.entries(part as object).flatMap(([key, value]) => sentences(value, name === '' ? key : `${name}.${key}`))
}

const found = (text: string) => marks.filter((mark) => text.toLowerCase().includes(mark))

describe.each([
  ['AURA’s own sentences', de.said, es.said],
  ['the main window in German', en, de],
  ['the main window in Spanish', en, es],
  ['the overlay in German', overlayEn, overlayDe],
  ['the overlay in Spanish', overlayEn, overlayEs],
])('the catalogue of %s', (_, english, translated) => {
  const [ours, theirs] = [sentences(english), new Map(sentences(translated))]

  it('has the same messages', () => {
    expect([...theirs.keys()].toSorted()).toEqual(ours.map(([name]) => name).toSorted())
  })

  it('has the same placeholders', () => {
    const differ = ours.filter(([name, text]) => found(text).join() !== found(theirs.get(name) ?? '').join())
    expect(differ.map(([name]) => name)).toEqual([])
  })

  it('leaves nothing empty and nothing untranslated', () => {
    expect([...theirs].filter(([, text]) => text.trim() === '').map(([name]) => name)).toEqual([])
    // Names and words that languages share are short; whole sentences are not.
    const same = ours.filter(
      ([name, text]) => text === theirs.get(name) && text.replace(/⟨\d⟩/g, '').trim().split(/\s+/).length > 2,
    )
    expect(same.map(([name]) => name)).toEqual([])
  })
})

it('every language has all its plural forms', () => {
  for (const [language, forms] of Object.entries(pluralForms)) {
    expect([...forms].toSorted(), language).toEqual(new Intl.PluralRules(language).resolvedOptions().pluralCategories.toSorted())
  }
})

it('every message is used', () => {
  const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|svelte)$/.test(name) && !name.includes('messages') && !name.includes('generated'))
    .map((name) => readFileSync(join('src', name), 'utf8'))
    .join('\n')
  const groups = [
    'app',
    'rail',
    'signIn',
    'turn',
    'talk',
    'onboarding',
    'providers',
    'local',
    'health',
    'history',
    'screen',
    'settings',
    'find',
    'keyboard',
    'palette',
    'picker',
  ] as const
  const names = groups.flatMap((group) => Object.keys(en[group]).map((key) => `${group}.${key}`))
  // The rail looks up its panels by name.
  const looked = ['talk', 'providers', 'health', 'history', 'settings'].map((panel) => `rail.${panel}`)
  const unused = names.filter(
    (name) => !looked.includes(name) && !new RegExp(`\\bt\\.${name.replace('.', '\\s*\\.\\s*')}\\b`).test(sources),
  )
  expect(unused).toEqual([])
})

describe('the language', () => {
  it('changes everything at once and keeps the focus', async () => {
    const { backend } = await open('settings')
    const list = screen.getByRole<HTMLSelectElement>('combobox', { name: 'App language' })
    list.focus()
    await fireEvent.change(list, { target: { value: 'de' } })
    await settle()
    expect(screen.getByRole('heading', { level: 1 }).textContent).toBe('Einstellungen')
    expect(screen.getByRole('link', { name: 'Anbieter' })).toBeTruthy()
    expect(document.documentElement.lang).toBe('de')
    expect(backend.requests('change_settings')).toEqual([{ changes: { appearance: { language: 'de' } } }])
    expect(document.activeElement).toBe(list)
    expect(screen.getByRole('combobox', { name: 'Design' }).textContent).toContain('Dunkel')
    await accessible()
  })

  const translated = [
    ['de', de],
    ['es', es],
  ] as const
  it.each(['talk', 'providers', 'health', 'history'].flatMap((panel) => translated.map((one) => [panel, ...one] as const)))(
    'in %s: %s',
    async (panel, language, messages) => {
      setPreferences({ language })
      await open(panel)
      expect(screen.getByRole('heading', { level: 1 }).textContent).toBe(messages.rail[panel as 'talk'])
      await accessible()
    },
  )

  it('is that of the system where none is chosen, if AURA speaks it', () => {
    const speak = (...tags: string[]) => vi.spyOn(navigator, 'languages', 'get').mockReturnValue(tags)
    speak('fr-FR', 'es-MX', 'de')
    expect(language()).toBe('es')
    speak('fr-FR')
    expect(language()).toBe('en')
    vi.restoreAllMocks()
  })

  it('determines the format of numbers and dates', async () => {
    setPreferences({ language: 'de' })
    await open('health')
    expect(screen.getByText('Preise vom 20. November 2026. Geschätzt; es gilt die Rechnung deines Anbieters.')).toBeTruthy()
    expect(screen.getAllByText('1,9 s').length).toBeGreaterThan(0)
  })

  it('applies to the overlay too, also when the other window changes it', async () => {
    const backend = new FakeBackend()
    render(Overlay, { backend })
    await settle()
    backend.emit({ type: 'stage', turn: 'a', stage: 'thinking' })
    await settle()
    expect(screen.getByRole('status').textContent).toBe('Thinking')
    localStorage.setItem('aura.preferences', JSON.stringify({ language: 'de' }))
    window.dispatchEvent(new StorageEvent('storage', { key: 'aura.preferences' }))
    await settle()
    expect(screen.getByRole('status').textContent).toBe('Denkt nach')
    // And when the settings change the language.
    const { settings } = backend.snapshot
    const appearance = { ...settings.appearance, language: 'en' as const }
    backend.emit({ type: 'changed', snapshot: { ...backend.snapshot, settings: { ...settings, appearance } } })
    await settle()
    expect(screen.getByRole('status').textContent).toBe('Thinking · Groq')
  })
})
