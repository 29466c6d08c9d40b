/** The language of the main window. Every sentence is read from the catalogue when it is shown, so a change needs no restart. */
import { de } from '../messages/de'
import { en, type Messages } from '../messages/en'
import { language, type Language } from './preferences.svelte'

const catalogues: Record<Language, Messages> = { en, de }

/** The messages of the person's language. */
export const t = new Proxy({} as Messages, { get: (_, part) => catalogues[language()][part as keyof Messages] })

/** How numbers and dates are written. English as on most of the planet: the day first, the clock to 24. */
export const locale = () => catalogues[language()].locale
