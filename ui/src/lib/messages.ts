/** The messages of the main window. */
import type { Messages } from '../messages/en'
import { catalogue } from './catalogue.svelte'

export const { load: loadMessages, messages: t } = catalogue<Messages>({
  en: async () => (await import('../messages/en')).en,
  de: async () => (await import('../messages/de')).de,
  es: async () => (await import('../messages/es')).es,
})
