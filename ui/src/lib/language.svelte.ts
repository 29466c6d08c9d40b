/** The language of the main window. Messages are read from the catalogue when they are shown, so a change needs no restart. */
import { de } from '../messages/de'
import { en, type Messages } from '../messages/en'
import { language, type Language } from './preferences.svelte'

const catalogues: Record<Language, Messages> = { en, de }

/** The messages in the user's language. */
export const t = new Proxy({} as Messages, { get: (_, part) => catalogues[language()][part as keyof Messages] })

/** The locale for numbers, dates and times: the user's region where it speaks the language of the window, else a usual one. */
export function locale(): string {
  const spoken = language()
  return navigator.languages.find((tag) => tag.toLowerCase().startsWith(`${spoken}-`)) ?? catalogues[spoken].locale
}
