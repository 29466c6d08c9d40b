/** The language of the main window. Messages are read from the catalogue when they are shown, so a change needs no restart. */
import { de } from '../messages/de'
import { en, type Messages } from '../messages/en'
import { language, type Language } from './preferences.svelte'

const catalogues: Record<Language, Messages> = { en, de }

/** The messages in the user's language. */
export const t = new Proxy({} as Messages, { get: (_, part) => catalogues[language()][part as keyof Messages] })
