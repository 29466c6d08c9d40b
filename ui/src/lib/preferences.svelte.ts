/**
 * What belongs to the windows alone: their contrast, and whether somebody was welcomed. Kept in the web view's own storage, which both
 * windows share. The language is a setting; it is remembered here as well, so that a window speaks it before it knows the settings.
 */
import type { Language as Chosen } from '../generated/Language'

export type Language = Exclude<Chosen, 'system'>

export interface Preferences {
  language: Chosen
  contrast: 'system' | 'more'
  /** Whether the first run is over. */
  welcomed: boolean
}

const place = 'aura.preferences'
const usual: Preferences = { language: 'system', contrast: 'system', welcomed: false }

function read(): Preferences {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(place) ?? '{}')
    const found = (typeof kept === 'object' && kept !== null ? kept : {}) as Partial<Record<keyof Preferences, unknown>>
    return {
      language: found.language === 'en' || found.language === 'de' ? found.language : usual.language,
      contrast: found.contrast === 'more' ? found.contrast : usual.contrast,
      welcomed: found.welcomed === true,
    }
  } catch {
    // Storage may be forbidden; then everything is as usual.
    return usual
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

export function prefer(change: Partial<Preferences>): void {
  current = { ...current, ...change }
  try {
    localStorage.setItem(place, JSON.stringify(current))
  } catch {
    // It holds until the window closes.
  }
}

// The other window changed them.
window.addEventListener('storage', (event) => {
  if (event.key === place || event.key === null) current = read()
})

/** The language to speak: the one that was picked, else the first of the system's that is known, else English. */
export function language(): Language {
  if (current.language !== 'system') return current.language
  const known = navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => tag === 'de' || tag === 'en')
  return known === 'de' ? 'de' : 'en'
}

/** The language that the settings say. */
export function speak(chosen: Chosen): void {
  if (chosen !== current.language) prefer({ language: chosen })
}
