/**
 * The messages of a window in its language. They are read from the catalogue when they are shown, so a change needs no restart. Only the
 * catalogue of the window's language is loaded.
 */
import { language, type Language } from './preferences.svelte'

interface Catalogue<Messages> {
  /** Loads the catalogue of a language, unless it is there already. Until it is, the window keeps the language it has. */
  load: (wanted: Language) => Promise<void>
  /** The messages in the user's language. `load` must have loaded one language before the first is shown. */
  messages: Messages
}

export function catalogue<Messages extends object>(loaders: Record<Language, () => Promise<Messages>>): Catalogue<Messages> {
  let loaded = $state.raw<Partial<Record<Language, Messages>>>({})
  /** The catalogue shown while that of a new language loads. */
  let last: Messages | undefined

  return {
    async load(wanted) {
      if (loaded[wanted]) return
      const messages = await loaders[wanted]()
      last ??= messages
      loaded = { ...loaded, [wanted]: messages }
    },
    messages: new Proxy({} as Messages, {
      get: (_, part) => {
        const messages = loaded[language()] ?? last
        last = messages
        return messages?.[part as keyof Messages]
      },
    }),
  }
}
