/**
 * Preferences of the windows alone: the contrast, and whether onboarding is over. Kept in the web view's storage, which both windows
 * share. The language is a setting; it is cached here, so that a window uses it before the settings are loaded.
 */
import type { Language as Chosen } from '../generated/Language'

export type Language = Exclude<Chosen, 'system'>

/** The languages of the windows. */
export const languages: readonly Language[] = ['en', 'de', 'es']
const isLanguage = (tag: unknown): tag is Language => (languages as readonly unknown[]).includes(tag)

export interface Preferences {
  language: Chosen
  contrast: 'system' | 'more'
  /** Whether onboarding is over. */
  welcomed: boolean
}

const place = 'aura.preferences'
const defaults: Preferences = { language: 'system', contrast: 'system', welcomed: false }

function read(): Preferences {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(place) ?? '{}')
    const found = (typeof kept === 'object' && kept !== null ? kept : {}) as Partial<Record<keyof Preferences, unknown>>
    return {
      language: isLanguage(found.language) ? found.language : defaults.language,
      contrast: found.contrast === 'more' ? found.contrast : defaults.contrast,
      welcomed: found.welcomed === true,
    }
  } catch {
    // Storage may be blocked; then the defaults apply.
    return defaults
  }
}

let current = $state.raw(read())

export const preferences = {
  get language() {
    return current.language
  },
  get contrast() {
    return current.contrast
  },
  get welcomed() {
    return current.welcomed
  },
}

export function setPreferences(change: Partial<Preferences>): void {
  current = { ...current, ...change }
  try {
    localStorage.setItem(place, JSON.stringify(current))
  } catch {
    // Without storage, the change lasts until the window closes.
  }
}

// The other window changed the preferences.
window.addEventListener('storage', (event) => {
  if (event.key === place || event.key === null) current = read()
})

/** The language in use: the chosen one, else the first supported system language, else English. */
export function language(): Language {
  if (current.language !== 'system') return current.language
  return navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase()).find(isLanguage) ?? 'en'
}

/** Caches the language from the settings. */
export function setLanguage(chosen: Chosen): void {
  if (chosen !== current.language) setPreferences({ language: chosen })
}
