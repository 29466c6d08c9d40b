/**
 * The language of the main window. Messages are read from the catalogue when they are shown, so a change needs no restart. Only the
 * catalogue of the window's language is loaded.
 */
import type { Messages } from '../messages/en'
import { language, type Language } from './preferences.svelte'

const loaders: Record<Language, () => Promise<Messages>> = {
  en: async () => (await import('../messages/en')).en,
  de: async () => (await import('../messages/de')).de,
  es: async () => (await import('../messages/es')).es,
}

let loaded = $state.raw<Partial<Record<Language, Messages>>>({})
/** The catalogue shown while that of a new language loads. */
let last: Messages | undefined

/** Loads the catalogue of a language, unless it is there already. Until it is, the window keeps the language it has. */
export async function loadMessages(wanted: Language): Promise<void> {
  if (loaded[wanted]) return
  const messages = await loaders[wanted]()
  last ??= messages
  loaded = { ...loaded, [wanted]: messages }
}

/** The messages in the user's language. [`loadMessages`] must have loaded one language before the first is shown. */
export const t = new Proxy({} as Messages, {
  get: (_, part) => {
    const messages = loaded[language()] ?? last
    last = messages
    return messages?.[part as keyof Messages]
  },
})
